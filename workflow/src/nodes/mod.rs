//! Node types: one file each, behind one trait.
//!
//! A node is run in two steps. [`NodeType::run`] resolves, evaluates and reads outside of any transaction, and answers with an
//! [`Effect`]: a result, or something to be written. What is written and the job that says so are stored in one transaction
//! by the processor, so a node's effect happens once, whatever breaks; in a further database it is stored with a receipt instead of
//! the job. Nodes never see the queue, HTTP or access rights.

mod aggregate;
mod calculation;
mod calculator;
mod condition;
mod contained;
mod create;
mod date_calculation;
mod delay;
mod destroy;
mod end;
mod faults;
mod form;
mod json_query;
mod json_variable_mapping;
mod lenient;
mod r#loop;
mod manual;
mod multi_conditions;
mod notification;
mod output;
mod parallel;
mod people;
mod provided;
mod query;
mod question;
mod records;
mod registry;
mod request;
mod response_message;
mod script;
mod sql;
mod subflow;
mod update;
mod variable;
mod watched;

use std::future::Future;

use async_trait::async_trait;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;
use store::{ExecutionId, Job, JobId, JobStatus, NodeRow, Store, StoreError, Tx, WorkflowId};

use crate::{
    expression::{ExpressionError, Expressions},
    outside::Outside,
    reader::Reader,
    sources::Sources,
    tasks::Verdict,
    variables::{self, Scope},
};

use contained::Containment;
pub(crate) use faults::FaultPoint;
pub use faults::{NodeFault, NodeFaults, NodeStep};
pub(crate) use r#loop::{Admission, OnFailure, Rounds};
pub(crate) use parallel::Mode as ParallelMode;
pub(crate) use people::{Users, find as find_people};
pub use registry::is_built_in;
pub(crate) use registry::{NodeTypes, sentence};

/// A node type.
pub(crate) trait NodeType: Send + Sync + 'static {
    /// Its name, as in a node's `type`.
    const NAME: &'static str;
    /// Members of the configuration whose text is not resolved: expressions, which bind variables themselves.
    const VERBATIM: &'static [&'static str] = &[];
    /// Whether an execution ends here.
    const ENDS: bool = false;
    /// Whether its branches are runs of their own, within its job: a line in them ends with the branch.
    const SURROUNDS: bool = false;
    /// Whether its result is the execution's output.
    const OUTPUTS: bool = false;
    /// Whether a run that leaves no job behind cannot be told from none: it takes no time, reads nothing but its variables, and
    /// has no effect but what is written together with its job. Other nodes begin when all jobs before them are stored.
    const AT_ONCE: bool = false;
    /// Whether it can be part of a transaction that others wait for: it does not wait, reaches nothing outside of the store, and
    /// reads by [`Run::reader`] alone.
    const WITHIN: bool = false;
    /// Whether a run means something without an execution, its jobs and its time, so that the node can be tried out.
    const STANDS_ALONE: bool = true;

    /// The configuration, after its variables are resolved.
    type Config: DeserializeOwned + JsonSchema + Send;

    /// Checks what the schema of the configuration cannot say. Variables are not resolved yet.
    fn check(config: &Value, expressions: &Expressions) -> Result<(), String> {
        let _ = (config, expressions);
        Ok(())
    }

    /// [`Self::AT_ONCE`], for a node with this configuration as it is stored.
    fn at_once(config: &Value) -> bool {
        let _ = config;
        Self::AT_ONCE
    }

    /// [`Self::WITHIN`], for a node with this configuration as it is stored.
    fn runs_within(config: &Value) -> bool {
        let _ = config;
        Self::WITHIN
    }

    /// Puts values in place of the variables of a configuration.
    fn resolve(config: &Value, scope: &Scope) -> Result<Value, NodeError> {
        Ok(resolve_except(config, scope, Self::VERBATIM))
    }

    /// Does what the node is for, up to what has to be written.
    fn run(config: Self::Config, run: &Run<'_>) -> impl Future<Output = Result<Effect, NodeError>> + Send;

    /// Ends a pending job of this node whose time has come.
    fn resume(config: Self::Config, job: &Job) -> Result<NodeResult, NodeError> {
        let _ = (config, job);
        Err(NodeError::Refused(format!("a {} node does not wait", Self::NAME)))
    }

    /// How the job ends whose tasks people have decided, for nodes that give tasks. Told by the configuration as it is stored.
    fn decided(config: &Value, verdict: &Verdict) -> NodeResult {
        let _ = config;
        NodeResult::ended(verdict.decision.job_status(), verdict.result())
    }

    /// The branch that follows a resolved job, for branching nodes. Told by the stored result alone, so that an execution
    /// goes the same way after a restart.
    fn branch(result: &Value) -> Option<i64> {
        let _ = result;
        None
    }

    /// The node whose result is replaced by that of this one, told by the configuration as it is stored.
    fn assigns(config: &Value) -> Option<&str> {
        let _ = config;
        None
    }

    /// What a resolved job says to the person who waits for the answer.
    fn message(result: &Value) -> Option<String> {
        let _ = result;
        None
    }
}

