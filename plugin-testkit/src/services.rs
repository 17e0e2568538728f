//! The services of the scripted host: the scenario answers, and sees what was asked.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use plugin_api::{
    ExecutionId, PluginError, ReadRecord, ReadRecords, RecordPage, Service, Services, StartWorkflow, WorkflowId,
};
use serde_json::{Map, Value};

use crate::inside;

/// Longest wait for a call of a plugin's thread: far beyond what any takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

type Answer<Q, A> = Arc<dyn Fn(&Q) -> Result<A, PluginError> + Send + Sync>;

/// What the plugin's own threads get when they ask the host, and what they have asked. Clones are the same services: one goes to the
/// [`PluginUnderTest`](crate::PluginUnderTest), another stays with the scenario.
///
/// As in a host, they refuse what is not granted, what is called from inside a call of the host, and what is called before the
/// [`TestHost`](crate::TestHost) is there or after it is dropped. What was refused so is not among the calls.
#[derive(Clone, Default)]
pub struct TestServices(Arc<Shared>);

#[derive(Default)]
struct Shared {
    script: Mutex<Script>,
    calls: Mutex<Vec<ServiceCall>>,
    called: Condvar,
}

#[derive(Clone, Default)]
struct Script {
    record: Option<Answer<ReadRecord, Option<Map<String, Value>>>>,
    records: Option<Answer<ReadRecords, RecordPage>>,
    start: Option<Answer<StartWorkflow, ExecutionId>>,
}

/// A call of a service that was answered.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ServiceCall {
    /// One record was asked for.
    Record(ReadRecord),
    /// Records were asked for.
    Records(ReadRecords),
    /// A workflow was to be started.
    Start(StartWorkflow),
}

impl TestServices {
    /// Services that know no records, and start every enabled workflow.
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers questions for one record so from now on.
    #[must_use]
    pub fn on_record(
        self,
        answer: impl Fn(&ReadRecord) -> Result<Option<Map<String, Value>>, PluginError> + Send + Sync + 'static,
    ) -> Self {
        locked(&self.0.script).record = Some(Arc::new(answer));
        self
    }

    /// Answers questions for records so from now on.
    #[must_use]
    pub fn on_records(
        self,
        answer: impl Fn(&ReadRecords) -> Result<RecordPage, PluginError> + Send + Sync + 'static,
    ) -> Self {
        locked(&self.0.script).records = Some(Arc::new(answer));
        self
    }

    /// Answers so from now on when an enabled workflow is to be started. Without it the executions get the ids 1, 2, 3, ….
    #[must_use]
    pub fn on_start(
        self,
        answer: impl Fn(&StartWorkflow) -> Result<ExecutionId, PluginError> + Send + Sync + 'static,
    ) -> Self {
        locked(&self.0.script).start = Some(Arc::new(answer));
        self
    }

    /// The calls so far, in order.
    pub fn calls(&self) -> Vec<ServiceCall> {
        locked(&self.0.calls).clone()
    }

    /// Waits until there were so many calls, and answers all of them.
    ///
    /// # Panics
    ///
    /// They did not come within 30 seconds.
    #[track_caller]
    pub fn wait_for(&self, calls: usize) -> Vec<ServiceCall> {
        let waited = self.0.called.wait_timeout_while(locked(&self.0.calls), PATIENCE, |made| made.len() < calls);
        let (made, outcome) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!outcome.timed_out(), "waited for {calls} calls of services, and there were: {made:#?}");
        made.clone()
    }

    fn note(&self, call: ServiceCall) {
        locked(&self.0.calls).push(call);
        self.0.called.notify_all();
    }
}

impl fmt::Debug for TestServices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestServices").field("calls", &self.calls()).finish_non_exhaustive()
    }
}

/// The services as one plugin may call them.
pub(crate) struct Session {
    plugin: String,
    grants: Vec<Service>,
    services: TestServices,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    is_over: bool,
    /// The enabled workflows, once there is a host.
    enabled: Option<BTreeSet<WorkflowId>>,
}

impl Session {
    pub(crate) fn new(plugin: &str, grants: Vec<Service>, services: TestServices) -> Self {
        Self { plugin: plugin.to_owned(), grants, services, state: Mutex::default() }
    }

    /// Answers calls from now on.
    pub(crate) fn begin(&self) {
        locked(&self.state).enabled = Some(BTreeSet::new());
    }

    /// Answers none any more.
    pub(crate) fn end(&self) {
        locked(&self.state).is_over = true;
    }

    /// Lets a workflow be started.
    pub(crate) fn enable(&self, workflow: WorkflowId) {
        locked(&self.state).enabled.get_or_insert_default().insert(workflow);
    }

    /// Lets it not be started any more.
    pub(crate) fn disable(&self, workflow: WorkflowId) {
        locked(&self.state).enabled.get_or_insert_default().remove(&workflow);
    }

    fn permit(&self, service: Service) -> Result<(), PluginError> {
        if !self.grants.contains(&service) {
            let plugin = &self.plugin;
            return Err(PluginError::fault(format!("The service \"{service}\" is not granted to plugin \"{plugin}\"")));
        }
        if inside::is_inside() {
            return Err(PluginError::fault(format!(
                "The service \"{service}\" is for threads of the plugin's own: the host waits for this call"
            )));
        }
        let state = locked(&self.state);
        if state.is_over {
            return Err(PluginError::unavailable("The host does not have this plugin any more"));
        }
        if state.enabled.is_none() {
            return Err(PluginError::unavailable("The plugin is not in service yet"));
        }
        Ok(())
    }

    fn ask<Q, A>(
        &self,
        service: Service,
        question: Q,
        call: fn(Q) -> ServiceCall,
        answer: impl FnOnce(&Q) -> Result<A, PluginError>,
    ) -> Result<A, PluginError> {
        self.permit(service)?;
        let answer = answer(&question);
        self.services.note(call(question));
        answer
    }

    fn script(&self) -> Script {
        locked(&self.services.0.script).clone()
    }
}

impl Services for Session {
    fn record(&self, question: ReadRecord) -> Result<Option<Map<String, Value>>, PluginError> {
        let answer = self.script().record;
        self.ask(Service::Records, question, ServiceCall::Record, |question| {
            answer.ok_or_else(|| unscripted("one record"))?(question)
        })
    }

    fn records(&self, question: ReadRecords) -> Result<RecordPage, PluginError> {
        let answer = self.script().records;
        self.ask(Service::Records, question, ServiceCall::Records, |question| {
            answer.ok_or_else(|| unscripted("records"))?(question)
        })
    }

    fn start_workflow(&self, question: StartWorkflow) -> Result<ExecutionId, PluginError> {
        let answer = self.script().start;
        self.ask(Service::Workflows, question, ServiceCall::Start, |question| {
            let WorkflowId(id) = question.workflow;
            if !locked(&self.state).enabled.as_ref().is_some_and(|enabled| enabled.contains(&question.workflow)) {
                return Err(PluginError::invalid(format!("Workflow {id} is not enabled")));
            }
            match answer {
                Some(answer) => answer(question),
                None => {
                    let calls = self.services.calls();
                    let before = calls.iter().filter(|call| matches!(call, ServiceCall::Start(_))).count();
                    Ok(ExecutionId(i64::try_from(before).unwrap_or(i64::MAX).saturating_add(1)))
                }
            }
        })
    }
}

fn unscripted(what: &str) -> PluginError {
    PluginError::fault(format!("the scenario has no answer to a question for {what}"))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
