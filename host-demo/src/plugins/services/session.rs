//! One loaded plugin and what it may ask.

use std::{
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    time::Duration,
};

use plugin_api::{ExecutionId, PluginError, ReadRecord, ReadRecords, RecordPage, Service, Services, StartWorkflow};
use serde_json::{Map, Value};
use tokio::{runtime::Handle, sync::Semaphore};
use tokio_util::sync::CancellationToken;

use super::{Answering, Backend, Caller, Door};

/// Calls of one plugin that are worked on at the same time; others wait their turn. Half of the connections that read: a plugin
/// with a thousand threads leaves the rest to people.
const CALLS_AT_ONCE: usize = 4;
/// How long a thread of a plugin waits for an answer. Calls take milliseconds; one that takes longer most likely waits for the
/// hook that waits for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the host knows of a plugin that may call it: from when it is put in service until it is taken out of it. Dropping it
/// ends the plugin's calls, too.
pub(in super::super) struct Session {
    plugin: Arc<str>,
    grants: Vec<Service>,
    trigger_types: OnceLock<Arc<[String]>>,
    has_begun: AtomicBool,
    /// Is cancelled when it ends.
    ended: CancellationToken,
    door: Arc<Door>,
    turns: Arc<Semaphore>,
}

impl Session {
    pub(in super::super) fn new(plugin: &str, grants: Vec<Service>, door: Arc<Door>) -> Arc<Self> {
        let turns = Arc::new(Semaphore::new(CALLS_AT_ONCE));
        Arc::new(Self {
            plugin: plugin.into(),
            grants,
            trigger_types: OnceLock::new(),
            has_begun: AtomicBool::new(false),
            ended: CancellationToken::new(),
            door,
            turns,
        })
    }

    /// Answers the plugin's calls from now on.
    pub(in super::super) fn begin(&self) {
        self.has_begun.store(true, Ordering::Release);
    }

    /// Answers none of its calls any more, nor those that are not worked on yet. It does not begin again.
    pub(in super::super) fn end(&self) {
        self.ended.cancel();
    }

    /// What the plugin gets.
    pub(in super::super) fn handle(self: &Arc<Self>) -> Arc<ServicesHandle> {
        let plugin = Arc::clone(&self.plugin);
        Arc::new(ServicesHandle { plugin, session: Arc::downgrade(self), door: Arc::clone(&self.door) })
    }

    /// Takes note of the trigger types that the plugin offers; the first note counts.
    pub(in super::super) fn owns(&self, trigger_types: impl IntoIterator<Item = String>) {
        self.trigger_types.get_or_init(|| trigger_types.into_iter().collect());
    }

    fn caller(&self, given_up: CancellationToken) -> Caller {
        let trigger_types = self.trigger_types.get().cloned().unwrap_or_default();
        Caller { plugin: Arc::clone(&self.plugin), trigger_types, given_up }
    }

    /// Checks that the plugin may call the service, from this thread.
    fn permit(&self, service: Service) -> Result<(), PluginError> {
        if !self.grants.contains(&service) {
            return Err(PluginError::fault(format!(
                "The service \"{service}\" is not granted to plugin \"{}\"",
                self.plugin
            )));
        }
        if Handle::try_current().is_ok() {
            return Err(PluginError::fault(format!(
                "The service \"{service}\" is for threads of the plugin's own: the host waits for this call"
            )));
        }
        Ok(())
    }
}

/// The plugin was taken out of service, or another version of it has taken over.
fn gone() -> PluginError {
    PluginError::unavailable("The host does not have this plugin any more")
}

/// The host as a plugin's library holds it, possibly for longer than there is a host.
pub(in super::super) struct ServicesHandle {
    plugin: Arc<str>,
    session: Weak<Session>,
    door: Arc<Door>,
}

impl ServicesHandle {
    fn ask<T: Send + 'static>(
        &self,
        service: Service,
        question: impl FnOnce(Arc<dyn Backend>, Caller) -> Answering<T>,
    ) -> Result<T, PluginError> {
        let result = self.try_ask(service, question);
        let outcome = if result.is_ok() { "answered" } else { "refused" };
        let plugin = self.plugin.to_string();
        metrics::counter!("plugin_service_calls_total", "plugin" => plugin, "service" => service.name(), "outcome" => outcome)
            .increment(1);
        result
    }

    fn try_ask<T: Send + 'static>(
        &self,
        service: Service,
        question: impl FnOnce(Arc<dyn Backend>, Caller) -> Answering<T>,
    ) -> Result<T, PluginError> {
        let Some(session) = self.session.upgrade() else {
            self.door.enter()?;
            return Err(gone());
        };
        session.permit(service)?;
        let inside = self.door.enter()?;
        if session.ended.is_cancelled() {
            return Err(gone());
        }
        if !session.has_begun.load(Ordering::Acquire) {
            return Err(PluginError::unavailable("The plugin is not in service yet"));
        }
        let (turns, door) = (Arc::clone(&session.turns), Arc::clone(&self.door));
        let ended = session.ended.clone();
        let given_up = ended.child_token();
        let answering = question(inside.backend, session.caller(given_up.clone()));
        let has_ended = ended.clone();
        // Before this thread goes on, and so before whatever waits for this thread does.
        let _waiting = given_up.drop_guard();
        // The plugin may be unloaded while its thread waits.
        drop(session);
        let (answer, answered) = mpsc::sync_channel(1);
        let work = async move {
            // Never closed; and a turn that comes when the host stops is not taken.
            let _turn = turns.acquire_owned().await;
            let result = match door.enter() {
                Ok(_) if has_ended.is_cancelled() => Err(gone()),
                Ok(_) => answering.await,
                Err(error) => Err(error),
            };
            // Whoever asked may have stopped waiting.
            drop(answer.send(result));
        };
        let task = inside.tasks.spawn_on(work, &inside.runtime);
        match answered.recv_timeout(PATIENCE) {
            Ok(Err(_)) if ended.is_cancelled() => Err(gone()),
            Ok(result) => result,
            Err(RecvTimeoutError::Timeout) => {
                task.abort();
                let patience = PATIENCE.as_secs();
                Err(PluginError::unavailable(format!("The host did not answer within {patience} seconds")))
            }
            // The runtime is gone, or the backend panicked.
            Err(RecvTimeoutError::Disconnected) => {
                self.door.enter()?;
                Err(PluginError::fault("The host's service failed"))
            }
        }
    }
}

impl Services for ServicesHandle {
    fn record(&self, question: ReadRecord) -> Result<Option<Map<String, Value>>, PluginError> {
        self.ask(Service::Records, |backend, _| backend.record(question))
    }

    fn records(&self, question: ReadRecords) -> Result<RecordPage, PluginError> {
        self.ask(Service::Records, |backend, _| backend.records(question))
    }

    fn start_workflow(&self, question: StartWorkflow) -> Result<ExecutionId, PluginError> {
        self.ask(Service::Workflows, |backend, caller| backend.start_workflow(caller, question))
    }
}

#[cfg(test)]
mod tests;
