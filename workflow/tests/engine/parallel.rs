//! Branches that run at the same time.

use serde_json::{Value, json};
use store::{ExecutionId, ExecutionStatus, Job, JobStatus, NodeRow, WorkflowRow};

use crate::harness::{Harness, Node, Place, log, node};

/// A parallel node with these branches, and a log behind it.
async fn parallel(harness: &Harness, mode: &str, branches: Vec<Vec<Node>>) -> (WorkflowRow, Vec<NodeRow>) {
    let mut nodes = vec![node("parallel", json!({"mode": mode}))];
    for (branch, inner) in (1..).zip(branches) {
        for (number, node) in inner.into_iter().enumerate() {
            nodes.push(node.at(if number == 0 { Place::Branch(0, branch) } else { Place::Next }));
        }
    }
    nodes.push(log("after").at(Place::Behind(0)));
    harness.workflow_with(json!({}), nodes).await
}

fn for_long() -> Node {
    node("delay", json!({"unit": 60_000, "duration": 10}))
}

fn for_short() -> Node {
    node("delay", json!({"duration": 5}))
}

fn fails() -> Node {
    node("condition", json!({"engine": "cel", "expression": "false"}))
}

fn value(text: &str) -> Node {
    node("calculation", json!({"expression": text}))
}

async fn pending(harness: &Harness, id: ExecutionId) -> Vec<Job> {
    let jobs = harness.jobs(id).await;
    jobs.into_iter().filter(|job| job.status == JobStatus::Pending).collect()
}

/// The statuses and results of the branches.
fn branches(jobs: &[Job]) -> Vec<(Value, Value)> {
    let outcomes = jobs[0].result["branches"].as_array().expect("outcomes");
    outcomes.iter().map(|outcome| (outcome["status"].clone(), outcome["result"].clone())).collect()
}

#[test_database::test]
async fn branches_wait_at_the_same_time() {
    let harness = Harness::new().await;
    let (workflow, _) =
        parallel(&harness, "all", vec![vec![log("a"), for_long()], vec![log("b"), for_long()], vec![log("c")]]).await;
    let outcome = harness.run(&workflow, json!({})).await;
    assert_eq!(outcome.status, ExecutionStatus::Started);
    let waiting = pending(&harness, outcome.id).await;
    assert_eq!(waiting.iter().filter(|job| job.due_at_ms.is_some()).count(), 2, "{waiting:?}");
    let mut logs = harness.logs().await;
    logs.sort_unstable();
    assert_eq!(logs, ["a", "b", "c"]);
}

#[test_database::test]
async fn all_end_well_or_the_first_failure_ends_them() {
    let harness = Harness::new().await;
    let (workflow, _) =
        parallel(&harness, "all", vec![vec![value("1"), value("2")], vec![for_short(), value("3")]]).await;
    let id = harness.trigger(&workflow, json!({})).await;
    harness.until(id, ExecutionStatus::Resolved).await;
    let jobs = harness.jobs(id).await;
    assert_eq!(branches(&jobs), [(json!(1), json!(2)), (json!(1), json!(3))]);
    assert_eq!(harness.logs().await, ["after"]);

    let (workflow, _) = parallel(&harness, "all", vec![vec![for_long()], vec![fails()]]).await;
    let outcome = harness.run(&workflow, json!({})).await;
    assert_eq!(outcome.status, ExecutionStatus::Failed);
    let jobs = harness.jobs(outcome.id).await;
    assert_eq!(branches(&jobs), [(json!(-4), Value::Null), (json!(-1), json!(false))]);
    // Where branches run beside each other, it may have failed before the delay began.
    for delay in jobs.iter().filter(|job| job.due_at_ms.is_some()) {
        assert_eq!(delay.status, JobStatus::Canceled);
    }
    assert_eq!(harness.logs().await, ["after"]);
}

