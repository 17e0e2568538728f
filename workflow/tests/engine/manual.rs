//! `manual`: what people are asked, what they decide, and what becomes of the execution.

use serde_json::{Value, json};
use store::{
    ExecutionId, ExecutionStatus, JobStatus, Quorum, StoreError, Submission, Task, TaskId, TaskStatus, UserId,
};
use workflow::EngineError;

use crate::harness::{Harness, log, node, object};

/// An execution that waits for people.
struct Waiting {
    execution: ExecutionId,
    tasks: Vec<Task>,
}

impl Harness {
    async fn tasks(&self, execution: ExecutionId) -> Vec<Task> {
        let mut conn = self.store.read().await.unwrap();
        let job = conn.jobs(execution).await.unwrap()[0].id;
        conn.tasks_of_job(job).await.unwrap()
    }

    /// Runs a manual node for users 1 to `people`, and a node behind it.
    async fn ask(&self, people: usize, config: Value) -> Waiting {
        let mut whole = object(json!({"assignees": "{{$context.people}}", "title": "Approve {{$context.data.title}}"}));
        whole.extend(object(config));
        let workflow = self.workflow(vec![node("manual", Value::Object(whole)), log("after")]).await;
        let mut ids = Vec::new();
        for _ in 0..people {
            ids.push(self.user(json!({})).await);
        }
        let outcome = self.run(&workflow, json!({"people": ids, "data": {"title": "a projector"}})).await;
        assert_eq!(outcome.status, ExecutionStatus::Started, "{:?}", self.jobs(outcome.id).await);
        Waiting { execution: outcome.id, tasks: self.tasks(outcome.id).await }
    }

    async fn decide(&self, task: &Task, action: &str, values: Value) -> Result<(), EngineError> {
        let submission = Submission { values: object(values), comment: Some(format!("I {action}")) };
        self.engine.submit_task(task.user_id, task.id, action.to_owned(), submission).await
    }

    async fn task_statuses(&self, execution: ExecutionId) -> Vec<TaskStatus> {
        self.tasks(execution).await.iter().map(|task| task.status).collect()
    }
}

#[track_caller]
fn refused(result: Result<(), EngineError>, code: &str, message: &str) {
    match result {
        Err(EngineError::Store(StoreError::Invalid { code: got, message: said })) => {
            assert_eq!((got, said.as_str()), (code, message));
        }
        other => panic!("{other:?}"),
    }
}

#[test_database::test]
async fn the_first_of_several_decides() {
    let harness = Harness::new().await;
    let asked = harness.ask(2, json!({"description": "for {{$context.data.title}}"})).await;
    assert_eq!(asked.tasks.len(), 2);
    assert_eq!(asked.tasks[0].quorum, Quorum { approvals: 1, rejections: 1 });
    let rows = harness.records("workflowTasks").await;
    assert_eq!(
        (&rows[0]["title"], &rows[0]["description"]),
        (&json!("Approve a projector"), &json!("for a projector"))
    );
    assert_eq!(rows[0]["actions"], json!(["approve", "reject"]));

    harness.decide(&asked.tasks[1], "approve", json!({"budget": 7})).await.unwrap();
    harness.until(asked.execution, ExecutionStatus::Resolved).await;
    assert_eq!(harness.task_statuses(asked.execution).await, [TaskStatus::Closed, TaskStatus::Approved]);
    assert_eq!(harness.logs().await, ["after"]);
    let job = &harness.jobs(asked.execution).await[0];
    assert_eq!((&job.result["action"], &job.result["values"]), (&json!("approve"), &json!({"budget": 7})));
    let decision = &job.result["decisions"][0];
    assert_eq!(decision["userId"], json!(asked.tasks[1].user_id));
    assert_eq!(decision["comment"], "I approve");
}

