//! Node types of others: what the engine makes of their steps, and of their failures.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value, json};
use store::{ApprovalStatus, ExecutionStatus, JobStatus, StoreError, Submission, Task, TaskStatus};
use workflow::{
    EngineError,
    provided::{Asked, Meant, NextStep, Progress, ProvidedError, ProvidedNode, ProvidedNodes},
};

use crate::harness::{Harness, log, node};

/// The node type `ask`, which ends with the first answer, and fails when a test, or its configuration, says so.
#[derive(Clone, Default)]
pub(crate) struct Scripted {
    failure: Arc<Mutex<Option<ProvidedError>>>,
    schema: Value,
}

impl Scripted {
    fn fail(&self, error: Option<ProvidedError>) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }
}

/// Which nonsense a configuration wants at a moment: `beginning` or `answer`.
fn nonsense<'c>(config: &'c Value, moment: &str) -> &'c str {
    config[moment].as_str().unwrap_or_default()
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
        assert!(nonsense(config, "beginning") != "panic over people", "no people");
        Ok(Meant { users: config["assignees"].clone(), roles: Vec::new() })
    }

    fn step(&self, config: &Value, progress: &Progress) -> Result<NextStep, ProvidedError> {
        if let Some(error) = self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            return Err(error);
        }
        let answers = progress.tasks.iter().filter(|task| task.action.is_some()).count();
        let nonsense = nonsense(config, if answers > 0 { "answer" } else { "beginning" });
        assert!(nonsense != "panic", "no step");
        if nonsense == "no object" || answers > 0 && nonsense.is_empty() {
            let result = if nonsense.is_empty() { json!({"answers": answers}) } else { json!([1]) };
            let (status, job, branch) = (ApprovalStatus::Approved, JobStatus::Resolved, None);
            return Ok(NextStep::End { status, job, result, branch });
        }
        let users = match nonsense {
            "nobody" => Vec::new(),
            "a stranger" => vec![store::UserId(987_654)],
            _ => progress.people.clone(),
        };
        let actions = if nonsense == "no answers" { &[][..] } else { &["approve", "delegate"][..] };
        let actions = actions.iter().map(|&action| action.to_owned()).collect();
        let form = if nonsense == "no form" { Map::from_iter([("type".into(), json!(7))]) } else { Map::new() };
        let (title, description) = ("t".to_owned(), String::new());
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
        Self::start_with(json!({})).await
    }

    /// One whose node is configured so besides.
    async fn start_with(mut config: Value) -> Self {
        config["assignees"] = json!("{{$context.user.id}}");
        let scripted = Scripted::default();
        let harness = Harness::with_nodes(Arc::new(scripted.clone())).await;
        let workflow = harness.workflow(vec![node("ask", config), log("after")]).await;
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
    assert_eq!(begins(json!({"assignees": 987_654}), None).await, "there is no user with the id 987654");
    for (nonsense, want) in NONSENSE {
        let told = begins(json!({"assignees": user, "beginning": nonsense}), None).await;
        assert!(told.starts_with(want), "{nonsense}: {told}");
    }
    let told = begins(json!({"assignees": user, "beginning": "panic over people"}), None).await;
    assert_eq!(told, BROKEN_DOWN);
    assert_eq!(harness.records("workflowTasks").await.len(), 0, "nobody was asked anything");
    let refused = harness.engine.check_node("nosuch", &json!({})).unwrap_err();
    assert_eq!(refused.to_string(), "Node type \"nosuch\" is not registered");
    assert_eq!(harness.engine.check_node("ask", &json!({})).unwrap_err().to_string(), "\"assignees\" is required");
}

/// What a panic is to everybody.
const BROKEN_DOWN: &str = "the node broke down; the server's log says why";

/// Steps that make no sense, with what is told of them.
const NONSENSE: [(&str, &str); 6] = [
    ("panic", BROKEN_DOWN),
    ("nobody", "the node waits, and nobody is asked"),
    ("a stranger", "there is no user with the id 987654"),
    ("no answers", "the node gives a task that cannot be answered"),
    ("no form", "\"form\" is no JSON Schema: "),
    ("no object", "the node ends with a result that is no object"),
];

#[test_database::test]
async fn an_answer_to_nonsense_is_not_taken_and_the_others_go_on() {
    for (nonsense, want) in NONSENSE {
        let waiting = Waiting::start_with(json!({"answer": nonsense})).await;
        let told = waiting.answer().await.unwrap_err();
        assert!(matches!(told, EngineError::Fault(_)), "{nonsense}: {told:?}");
        assert!(told.to_string().contains(want), "{nonsense}: {told}");
        assert_eq!(waiting.task().await.status, TaskStatus::Pending, "{nonsense}");
        assert_eq!(waiting.status().await, ApprovalStatus::Pending, "{nonsense}");
        assert_eq!(waiting.harness.status(waiting.execution).await, ExecutionStatus::Started, "{nonsense}");
        let other = waiting.harness.workflow(vec![log("other")]).await;
        assert_eq!(waiting.harness.run(&other, json!({})).await.status, ExecutionStatus::Resolved, "{nonsense}");
    }
}

#[test_database::test]
async fn an_approval_is_closed_with_its_execution() {
    let waiting = Waiting::start().await;
    waiting.harness.engine.cancel(waiting.execution).await.unwrap();
    assert_eq!(waiting.status().await, ApprovalStatus::Closed);
    let refused = waiting.answer().await.unwrap_err();
    assert!(matches!(refused, EngineError::Store(StoreError::IllegalMove { .. })), "{refused}");
}