#[test_database::test]
async fn any_takes_the_first_that_is_through() {
    let harness = Harness::new().await;
    let (workflow, _) = parallel(&harness, "any", vec![vec![for_long()], vec![fails()], vec![value("7")]]).await;
    let outcome = harness.run(&workflow, json!({})).await;
    assert_eq!(outcome.status, ExecutionStatus::Resolved);
    let outcomes = branches(&harness.jobs(outcome.id).await);
    assert_eq!((&outcomes[0].0, &outcomes[2]), (&json!(-4), &(json!(1), json!(7))));

    let (workflow, _) = parallel(&harness, "any", vec![vec![fails()], vec![fails()]]).await;
    assert_eq!(harness.run(&workflow, json!({})).await.status, ExecutionStatus::Failed);
}

#[test_database::test]
async fn a_race_ends_like_the_first_that_is_over() {
    let harness = Harness::new().await;
    for (first, status) in [(fails(), ExecutionStatus::Failed), (value("7"), ExecutionStatus::Resolved)] {
        let (workflow, _) = parallel(&harness, "race", vec![vec![for_long(), log("never")], vec![first]]).await;
        let outcome = harness.run(&workflow, json!({})).await;
        assert_eq!(outcome.status, status);
        assert_eq!(pending(&harness, outcome.id).await, []);
    }
    assert_eq!(harness.logs().await, ["after"]);
}

#[test_database::test]
async fn all_settled_lists_failures_and_goes_on() {
    let harness = Harness::new().await;
    let (workflow, _) =
        parallel(&harness, "allSettled", vec![vec![fails()], vec![value("1 / 0")], vec![for_short(), value("3")]])
            .await;
    let id = harness.trigger(&workflow, json!({})).await;
    harness.until(id, ExecutionStatus::Resolved).await;
    let statuses: Vec<Value> = branches(&harness.jobs(id).await).into_iter().map(|(status, _)| status).collect();
    assert_eq!(statuses, [-1, -2, 1]);
    assert_eq!(harness.logs().await, ["after"]);
}

#[test_database::test]
async fn an_end_in_a_branch_ends_the_execution() {
    let harness = Harness::new().await;
    let (workflow, _) = parallel(
        &harness,
        "allSettled",
        vec![vec![for_long()], vec![node("end", json!({"endStatus": -1})), log("never")]],
    )
    .await;
    let outcome = harness.run(&workflow, json!({})).await;
    assert_eq!((outcome.status, outcome.ended_by_node), (ExecutionStatus::Failed, true));
    let jobs = harness.jobs(outcome.id).await;
    assert_eq!(jobs[0].status, JobStatus::Failed);
    assert!(jobs.iter().all(|job| job.status != JobStatus::Pending));
    assert_eq!(harness.logs().await.len(), 0);
}

#[test_database::test]
async fn messages_come_in_the_order_of_the_branches() {
    let harness = Harness::new().await;
    let say = |text: &str| node("response-message", json!({"message": text}));
    let (workflow, _) = parallel(
        &harness,
        "all",
        vec![vec![log("slow"), log("slower"), say("first"), say("second")], vec![say("third")]],
    )
    .await;
    let outcome = harness.run(&workflow, json!({})).await;
    assert_eq!(outcome.messages, ["first", "second", "third"]);
}

#[test_database::test]
async fn branches_that_wait_go_on_by_themselves_and_nothing_is_repeated() {
    let mut harness = Harness::new().await;
    let branch = |name: &str| {
        vec![log(&format!("{name}1")), for_short(), log(&format!("{name}2")), for_short(), log(&format!("{name}3"))]
    };
    let (workflow, _) = parallel(&harness, "all", vec![branch("a"), branch("b"), branch("c")]).await;
    let ids = [harness.trigger(&workflow, json!({})).await, harness.trigger(&workflow, json!({})).await];
    for seen in [2, 7, 12] {
        harness.until_so(|| async { harness.logs().await.len() >= seen }).await;
        harness.restart().await;
    }
    for id in ids {
        harness.until(id, ExecutionStatus::Resolved).await;
        assert_eq!(harness.jobs(id).await.len(), 1 + 3 * 5 + 1);
    }
    let mut logs = harness.logs().await;
    logs.sort_unstable();
    assert_eq!(
        logs,
        [
            "a1", "a1", "a2", "a2", "a3", "a3", "after", "after", "b1", "b1", "b2", "b2", "b3", "b3", "c1", "c1", "c2",
            "c2", "c3", "c3"
        ]
    );
}

