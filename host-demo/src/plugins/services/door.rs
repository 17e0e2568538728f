//! Opened when the host runs, closed when it stops; for all plugins at once.

use std::sync::{Arc, PoisonError, RwLock, Weak};

use plugin_api::PluginError;
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use super::Backend;

/// Leads to the [`Backend`] while the host runs.
#[derive(Default)]
pub(crate) struct Door(RwLock<State>);

#[derive(Default)]
enum State {
    /// The host has not come to running yet.
    #[default]
    Starting,
    Open {
        backend: Weak<dyn Backend>,
        runtime: Handle,
        tasks: TaskTracker,
    },
    Closed,
}

/// What is behind an open door.
pub(super) struct Inside {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) runtime: Handle,
    /// What a stopping server waits for.
    pub(super) tasks: TaskTracker,
}

impl Door {
    /// Lets calls in from now on. They run on the runtime of the caller of this.
    pub(in super::super) fn open(&self, backend: Weak<dyn Backend>, tasks: TaskTracker) {
        self.set(State::Open { backend, runtime: Handle::current(), tasks });
    }

    /// Lets no more calls in.
    pub(in super::super) fn close(&self) {
        self.set(State::Closed);
    }

    fn set(&self, state: State) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = state;
    }

    /// Enters.
    ///
    /// # Errors
    ///
    /// The host does not run yet, or is about to stop.
    pub(super) fn enter(&self) -> Result<Inside, PluginError> {
        match &*self.0.read().unwrap_or_else(PoisonError::into_inner) {
            State::Starting => Err(PluginError::unavailable("The host is starting")),
            State::Open { backend, runtime, tasks } => {
                let backend = backend.upgrade().ok_or_else(stopping)?;
                Ok(Inside { backend, runtime: runtime.clone(), tasks: tasks.clone() })
            }
            State::Closed => Err(stopping()),
        }
    }
}

/// The host takes no more calls.
fn stopping() -> PluginError {
    PluginError::unavailable("The host is stopping")
}
