//! Stops panics before they reach the boundary, where they would end the process.
//!
//! Both sides use it: a plugin around everything a host calls and drops, a host around the services a plugin calls.
//! What cannot be contained in one process: a panic while a panic unwinds, a stack overflow, `abort`.

use std::{
    any::Any,
    mem::{self, ManuallyDrop},
    panic::{self, AssertUnwindSafe},
};

use crate::error::PluginError;

/// Runs `call`; a panic in it is a fault that names `what`.
///
/// # Errors
///
/// The call's own, or the fault.
pub fn guarded<T>(what: &str, call: impl FnOnce() -> Result<T, PluginError>) -> Result<T, PluginError> {
    // A value that the panic left half changed stays with the side that panicked, whose fault is reported.
    panic::catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|payload| Err(fault(what, payload)))
}

/// Runs `call`; a panic in it is logged as an error, and `fallback` answers.
pub fn guarded_or<T>(what: &str, fallback: T, call: impl FnOnce() -> T) -> T {
    match guarded(what, || Ok(call())) {
        Ok(value) => value,
        Err(error) => {
            tracing::error!(%error, "contained a panic");
            fallback
        }
    }
}

#[cold]
fn fault(what: &str, payload: Box<dyn Any + Send>) -> PluginError {
    let message = if let Some(text) = payload.downcast_ref::<&'static str>() {
        format!("panicked in {what}: {text}")
    } else if let Some(text) = payload.downcast_ref::<String>() {
        format!("panicked in {what}: {text}")
    } else {
        format!("panicked in {what}")
    };
    // The payload may panic again when it is dropped; that second payload is leaked.
    if let Err(second) = panic::catch_unwind(AssertUnwindSafe(move || drop(payload))) {
        mem::forget(second);
    }
    PluginError::fault(message)
}

/// Holds a value whose drop may panic without anyone outside noticing more than an error in the log.
pub struct GuardedDrop<T> {
    what: &'static str,
    value: ManuallyDrop<T>,
}

impl<T> GuardedDrop<T> {
    /// Takes the value; `what` names it in the log.
    pub fn new(what: &'static str, value: T) -> Self {
        Self { what, value: ManuallyDrop::new(value) }
    }

    /// The value.
    pub fn get(&self) -> &T {
        &self.value
    }
}

impl<T> Drop for GuardedDrop<T> {
    fn drop(&mut self) {
        let value = &mut self.value;
        // SAFETY: this is the only place that drops the value, and nobody can reach it after `self` is dropped.
        guarded_or(self.what, (), || unsafe { ManuallyDrop::drop(value) });
    }
}

#[cfg(test)]
mod tests {
    use std::panic::panic_any;

    use super::*;

    struct DropBomb;
    impl Drop for DropBomb {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }

    #[test]
    fn a_panic_is_a_fault_with_its_message() {
        let text = guarded::<()>("plan", || panic!("no {}", 7));
        assert_eq!(text, Err(PluginError::fault("panicked in plan: no 7")));
        let opaque = guarded::<()>("plan", || panic_any(7_u8));
        assert_eq!(opaque, Err(PluginError::fault("panicked in plan")));
        assert_eq!(guarded("plan", || Ok(1)), Ok(1));
    }

    #[test]
    fn a_payload_that_panics_when_dropped_is_contained() {
        let result = guarded::<()>("plan", || panic_any(DropBomb));
        assert_eq!(result, Err(PluginError::fault("panicked in plan")));
    }

    #[test]
    fn a_drop_that_panics_is_contained() {
        drop(GuardedDrop::new("the bomb", DropBomb));
        assert_eq!(guarded_or("x", 2, || panic!("no")), 2);
    }
}