#[test_database::test]
async fn what_branches_worked_out_is_known_behind_them() {
    let harness = Harness::new().await;
    let (workflow, rows) = parallel(&harness, "all", vec![vec![value("20"), for_short()], vec![value("3")]]).await;
    let sum = format!("{{{{$jobsMapByNodeKey.{}}}}} + {{{{$jobsMapByNodeKey.{}}}}}", rows[1].key, rows[3].key);
    let (id, last) = (workflow.id, rows[4].id);
    harness
        .write(move |tx| {
            Box::pin(async move {
                let node = store::workflows::NewNode {
                    node_type: "calculation".into(),
                    title: None,
                    config: json!({"expression": sum}),
                    upstream_id: Some(last),
                    branch_index: None,
                };
                tx.create_node(id, node).await.map(drop)
            })
        })
        .await;
    let id = harness.trigger(&workflow, json!({})).await;
    harness.until(id, ExecutionStatus::Resolved).await;
    assert_eq!(harness.jobs(id).await.last().expect("the sum").result, json!(23));
}

/// A branch that works for hundreds of transactions.
fn busy() -> Vec<Node> {
    vec![node("loop", json!({"target": 300})), log("busy").at(Place::Branch(1, 0))]
}

/// Runs a busy branch beside this one, and answers how much of the work was still to be done when the other was through.
async fn beside_work(harness: &Harness, other: Vec<Node>, meanwhile: impl AsyncFn(ExecutionId)) -> usize {
    let mut nodes = vec![node("parallel", json!({})), busy().remove(0).at(Place::Branch(0, 1)), busy().remove(1)];
    for (number, inner) in other.into_iter().enumerate() {
        nodes.push(inner.at(if number == 0 { Place::Branch(0, 2) } else { Place::Next }));
    }
    let (workflow, _) = harness.workflow_with(json!({}), nodes).await;
    let id = harness.trigger(&workflow, json!({})).await;
    meanwhile(id).await;
    harness.until(id, ExecutionStatus::Resolved).await;
    let logs = harness.logs().await;
    assert_eq!(logs.len(), 301);
    300 - logs.iter().position(|tag| tag == "through").expect("the other branch ran")
}

#[test_database::test]
async fn a_delay_that_is_over_does_not_wait_for_the_other_branches() {
    let harness = Harness::new().await;
    let left = beside_work(&harness, vec![for_short(), log("through")], async |_| {}).await;
    assert!(left > 0, "it waited for all of them");
}

#[test_database::test]
async fn a_job_ended_from_outside_does_not_wait_for_the_other_branches() {
    let harness = Harness::new().await;
    let left = beside_work(&harness, vec![for_long(), log("through")], async |id| {
        let waiting = async || pending(&harness, id).await.into_iter().find(|job| job.due_at_ms.is_some());
        harness.until_so(|| async { waiting().await.is_some() }).await;
        let job = waiting().await.expect("the delay");
        harness.engine.resume_job(job.id, JobStatus::Resolved, json!("now")).await.unwrap();
    })
    .await;
    assert!(left > 0, "it waited for all of them");
}

#[test_database::test]
async fn a_branch_that_waits_for_outside_goes_on_after_a_restart() {
    let mut harness = Harness::new().await;
    let (workflow, _) =
        parallel(&harness, "all", vec![vec![log("a"), for_long(), log("b")], vec![log("c"), for_long()]]).await;
    let id = harness.run(&workflow, json!({})).await.id;
    for left in [2, 1] {
        harness.restart().await;
        let delays: Vec<Job> = pending(&harness, id).await.into_iter().filter(|job| job.due_at_ms.is_some()).collect();
        assert_eq!(delays.len(), left);
        harness.engine.resume_job(delays[0].id, JobStatus::Resolved, json!(null)).await.unwrap();
    }
    harness.until(id, ExecutionStatus::Resolved).await;
    let mut logs = harness.logs().await;
    logs.sort_unstable();
    assert_eq!(logs, ["a", "after", "b", "c"]);
}

