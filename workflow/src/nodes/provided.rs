//! A node type that others provide, as the engine runs it. The type is looked up at each call: it may be gone, or replaced. Its
//! faults are contained like those of the engine's own.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use store::{Job, UserId};

use super::{Effect, FaultPoint, Node, NodeError, NodeResult, NodeStep, Run, contained::Containment, watched};
use crate::{
    expression::Expressions,
    provided::{Meant, NextStep, Progress, ProvidedError, ProvidedNode, ProvidedNodes},
    tasks::{Asking, Form, Verdict, begin},
    variables::{self, Scope},
};

/// A provided node type, by its name.
pub(crate) struct Provided {
    contained: Containment,
    nodes: Arc<dyn ProvidedNodes>,
}

impl Provided {
    pub(crate) fn new(name: &str, nodes: Arc<dyn ProvidedNodes>, faults: FaultPoint) -> Self {
        // The step that ended it said which branch follows; it is stored with the result.
        let branch = |result: &Value| result.get("branch").and_then(Value::as_i64);
        Self { contained: Containment::new(name.to_owned().into(), faults, branch, |_| None), nodes }
    }

    /// Looks the type up.
    pub(crate) fn find(&self) -> Result<Arc<dyn ProvidedNode>, ProvidedError> {
        let node = self.contained.ask(None, || Ok(self.nodes.find(self.contained.node_type())))??;
        Ok(Arc::new(Found { contained: self.contained.clone(), node }))
    }
}

/// A provided node type that is there now.
struct Found {
    contained: Containment,
    node: Arc<dyn ProvidedNode>,
}

impl Found {
    fn ask<T>(
        &self,
        step: Option<NodeStep>,
        question: impl FnOnce(&dyn ProvidedNode) -> Result<T, ProvidedError>,
    ) -> Result<T, ProvidedError> {
        self.contained.ask(step, || Ok(question(self.node.as_ref())))?
    }
}

impl From<NodeError> for ProvidedError {
    /// It broke down where it was asked.
    fn from(error: NodeError) -> Self {
        Self::Fault(error.to_string())
    }
}

impl ProvidedNode for Found {
    fn config_schema(&self) -> &Value {
        self.node.config_schema()
    }

    fn check(&self, config: &Value) -> Result<(), ProvidedError> {
        self.ask(None, |node| node.check(config))
    }

    fn people(&self, config: &Value) -> Result<Meant, ProvidedError> {
        self.ask(None, |node| node.people(config))
    }

    fn step(&self, config: &Value, progress: &Progress) -> Result<NextStep, ProvidedError> {
        // The first step is part of its run.
        let is_resumed = progress.withdraws || !progress.tasks.is_empty();
        self.ask(is_resumed.then_some(NodeStep::Resume), |node| node.step(config, progress))
    }
}

#[async_trait]
impl Node for Provided {
    fn config_schema(&self) -> Value {
        self.find().map(|node| node.config_schema().clone()).unwrap_or_default()
    }

    fn check(&self, config: &Value, _: &Expressions) -> Result<(), String> {
        if let Some(form) = config.get("form").filter(|form| form.is_object()) {
            Form::check_schema(form)?;
        }
        self.find().and_then(|node| node.check(config)).map_err(|error| error.to_string())
    }

    fn ends(&self) -> bool {
        false
    }

    fn surrounds(&self) -> bool {
        false
    }

    fn outputs(&self) -> bool {
        false
    }

    fn at_once(&self, _: &Value) -> bool {
        false
    }

    fn runs_within(&self, _: &Value) -> bool {
        false
    }

    fn stands_alone(&self) -> bool {
        false
    }

    fn assigns<'c>(&self, _: &'c Value) -> Option<&'c str> {
        None
    }

    async fn run(&self, config: &Value, run: &Run<'_>) -> Result<Effect, NodeError> {
        let running = async {
            let node = self.find()?;
            let config = variables::resolve(config, run.scope);
            let applicant = variables::resolve(&json!("{{$context.user.id}}"), run.scope).as_i64().map(UserId);
            let (workflow, execution, row) = (run.node.workflow_id, run.execution, run.node.id);
            Ok(Effect::write_for_job(move |tx, job| {
                Box::pin(async move {
                    let asking = Asking { workflow, execution, node: row, job };
                    begin(tx, asking, node.as_ref(), config, applicant).await
                })
            }))
        };
        watched::watched(self.contained.node_type().clone(), run, self.contained.run(running)).await
    }

    fn resume(&self, _: &Value, _: &Scope, _: &Job) -> Result<NodeResult, NodeError> {
        self.contained
            .resume(|| Err(NodeError::Refused(format!("a {} node waits for people", self.contained.node_type()))))
    }

    fn decided(&self, _: &Value, verdict: &Verdict) -> NodeResult {
        NodeResult::ended(verdict.decision.job_status(), verdict.result())
    }

    fn provides(&self) -> bool {
        true
    }

    fn branch(&self, result: &Value) -> Result<Option<i64>, NodeError> {
        self.contained.branch(result)
    }

    fn message(&self, result: &Value) -> Result<Option<String>, NodeError> {
        self.contained.message(result)
    }
}