/// What a running node can use.
pub(crate) struct Run<'r> {
    /// For reading; writes go through [`Effect::Write`].
    pub(crate) reader: &'r dyn Reader,
    /// The database itself, for a node that is never part of another's transaction.
    pub(crate) store: &'r Store,
    /// The variables.
    pub(crate) scope: &'r Scope,
    /// The expression evaluator.
    pub(crate) expressions: &'r Expressions,
    /// The ways out of the store.
    pub(crate) outside: &'r Outside,
    /// The ways to further databases; none within somebody's transaction, which does not wait for them.
    pub(crate) sources: Option<&'r dyn Sources>,
    /// The execution that the node runs in.
    pub(crate) execution: ExecutionId,
    /// The executions that led to it, outermost first.
    pub(crate) stack: &'r [ExecutionId],
    /// The node, as it is stored.
    pub(crate) node: &'r NodeRow,
    /// The rounds of the surrounding loops, outermost first, from 0.
    pub(crate) rounds: &'r [u64],
    /// How often the execution has gone back behind each of the surrounding nodes, outermost first, and behind this one.
    pub(crate) returns: &'r [u64],
}

impl Run<'_> {
    /// Names this run of the node for the world outside: the same again when the node is repeated because its job could not be
    /// stored, another one in every other execution, node and round, and when the execution has gone back. Of the form
    /// `<execution>-<node's key>[-<round>…]`, followed by `-again[-<times>…]` if it has.
    pub(crate) fn idempotency_key(&self) -> String {
        let mut key = format!("{}-{}", self.execution.0, self.node.key);
        for round in self.rounds {
            key.push('-');
            key.push_str(&round.to_string());
        }
        if self.returns.iter().any(|times| *times > 0) {
            key.push_str("-again");
            for times in self.returns {
                key.push('-');
                key.push_str(&times.to_string());
            }
        }
        key
    }
}

/// What a node has come to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NodeResult {
    /// The state of its job.
    pub(crate) status: JobStatus,
    /// The result of its job.
    pub(crate) result: Value,
    /// When a pending job falls due by itself, in milliseconds since 1970.
    pub(crate) due_at_ms: Option<i64>,
    /// A workflow version that has a queued execution because of it.
    pub(crate) wakes: Option<WorkflowId>,
}

impl NodeResult {
    /// A job in a final state.
    pub(crate) fn ended(status: JobStatus, result: Value) -> Self {
        Self { status, result, due_at_ms: None, wakes: None }
    }

    /// A job that is done.
    pub(crate) fn resolved(result: Value) -> Self {
        Self::ended(JobStatus::Resolved, result)
    }
}

/// Writes something, and says what the node has come to by that.
pub(crate) type Work =
    Box<dyn for<'tx> FnOnce(&'tx mut Tx, JobId) -> BoxFuture<'tx, Result<NodeResult, NodeError>> + Send>;

/// The job that is named to what is written into a further database, where there are none.
pub(crate) const ELSEWHERE: JobId = JobId(0);

/// How a node's run ended.
pub(crate) enum Effect {
    /// Nothing is to be written.
    Done(NodeResult),
    /// This is to be written, with the job.
    Write(Work),
    /// This is to be written into a further database; the job, which is not one that waits, is stored after it.
    WriteElsewhere(Store, Work),
    /// Its branches are to be run.
    Surround(Surround),
}

/// How the branches of a node that surrounds them are run.
pub(crate) enum Surround {
    /// The first one, round after round.
    Loop(Rounds),
    /// All of them at the same time.
    Parallel(ParallelMode),
}

impl Effect {
    /// Something to be written.
    pub(crate) fn write(
        work: impl for<'tx> FnOnce(&'tx mut Tx) -> BoxFuture<'tx, Result<NodeResult, NodeError>> + Send + 'static,
    ) -> Self {
        Self::Write(Box::new(move |tx, _| work(tx)))
    }

    /// Something to be written that names the node's job, which is stored right after it.
    pub(crate) fn write_for_job(
        work: impl for<'tx> FnOnce(&'tx mut Tx, JobId) -> BoxFuture<'tx, Result<NodeResult, NodeError>> + Send + 'static,
    ) -> Self {
        Self::Write(Box::new(work))
    }
}

/// Why a node could not do its work. The sentence becomes the result of its job.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NodeError {
    /// The configuration, with the values it met, makes no sense.
    #[error("{0}")]
    Refused(String),
    /// The expression does not work out.
    #[error(transparent)]
    Expression(#[from] ExpressionError),
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its code panicked: the programmer's.
    #[error("the node broke down; the server's log says why")]
    Panicked,
}