/// Runs an ended execution again from a node on; answers what that has logged, in alphabetical order, and its jobs.
async fn logged_again(harness: &Harness, id: ExecutionId, from: &NodeRow) -> (Vec<String>, Vec<Job>) {
    let before = harness.logs().await.len();
    let again = harness.engine.rerun(id, from.id).await.unwrap();
    harness.until(again, ExecutionStatus::Resolved).await;
    let mut logs = harness.logs().await.split_off(before);
    logs.sort_unstable();
    (logs, harness.jobs(again).await)
}

#[test_database::test]
async fn a_run_from_a_node_in_a_branch_repeats_what_came_after_it() {
    let harness = Harness::new().await;
    let (workflow, rows) = parallel(&harness, "all", vec![vec![log("a"), for_short(), log("b")], vec![log("c")]]).await;
    let id = harness.trigger(&workflow, json!({})).await;
    harness.until(id, ExecutionStatus::Resolved).await;
    let jobs = harness.jobs(id).await;
    let done = branches(&jobs);
    // Branches whose transactions run beside each other come in any order.
    let place = |index: usize| jobs.iter().position(|job| job.node_id == rows[index].id);
    let logged = [("a", 1), ("after", 5), ("b", 3), ("c", 4)];
    for from in [0, 3, 4, 5] {
        let came_after = logged.iter().filter(|(_, index)| place(*index) >= place(from));
        let want: Vec<&str> = came_after.map(|(tag, _)| *tag).collect();
        let (logs, jobs) = logged_again(&harness, id, &rows[from]).await;
        assert_eq!(logs, want, "from {from}");
        assert_eq!(jobs.len(), 6, "from {from}");
        let statuses = |outcomes: Vec<(Value, Value)>| outcomes.into_iter().map(|it| it.0).collect::<Vec<_>>();
        assert_eq!(statuses(branches(&jobs)), statuses(done.clone()), "from {from}");
    }
}

#[test_database::test]
async fn a_run_from_a_node_in_a_loop_in_a_branch_goes_on_there() {
    let harness = Harness::new().await;
    let nodes = vec![
        node("parallel", json!({})),
        node("loop", json!({"target": 2})).at(Place::Branch(0, 1)),
        log("x").at(Place::Branch(1, 0)),
        log("y"),
        log("after").at(Place::Behind(0)),
    ];
    let (workflow, rows) = harness.workflow_with(json!({}), nodes).await;
    let id = harness.run(&workflow, json!({})).await.id;
    let (logs, jobs) = logged_again(&harness, id, &rows[3]).await;
    assert_eq!(logs, ["after", "x", "y", "y"]);
    assert_eq!(jobs.len(), 7);
    assert_eq!(jobs[1].result, json!({"looped": 2, "broken": false}));
}

#[test_database::test]
async fn a_run_from_behind_a_race_does_not_run_it_again() {
    let harness = Harness::new().await;
    let (workflow, rows) = parallel(&harness, "race", vec![vec![for_long(), log("never")], vec![log("won")]]).await;
    let id = harness.run(&workflow, json!({})).await.id;
    let (logs, jobs) = logged_again(&harness, id, &rows[4]).await;
    assert_eq!(logs, ["after"]);
    assert_eq!(jobs.len(), 3, "{jobs:?}");
    // From the branch that won: the one that lost may run again, and loses again.
    let (logs, jobs) = logged_again(&harness, id, &rows[3]).await;
    assert_eq!(logs, ["after", "won"]);
    assert!(jobs.iter().all(|job| job.status != JobStatus::Pending), "{jobs:?}");
}