#[test_database::test]
async fn all_have_to_approve_and_one_can_reject() {
    let harness = Harness::new().await;
    let asked = harness.ask(3, json!({"mode": "all"})).await;
    for (number, task) in asked.tasks.iter().enumerate() {
        assert_eq!(harness.status(asked.execution).await, ExecutionStatus::Started);
        harness.decide(task, "approve", json!({"last": number})).await.unwrap();
    }
    harness.until(asked.execution, ExecutionStatus::Resolved).await;
    assert_eq!(harness.jobs(asked.execution).await[0].result["values"], json!({"last": 2}));

    let asked = harness.ask(3, json!({"mode": "all"})).await;
    harness.decide(&asked.tasks[0], "approve", json!({})).await.unwrap();
    harness.decide(&asked.tasks[1], "reject", json!({"why": "too dear"})).await.unwrap();
    harness.until(asked.execution, ExecutionStatus::Rejected).await;
    let job = &harness.jobs(asked.execution).await[0];
    assert_eq!((job.status, &job.result["values"]), (JobStatus::Rejected, &json!({"why": "too dear"})));
    assert_eq!(
        harness.task_statuses(asked.execution).await,
        [TaskStatus::Approved, TaskStatus::Rejected, TaskStatus::Closed]
    );
    assert_eq!(harness.logs().await, ["after"]);
}

#[test_database::test]
async fn a_share_decides() {
    let harness = Harness::new().await;
    let asked = harness.ask(4, json!({"mode": "share", "percent": 50})).await;
    assert_eq!(asked.tasks[0].quorum, Quorum { approvals: 2, rejections: 3 });
    for (task, action) in asked.tasks.iter().zip(["reject", "approve", "reject", "approve"]) {
        assert_eq!(harness.status(asked.execution).await, ExecutionStatus::Started);
        harness.decide(task, action, json!({})).await.unwrap();
    }
    harness.until(asked.execution, ExecutionStatus::Resolved).await;
    let decisions = &harness.jobs(asked.execution).await[0].result["decisions"];
    assert_eq!(decisions.as_array().map(Vec::len), Some(4));
}

#[test_database::test]
async fn a_rejection_may_let_the_execution_go_on() {
    let harness = Harness::new().await;
    let asked = harness.ask(1, json!({"onReject": "continue"})).await;
    harness.decide(&asked.tasks[0], "reject", json!({})).await.unwrap();
    harness.until(asked.execution, ExecutionStatus::Resolved).await;
    assert_eq!(harness.jobs(asked.execution).await[0].result["action"], "reject");
    assert_eq!(harness.logs().await, ["after"]);
}

#[test_database::test]
async fn those_who_decide_at_the_same_time_are_counted_once_each() {
    let harness = Harness::new().await;
    let asked = harness.ask(3, json!({"mode": "all"})).await;
    let decide = |index: usize| harness.decide(&asked.tasks[index], "approve", json!({}));
    let decided = tokio::join!(decide(0), decide(1), decide(2), decide(0));
    decided.1.unwrap();
    decided.2.unwrap();
    assert!(decided.0.is_ok() != decided.3.is_ok());
    harness.until(asked.execution, ExecutionStatus::Resolved).await;
    assert_eq!(harness.task_statuses(asked.execution).await, [TaskStatus::Approved; 3]);
}

#[test_database::test]
async fn values_have_to_fit_the_form() {
    let harness = Harness::new().await;
    let form = json!({"type": "object", "required": ["budget"], "properties": {
        "budget": {"type": "number", "maximum": "{{$context.most}}"}, "note": {"type": "string", "maxLength": 3}}});
    let fixed = json!({"type": "object", "required": ["budget"], "properties": {
        "budget": {"type": "number", "maximum": 100}, "note": {"type": "string", "maxLength": 3}}});
    harness.engine.check_node("manual", &json!({"assignees": 1, "title": "t", "form": form})).unwrap();
    let asked = harness.ask(1, json!({"form": fixed})).await;
    let task = &asked.tasks[0];
    for (values, message) in [
        (json!({}), "\"budget\" is required"),
        (json!({"budget": "7"}), "\"budget\" must be a number"),
        (json!({"budget": 101}), "\"budget\" must be at most 100"),
        (json!({"budget": 7, "note": "long"}), "\"note\" must have at most 3 characters"),
    ] {
        refused(harness.decide(task, "approve", values).await, "INVALID_VALUE", message);
    }
    assert_eq!(harness.tasks(asked.execution).await, asked.tasks);
    harness.decide(task, "approve", json!({"budget": 7, "note": "ok"})).await.unwrap();
    harness.until(asked.execution, ExecutionStatus::Resolved).await;

    // A rejection needs no values.
    let asked = harness.ask(1, json!({"form": fixed})).await;
    harness.decide(&asked.tasks[0], "reject", json!({})).await.unwrap();
    harness.until(asked.execution, ExecutionStatus::Rejected).await;
}

