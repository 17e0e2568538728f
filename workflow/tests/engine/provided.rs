//! Node types of others: what the engine makes of their steps, and of their failures.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value, json};
use store::{ApprovalStatus, ExecutionStatus, JobStatus, StoreError, Submission, Task, TaskStatus};
use workflow::{
    EngineError,
    provided::{Asked, Meant, NextStep, Progress, ProvidedError, ProvidedNode, ProvidedNodes},
};

use crate::harness::{Harness, log, node};

/// The node type `ask`, which ends with the first answer, and fails when a test says so.
#[derive(Clone, Default)]
struct Scripted {
    failure: Arc<Mutex<Option<ProvidedError>>>,
    schema: Value,
}

impl Scripted {
    fn fail(&self, error: Option<ProvidedError>) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }
}

impl ProvidedNodes for Scripted {
    fn find(&self, name: &str) -> Result<Arc<dyn ProvidedNode>, ProvidedError> {
        match (name, self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()) {
            ("ask", Some(error @ ProvidedError::Unavailable(_))) => Err(error),
            ("ask", _) => Ok(Arc::new(Self { schema: json!({"required": ["assignees"]}), ..self.clone() })),
            (other, _) => Err(ProvidedError::Unknown(other.to_owned())),
        }
    }

    fn all(&self) -> Vec<(String, Value)> {
        vec![("ask".into(), self.schema.clone())]
    }
}

impl ProvidedNode for Scripted {
    fn config_schema(&self) -> &Value {
        &self.schema
    }

    fn check(&self, _: &Value) -> Result<(), ProvidedError> {
        Ok(())
    }

    fn people(&self, config: &Value) -> Result<Meant, ProvidedError> {
        Ok(Meant { users: config["assignees"].clone(), roles: Vec::new() })
    }

    fn step(&self, config: &Value, progress: &Progress) -> Result<NextStep, ProvidedError> {
        if let Some(error) = self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            return Err(error);
        }
        let answers = progress.tasks.iter().filter(|task| task.action.is_some()).count();
        if answers > 0 {
            let (status, job, result) = (ApprovalStatus::Approved, JobStatus::Resolved, json!({"answers": answers}));
            return Ok(NextStep::End { status, job, result, branch: None });
        }
        let users = if config["nobody"] == true { Vec::new() } else { progress.people.clone() };
        let actions = vec!["approve".to_owned(), "delegate".to_owned()];
        let (title, description, form) = ("t".to_owned(), String::new(), Map::new());
        let ask = vec![Asked { users, round: 1, title, description, form, actions, decisive: (1, 0) }];
        Ok(NextStep::Wait { status: ApprovalStatus::Pending, close: false, ask })
    }
}

struct Waiting {
    harness: Harness,
    scripted: Scripted,
    execution: store::ExecutionId,
}

impl Waiting {
    /// An execution that waits for one user.
    async fn start() -> Self {
        let scripted = Scripted::default();
        let harness = Harness::with_nodes(Arc::new(scripted.clone())).await;
        let workflow =
            harness.workflow(vec![node("ask", json!({"assignees": "{{$context.user.id}}"})), log("after")]).await;
        let user = harness.user(json!({})).await;
        let outcome = harness.run(&workflow, json!({"user": {"id": user}})).await;
        assert_eq!(outcome.status, ExecutionStatus::Started, "{:?}", harness.jobs(outcome.id).await);
        Self { harness, scripted, execution: outcome.id }
    }

    async fn task(&self) -> Task {
        let job = self.harness.jobs(self.execution).await[0].id;
        self.harness.store.read().await.unwrap().tasks_of_job(job).await.unwrap().remove(0)
    }

    async fn answer(&self) -> Result<(), EngineError> {
        let task = self.task().await;
        self.harness.engine.submit_task(task.user_id, task.id, "approve".into(), Submission::default()).await
    }

    async fn status(&self) -> ApprovalStatus {
        let job = self.harness.jobs(self.execution).await[0].id;
        self.harness.store.read().await.unwrap().approval_of_job(job).await.unwrap().unwrap().status
    }
}

#[test_database::test]
async fn an_answer_that_cannot_be_judged_is_not_taken_and_can_be_given_again() {
    let waiting = Waiting::start().await;
    for (error, want) in [
        (ProvidedError::Fault("panicked".into()), "a node type is at fault: panicked"),
        (ProvidedError::Unavailable("away".into()), "away"),
        (ProvidedError::Refused("not so".into()), "not so"),
    ] {
        waiting.scripted.fail(Some(error));
        let refused = waiting.answer().await.unwrap_err();
        assert_eq!(refused.to_string(), want);
        assert_eq!(waiting.task().await.status, TaskStatus::Pending);
        assert_eq!(waiting.status().await, ApprovalStatus::Pending);
    }
    waiting.scripted.fail(None);
    waiting.answer().await.unwrap();
    waiting.harness.until(waiting.execution, ExecutionStatus::Resolved).await;
    assert_eq!(waiting.harness.jobs(waiting.execution).await[0].result, json!({"answers": 1}));
    assert_eq!(waiting.status().await, ApprovalStatus::Approved);
    assert_eq!(waiting.harness.logs().await, ["after"]);
}

#[test_database::test]
async fn a_node_that_cannot_begin_ends_in_error() {
    let scripted = Scripted::default();
    let harness = Harness::with_nodes(Arc::new(scripted.clone())).await;
    let user = harness.user(json!({})).await;
    let begins = async |config: Value, error: Option<ProvidedError>| {
        let workflow = harness.workflow(vec![node("ask", config)]).await;
        scripted.fail(error);
        let outcome = harness.run(&workflow, json!({})).await;
        scripted.fail(None);
        let job = harness.jobs(outcome.id).await.remove(0);
        assert_eq!((outcome.status, job.status), (ExecutionStatus::Error, JobStatus::Error));
        job.result["message"].as_str().unwrap_or_default().to_owned()
    };
    let one = json!({"assignees": user});
    assert_eq!(begins(one.clone(), Some(ProvidedError::Fault("panicked".into()))).await, "panicked");
    assert_eq!(begins(one, Some(ProvidedError::Unavailable("away".into()))).await, "away");
    let nobody = begins(json!({"assignees": user, "nobody": true}), None).await;
    assert_eq!(nobody, "the node waits, and nobody is asked");
    assert_eq!(begins(json!({"assignees": 987_654}), None).await, "there is no user with the id 987654");
    let refused = harness.engine.check_node("nosuch", &json!({})).unwrap_err();
    assert_eq!(refused.to_string(), "Node type \"nosuch\" is not registered");
    assert_eq!(harness.engine.check_node("ask", &json!({})).unwrap_err().to_string(), "\"assignees\" is required");
}

#[test_database::test]
async fn an_approval_is_closed_with_its_execution() {
    let waiting = Waiting::start().await;
    waiting.harness.engine.cancel(waiting.execution).await.unwrap();
    assert_eq!(waiting.status().await, ApprovalStatus::Closed);
    let refused = waiting.answer().await.unwrap_err();
    assert!(matches!(refused, EngineError::Store(StoreError::IllegalMove { .. })), "{refused}");
}
