//! What every request works with: the store, the engine, the plugins and the token secret.

use std::sync::Arc;

use store::Store;
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use workflow::Engine;

use crate::{
    access::Tokens, bindings::Strictness, clock::ClockKeeper, data_sources::DataSources, in_step::InStep,
    plugins::PluginManager, server::HostRole, triggers::TriggerSwitch,
};

/// Largest request body, in bytes: thousands of records of ordinary size, and little enough for hundreds of requests at once.
pub(crate) const BODY_LIMIT_BYTES: usize = 1 << 20;

/// Event streams at the same time: each holds a connection, and consoles of a team of administrators need one apiece.
pub(crate) const STREAMS_MAX: usize = 64;

/// The parts of a running server.
pub(crate) struct Host {
    /// The host's own database.
    pub(crate) store: Store,
    /// Further databases.
    pub(crate) data_sources: Arc<DataSources>,
    pub(crate) engine: Engine,
    pub(crate) role: HostRole,
    pub(crate) plugins: Arc<PluginManager>,
    pub(crate) tokens: Tokens,
    pub(crate) switch: TriggerSwitch,
    /// Starts what is due.
    pub(crate) clock: Arc<ClockKeeper>,
    pub(crate) in_step: InStep,
    /// What requests that name their button may fire.
    pub(crate) strictness: Strictness,
    /// Requests that are being answered; they end even when their callers go away.
    pub(crate) requests: TaskTracker,
    /// Places for event streams.
    pub(crate) streams: Arc<Semaphore>,
    stopping: CancellationToken,
}

impl Host {
    pub(crate) fn new(
        data_sources: Arc<DataSources>,
        engine: Engine,
        role: HostRole,
        plugins: Arc<PluginManager>,
        tokens: Tokens,
        strictness: Strictness,
        in_step: InStep,
    ) -> Self {
        let store = data_sources.main().clone();
        let clock = Arc::new(ClockKeeper::default());
        let switch = TriggerSwitch::new(store.clone(), Arc::clone(&plugins), Arc::clone(&clock));
        Self {
            store,
            data_sources,
            engine,
            role,
            plugins,
            tokens,
            switch,
            clock,
            in_step,
            strictness,
            requests: TaskTracker::new(),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            stopping: CancellationToken::new(),
        }
    }

    /// Lets plugins call the services from now on.
    pub(crate) fn open_services(self: &Arc<Self>) {
        let backend = Arc::downgrade(self);
        self.plugins.open_services(backend, self.requests.clone());
    }

    /// Says from now on that no new requests are welcome, neither from people nor from plugins, and ends the event streams.
    pub(crate) fn drain(&self) {
        self.plugins.close_services();
        self.stopping.cancel();
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// Is cancelled when the server begins to stop.
    pub(crate) fn stopping(&self) -> CancellationToken {
        self.stopping.clone()
    }
}