#[test_database::test]
async fn a_decision_is_taken_once_and_by_the_assignee() {
    let harness = Harness::new().await;
    let asked = harness.ask(2, json!({"mode": "all", "actions": ["approve"]})).await;
    let [first, second] = asked.tasks.as_slice() else { panic!("{:?}", asked.tasks) };
    refused(
        harness.decide(first, "reject", json!({})).await,
        "UNKNOWN_TASK_ACTION",
        "\"action\" must be one of [\"approve\"]",
    );
    let others = Task { user_id: second.user_id, ..first.clone() };
    let unknown = Task { id: TaskId(99), ..first.clone() };
    for task in [others, unknown] {
        let error = harness.decide(&task, "approve", json!({})).await.unwrap_err();
        assert!(matches!(error, EngineError::Store(StoreError::NotFound { .. })), "{error:?}");
        let error = harness.engine.save_task_draft(task.user_id, task.id, Submission::default()).await.unwrap_err();
        assert!(matches!(error, EngineError::Store(StoreError::NotFound { .. })), "{error:?}");
    }
    harness.decide(first, "approve", json!({})).await.unwrap();
    let again = harness.decide(first, "approve", json!({})).await.unwrap_err();
    assert_eq!(again.to_string(), "task cannot go from approved to approved");
    assert_eq!(harness.status(asked.execution).await, ExecutionStatus::Started);
}

#[test_database::test]
async fn a_draft_is_kept_and_decides_nothing() {
    let harness = Harness::new().await;
    let form = json!({"type": "object", "required": ["budget"]});
    let asked = harness.ask(1, json!({"form": form})).await;
    let draft = Submission { values: object(json!({"note": "half"})), comment: Some("later".into()) };
    harness.engine.save_task_draft(asked.tasks[0].user_id, asked.tasks[0].id, draft.clone()).await.unwrap();
    let task = harness.tasks(asked.execution).await.remove(0);
    assert_eq!(
        (task.status, task.values, task.comment),
        (TaskStatus::Pending, draft.values.clone(), draft.comment.clone())
    );
    harness.engine.cancel(asked.execution).await.unwrap();
    let closed = harness.engine.save_task_draft(task.user_id, task.id, draft).await.unwrap_err();
    assert!(matches!(closed, EngineError::Store(StoreError::IllegalMove { .. })), "{closed:?}");
}

#[test_database::test]
async fn whoever_ends_the_execution_closes_its_tasks() {
    let harness = Harness::new().await;
    let canceled = harness.ask(2, json!({})).await;
    harness.engine.cancel(canceled.execution).await.unwrap();
    assert_eq!(harness.task_statuses(canceled.execution).await, [TaskStatus::Closed; 2]);
    let late = harness.decide(&canceled.tasks[0], "approve", json!({})).await.unwrap_err();
    assert_eq!(late.to_string(), "task cannot go from closed to approved");

    let user = harness.user(json!({})).await;
    let asking = node("manual", json!({"assignees": user, "title": "t"}));
    let (workflow, _) = harness.workflow_with(json!({"timeout": 30}), vec![asking]).await;
    let timed_out = harness.run(&workflow, json!({})).await.id;
    harness.until(timed_out, ExecutionStatus::Aborted).await;
    assert_eq!(harness.task_statuses(timed_out).await, [TaskStatus::Closed]);

    // An administrator ends the job itself.
    let resumed = harness.ask(1, json!({})).await;
    let job = harness.jobs(resumed.execution).await[0].id;
    harness.engine.resume_job(job, JobStatus::Resolved, json!("done")).await.unwrap();
    harness.until(resumed.execution, ExecutionStatus::Resolved).await;
    assert_eq!(harness.task_statuses(resumed.execution).await, [TaskStatus::Closed]);
}

