//! What every request works with: the store, the engine, the plugins and the token secret.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use store::Store;
use tokio_util::task::TaskTracker;
use workflow::Engine;

use crate::{access::Tokens, plugins::Plugins, triggers::TriggerSwitch};

/// Largest request body, in bytes: thousands of records of ordinary size, and little enough for hundreds of requests at once.
pub(crate) const BODY_LIMIT_BYTES: usize = 1 << 20;

/// The parts of a running server.
pub(crate) struct Host {
    pub(crate) store: Store,
    pub(crate) engine: Engine,
    pub(crate) plugins: Arc<Plugins>,
    pub(crate) tokens: Tokens,
    pub(crate) switch: TriggerSwitch,
    /// Requests that are being answered; they end even when their callers go away.
    pub(crate) requests: TaskTracker,
    draining: AtomicBool,
}

impl Host {
    pub(crate) fn new(store: Store, engine: Engine, plugins: Plugins, tokens: Tokens) -> Self {
        let plugins = Arc::new(plugins);
        let switch = TriggerSwitch::new(store.clone(), Arc::clone(&plugins));
        Self { store, engine, plugins, tokens, switch, requests: TaskTracker::new(), draining: AtomicBool::new(false) }
    }

    /// Says from now on that no new requests are welcome.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}
