//! Calls of plugins, which may take any time, or never come back.

use tokio::runtime::{Handle, RuntimeFlavor};

/// Calls a plugin while other threads take over what this one did for the runtime: if it is the one that hears the network, nobody would
/// be heard until the plugin is back.
pub(super) fn aside<T>(call: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(call),
        // There are no other threads, or this one does nothing for a runtime.
        Ok(_) | Err(_) => call(),
    }
}