#[test_database::test]
async fn a_restart_keeps_what_was_asked_and_decided() {
    let mut harness = Harness::new().await;
    let asked = harness.ask(2, json!({"mode": "all"})).await;
    harness.decide(&asked.tasks[0], "approve", json!({"one": 1})).await.unwrap();
    harness.restart().await;
    harness.idle().await;
    assert_eq!(harness.task_statuses(asked.execution).await, [TaskStatus::Approved, TaskStatus::Pending]);
    harness.decide(&asked.tasks[1], "approve", json!({"two": 2})).await.unwrap();
    harness.until(asked.execution, ExecutionStatus::Resolved).await;
    assert_eq!(harness.jobs(asked.execution).await[0].result["values"], json!({"one": 1, "two": 2}));
    assert_eq!(harness.logs().await, ["after"]);
}

#[test_database::test]
async fn people_are_found_by_id_record_and_role() {
    let harness = Harness::new().await;
    harness.role("boss").await;
    let one = harness.user(json!({})).await;
    let boss = harness.user(json!({"roles": ["boss"]})).await;
    let asking = json!({"title": "t", "roles": ["boss"], "assignees": ["{{$context.data.author}}", one]});
    let workflow = harness.workflow(vec![node("manual", asking)]).await;
    let id = harness.run(&workflow, json!({"data": {"author": {"id": one, "nickname": "x"}}})).await.id;
    let users: Vec<UserId> = harness.tasks(id).await.iter().map(|task| task.user_id).collect();
    assert_eq!(users, [UserId(one), UserId(boss)]);
}

#[test_database::test]
async fn a_task_for_nobody_is_an_error() {
    let harness = Harness::new().await;
    harness.role("empty").await;
    for (config, message) in [
        (json!({"assignees": "{{$context.data.nobody}}"}), "there is nobody to give it to: no user is named"),
        (json!({"roles": ["empty"]}), "there is nobody to give it to: no user is named"),
        (json!({"assignees": 99}), "there is no user with the id 99"),
        (json!({"roles": ["nosuch"]}), "there is no role \"nosuch\""),
        (json!({"assignees": "{{$context.data.title}}"}), "\"a projector\" is no id of a user"),
        (
            json!({"assignees": 1, "form": {"type": "{{$context.data.title}}"}}),
            "\"form\" is no JSON Schema: \"a projector\" is not valid under any of the schemas listed in the 'anyOf' keyword",
        ),
    ] {
        let mut whole = object(json!({"title": "t"}));
        whole.extend(object(config.clone()));
        let asking = node("manual", Value::Object(whole));
        let (execution, job, result) = harness.run_node(asking, json!({"data": {"title": "a projector"}})).await;
        assert_eq!((execution, job), (ExecutionStatus::Error, JobStatus::Error), "{config}");
        assert_eq!(result["message"], message, "{config}");
    }
    assert_eq!(harness.records("workflowTasks").await, Vec::<Value>::new());
}

#[test_database::test]
async fn tasks_in_parallel_branches_hold_up_only_their_own() {
    use crate::harness::Place;
    let harness = Harness::new().await;
    let user = harness.user(json!({})).await;
    let asking = |title: &str| node("manual", json!({"assignees": user, "title": title}));
    let workflow = harness
        .workflow(vec![
            node("parallel", json!({})),
            asking("one").at(Place::Branch(0, 1)),
            log("one"),
            asking("two").at(Place::Branch(0, 2)),
            log("two"),
        ])
        .await;
    let id = harness.run(&workflow, json!({})).await.id;
    let mut conn = harness.store.read().await.unwrap();
    let mut tasks = Vec::new();
    for job in conn.jobs(id).await.unwrap() {
        tasks.extend(conn.tasks_of_job(job.id).await.unwrap());
    }
    drop(conn);
    harness.decide(&tasks[1], "approve", json!({})).await.unwrap();
    harness.until_so(|| async { harness.logs().await == ["two"] }).await;
    harness.decide(&tasks[0], "approve", json!({})).await.unwrap();
    harness.until(id, ExecutionStatus::Resolved).await;
    assert_eq!(harness.logs().await, ["two", "one"]);
}
