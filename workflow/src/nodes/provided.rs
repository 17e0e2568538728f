//! A node type that others provide, as the engine runs it. The type is looked up at each call: it may be gone, or replaced.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use store::{Job, UserId};

use super::{Effect, Node, NodeError, NodeResult, Run};
use crate::{
    expression::Expressions,
    provided::{ProvidedError, ProvidedNode, ProvidedNodes},
    tasks::{Asking, Form, Verdict, begin},
    variables::{self, Scope},
};

/// A provided node type, by its name.
pub(crate) struct Provided {
    name: String,
    nodes: Arc<dyn ProvidedNodes>,
}

impl Provided {
    pub(crate) fn new(name: &str, nodes: Arc<dyn ProvidedNodes>) -> Self {
        Self { name: name.to_owned(), nodes }
    }

    fn find(&self) -> Result<Arc<dyn ProvidedNode>, ProvidedError> {
        self.nodes.find(&self.name)
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

    fn at_once(&self) -> bool {
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
    }

    fn resume(&self, _: &Value, _: &Scope, _: &Job) -> Result<NodeResult, NodeError> {
        Err(NodeError::Refused(format!("a {} node waits for people", self.name)))
    }

    fn decided(&self, _: &Value, verdict: &Verdict) -> NodeResult {
        NodeResult::ended(verdict.decision.job_status(), verdict.result())
    }

    fn provides(&self) -> bool {
        true
    }

    fn branch(&self, result: &Value) -> Option<i64> {
        result.get("branch").and_then(Value::as_i64)
    }

    fn message(&self, _: &Value) -> Option<String> {
        None
    }
}