/// A [`NodeType`] whose configuration type is out of sight.
#[async_trait]
pub(crate) trait Node: Send + Sync {
    fn config_schema(&self) -> Value;
    fn check(&self, config: &Value, expressions: &Expressions) -> Result<(), String>;
    fn ends(&self) -> bool;
    fn surrounds(&self) -> bool;
    fn outputs(&self) -> bool;
    fn at_once(&self, config: &Value) -> bool;
    fn runs_within(&self, config: &Value) -> bool;
    fn stands_alone(&self) -> bool;
    fn assigns<'c>(&self, config: &'c Value) -> Option<&'c str>;
    async fn run(&self, config: &Value, run: &Run<'_>) -> Result<Effect, NodeError>;
    fn resume(&self, config: &Value, scope: &Scope, job: &Job) -> Result<NodeResult, NodeError>;
    fn decided(&self, config: &Value, verdict: &Verdict) -> NodeResult;
    /// Whether others provide it, and decide what answers to its tasks mean.
    fn provides(&self) -> bool {
        false
    }
    fn branch(&self, result: &Value) -> Result<Option<i64>, NodeError>;
    fn message(&self, result: &Value) -> Result<Option<String>, NodeError>;
}

/// Hides the configuration type of a [`NodeType`], and contains its panics.
struct Typed<T> {
    contained: Containment,
    of: std::marker::PhantomData<fn() -> T>,
}

impl<T: NodeType> Typed<T> {
    fn new(faults: FaultPoint) -> Self {
        let contained = Containment::new(T::NAME.into(), faults, T::branch, T::message);
        Self { contained, of: std::marker::PhantomData }
    }

    fn config(config: &Value, scope: &Scope) -> Result<T::Config, NodeError> {
        serde_json::from_value(T::resolve(config, scope)?).map_err(|error| NodeError::Refused(error.to_string()))
    }
}

#[async_trait]
impl<T: NodeType> Node for Typed<T> {
    fn config_schema(&self) -> Value {
        form::readable(T::NAME, schemars::schema_for!(T::Config).to_value())
    }

    fn check(&self, config: &Value, expressions: &Expressions) -> Result<(), String> {
        T::check(config, expressions)
    }

    fn ends(&self) -> bool {
        T::ENDS
    }

    fn surrounds(&self) -> bool {
        T::SURROUNDS
    }

    fn outputs(&self) -> bool {
        T::OUTPUTS
    }

    fn at_once(&self, config: &Value) -> bool {
        T::at_once(config)
    }

    fn runs_within(&self, config: &Value) -> bool {
        T::runs_within(config)
    }

    fn stands_alone(&self) -> bool {
        T::STANDS_ALONE && !T::ENDS && !T::SURROUNDS
    }

    fn assigns<'c>(&self, config: &'c Value) -> Option<&'c str> {
        T::assigns(config)
    }

    async fn run(&self, config: &Value, run: &Run<'_>) -> Result<Effect, NodeError> {
        let running = async { T::run(Self::config(config, run.scope)?, run).await };
        watched::watched(T::NAME.into(), run, self.contained.run(running)).await
    }

    fn resume(&self, config: &Value, scope: &Scope, job: &Job) -> Result<NodeResult, NodeError> {
        self.contained.resume(|| T::resume(Self::config(config, scope)?, job))
    }

    fn decided(&self, config: &Value, verdict: &Verdict) -> NodeResult {
        T::decided(config, verdict)
    }

    fn branch(&self, result: &Value) -> Result<Option<i64>, NodeError> {
        self.contained.branch(result)
    }

    fn message(&self, result: &Value) -> Result<Option<String>, NodeError> {
        self.contained.message(result)
    }
}

/// Resolves all members of a configuration but some.
fn resolve_except(config: &Value, scope: &Scope, verbatim: &[&str]) -> Value {
    let Value::Object(members) = config else { return variables::resolve(config, scope) };
    let resolved = |(name, value): (&String, &Value)| {
        let value = if verbatim.contains(&name.as_str()) { value.clone() } else { variables::resolve(value, scope) };
        (name.clone(), value)
    };
    Value::Object(members.iter().map(resolved).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use store::{NodeId, WorkflowId};

    use super::*;

    #[tokio::test]
    async fn the_idempotency_key_names_the_execution_the_node_the_round_and_the_return() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite:{}", folder.path().join("data.db").display())).await.unwrap();
        let (scope, expressions, outside) = (Scope::new(json!({}), 0), Expressions::default(), Outside::default());
        let node = NodeRow {
            id: NodeId(3),
            key: "k3y".into(),
            workflow_id: WorkflowId(1),
            title: None,
            node_type: "end".into(),
            config: json!({}),
            upstream_id: None,
            branch_index: None,
            downstream_id: None,
        };
        let key = |rounds: &[u64], returns: &[u64]| {
            let execution = ExecutionId(7);
            Run {
                reader: &store,
                store: &store,
                scope: &scope,
                expressions: &expressions,
                outside: &outside,
                sources: None,
                execution,
                stack: &[],
                node: &node,
                rounds,
                returns,
            }
            .idempotency_key()
        };
        assert_eq!([key(&[], &[0]), key(&[0], &[0, 0]), key(&[2, 11], &[0, 0, 0])], ["7-k3y", "7-k3y-0", "7-k3y-2-11"]);
        assert_eq!([key(&[], &[1]), key(&[2], &[0, 1])], ["7-k3y-again-1", "7-k3y-2-again-0-1"]);
    }
}
