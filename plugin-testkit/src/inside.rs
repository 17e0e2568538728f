//! Which threads are inside a call of the host: what a plugin does there may call no service.

use std::cell::Cell;

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Ends a call, also one that panics.
struct Leave {
    was_inside: bool,
}

impl Drop for Leave {
    fn drop(&mut self) {
        INSIDE.set(self.was_inside);
    }
}

/// Calls the plugin.
pub(crate) fn calling<T>(call: impl FnOnce() -> T) -> T {
    let _leave = Leave { was_inside: INSIDE.replace(true) };
    call()
}

/// Says whether the host waits for what this thread does.
pub(crate) fn is_inside() -> bool {
    INSIDE.get()
}
