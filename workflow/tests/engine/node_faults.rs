//! Each node type, also one that others provide, fails at each of its steps, with an error and with a panic, wherever it stands in a
//! workflow.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::{Value, json};
use store::{ExecutionId, ExecutionStatus, JobStatus, Submission, TaskStatus, WorkflowRow};
use test_database::Database;
use workflow::{NodeFault, NodeFaults, NodeStep};

use crate::{
    harness::{Harness, Node, Place, log, node},
    provided::Scripted,
};

/// Strikes at one step of nodes of a type.
#[derive(Default)]
struct Nth(Mutex<Option<Armed>>);

struct Armed {
    node_type: String,
    /// Steps that are still let through.
    pass: u32,
    fault: NodeFault,
    /// The step that was not.
    struck: Option<NodeStep>,
}

impl Nth {
    fn arm(&self, node_type: &str, number: u32, fault: NodeFault) {
        let armed = Armed { node_type: node_type.to_owned(), pass: number, fault, struck: None };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(armed);
    }

    /// Says where it has struck.
    fn disarm(&self) -> Option<NodeStep> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().and_then(|armed| armed.struck)
    }
}

impl NodeFaults for Nth {
    fn strikes(&self, node_type: &str, step: NodeStep) -> Option<NodeFault> {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let armed = slot.as_mut().filter(|armed| armed.node_type == node_type && armed.struck.is_none())?;
        match armed.pass.checked_sub(1) {
            Some(left) => {
                armed.pass = left;
                None
            }
            None => {
                armed.struck = Some(step);
                Some(armed.fault)
            }
        }
    }
}

/// A configuration with which a node of a type is through, by itself or once its task is approved. A new type needs a line here.
fn sample(node_type: &str, child: &WorkflowRow, user: i64) -> Value {
    let some = json!({"filter": {"tag": "nosuch"}});
    match node_type {
        "ask" => json!({"assignees": user}),
        "aggregate" => json!({"aggregator": "count", "collection": "logs", "params": some}),
        "calculation" => json!({"expression": "1 + 1"}),
        "condition" => json!({"engine": "cel", "expression": "1 < 2"}),
        "create" => json!({"collection": "logs", "params": {"values": {"tag": "{{$context.mark}}:sample"}}}),
        "date-calculation" => json!({"steps": [{"function": "get", "unit": "year"}]}),
        "delay" => json!({"duration": 0}),
        "destroy" | "query" => json!({"collection": "logs", "params": some}),
        "end" => json!({"endStatus": 1}),
        "json-query" => json!({"source": {"a": 1}, "expression": ".a"}),
        "json-variable-mapping" => json!({"source": {"a": 1}, "variables": [{"path": "a", "name": "b"}]}),
        "loop" => json!({"target": 1}),
        "manual" => json!({"title": "Approve", "assignees": [user]}),
        "multi-conditions" => json!({"conditions": [{"engine": "cel", "expression": "1 < 2"}]}),
        "notification" => json!({"receivers": [user], "title": "done"}),
        "output" | "variable" => json!({"value": 1}),
        "parallel" => json!({}),
        // Nobody listens there, and the node goes on.
        "request" => json!({"url": "http://127.0.0.1:1/", "ignoreFail": true}),
        "response-message" => json!({"message": "done"}),
        "script" => json!({"content": "return 1"}),
        "sql" => json!({"sql": "SELECT count(*) AS number FROM logs"}),
        "subflow" => json!({"workflow": child.key}),
        "update" => json!({"collection": "logs", "params": {"filter": {"tag": "nosuch"}, "values": {"tag": "x"}}}),
        other => panic!("there is no sample of {other}"),
    }
}

fn step(name: &str) -> Node {
    log(&format!("{{{{$context.mark}}}}:{name}"))
}

/// Workflows with a node at their beginning, in a loop, in a branch beside a waiting one, and at their end.
fn surroundings(sample: impl Fn() -> Node) -> [Vec<Node>; 4] {
    let delay = || node("delay", json!({"duration": 0}));
    [
        vec![sample(), step("after")],
        vec![
            step("before"),
            node("loop", json!({"target": 2})),
            sample().at(Place::Branch(1, 0)),
            step("inside"),
            step("after").at(Place::Behind(1)),
        ],
        vec![
            step("before"),
            node("parallel", json!({})),
            sample().at(Place::Branch(1, 1)),
            step("inside"),
            step("beside").at(Place::Branch(1, 2)),
            delay(),
            step("beside"),
            step("after").at(Place::Behind(1)),
        ],
        vec![step("before"), delay(), sample()],
    ]
}

/// Approves what an execution asks people. A task may be closed, or fail, meanwhile: whoever waits asks again.
async fn approve_all(harness: &Harness, id: ExecutionId) {
    for job in harness.jobs(id).await.iter().filter(|job| job.status == JobStatus::Pending) {
        let tasks = harness.store.read().await.unwrap().tasks_of_job(job.id).await.unwrap();
        for task in tasks.iter().filter(|task| task.status == TaskStatus::Pending) {
            let _ =
                harness.engine.submit_task(task.user_id, task.id, "approve".to_owned(), Submission::default()).await;
        }
    }
}

/// Runs a workflow in which a step fails, and holds it to its promises. Says at which step, if there was one, and whether a job
/// tells of it.
async fn strike(
    harness: &Harness,
    faults: &Nth,
    workflow: &WorkflowRow,
    (node_type, number, fault): (&str, u32, NodeFault),
) -> Option<(NodeStep, bool)> {
    let mark = format!("{node_type}-{}-{number}-{fault:?}", workflow.id.0);
    faults.arm(node_type, number, fault);
    let id = harness.trigger(workflow, json!({"mark": mark})).await;
    harness
        .until_so(|| async {
            approve_all(harness, id).await;
            harness.status(id).await.is_final()
        })
        .await;
    let struck = faults.disarm();

    let jobs = harness.jobs(id).await;
    assert!(jobs.iter().all(|job| job.status != JobStatus::Pending), "{mark}: {jobs:?}");
    let places: HashSet<_> = jobs.iter().map(|job| (job.node_id, job.upstream_id, job.meta.to_string())).collect();
    assert_eq!(places.len(), jobs.len(), "{mark}: a node ran twice: {jobs:?}");
    let sentence = match fault {
        NodeFault::Error => "a failure on purpose",
        NodeFault::Panic => "the node broke down; the server's log says why",
    };
    let told = jobs.iter().filter(|job| job.status == JobStatus::Error && job.result["message"] == sentence).count();
    let surrounds = ["loop", "parallel"].contains(&node_type);
    let (failed, ends) = match struck {
        None => (0, ExecutionStatus::Resolved),
        // Those that surround others are asked once more when their job is recalled; what is stored by then stands.
        Some(NodeStep::Run) if surrounds && told == 0 => (0, ExecutionStatus::Resolved),
        // An answer that cannot be judged is not taken, and is given again.
        Some(NodeStep::Resume) if node_type == "ask" => (0, ExecutionStatus::Resolved),
        // The job is stored by then, and nobody can say what follows it.
        Some(NodeStep::Branch) if told == 0 => (0, ExecutionStatus::Error),
        // The same, and nothing else depends on it.
        Some(NodeStep::Message) if told == 0 => (0, ExecutionStatus::Resolved),
        Some(_) => (1, ExecutionStatus::Error),
    };
    assert_eq!(told, failed, "{mark} {struck:?}: {jobs:?}");
    assert_eq!(harness.status(id).await, ends, "{mark} {struck:?}");

    let writers: HashSet<_> = {
        let mut conn = harness.store.read().await.unwrap();
        let nodes = conn.nodes(workflow.id).await.unwrap();
        nodes.into_iter().filter(|node| node.node_type == "create").map(|node| node.id).collect()
    };
    let written = jobs.iter().filter(|job| writers.contains(&job.node_id) && job.status == JobStatus::Resolved).count();
    let logs = harness.records_where("logs", json!({"tag": {"$startsWith": format!("{mark}:")}})).await;
    assert_eq!(logs.len(), written, "{mark}: {jobs:?}");
    let children = || harness.records_where("executions", json!({"parentExecutionId": id.0}));
    for child in children().await {
        let child = ExecutionId(child["id"].as_i64().expect("an id"));
        assert!(harness.status(child).await.is_final(), "{mark}: a child is left behind");
    }
    struck.map(|step| (step, told > 0))
}

/// Strikes everywhere, on PostgreSQL, where it takes longer, in a branch beside a waiting one; answers how often.
async fn strike_everywhere(fault: NodeFault) -> usize {
    let places = match Database::of_this_test() {
        Database::Sqlite => 0..4,
        Database::Postgres | Database::Mysql => 2..3,
    };
    let faults = Arc::new(Nth::default());
    let harness = Harness::with_node_faults(faults.clone(), Arc::new(Scripted::default())).await;
    let child = harness.workflow(vec![node("calculation", json!({"expression": "2"}))]).await;
    let user = harness.user(json!({})).await;
    let mut strikes = 0;
    for info in harness.engine.node_types() {
        let name: &'static str = info.name.leak();
        let mut steps = Vec::new();
        let surroundings = surroundings(|| Node(name, sample(name, &child, user), Place::Next));
        for nodes in surroundings.into_iter().skip(places.start).take(places.len()) {
            let workflow = harness.workflow(nodes).await;
            // The last one does not strike: the workflow and the engine go on after all that failed.
            for number in 0.. {
                let Some(struck) = strike(&harness, &faults, &workflow, (name, number, fault)).await else { break };
                steps.push(struck);
            }
        }
        assert!(steps.len() >= places.len(), "{name} was struck at {steps:?}");
        // A node that cannot say what follows the result of its own work has not done it; what others worked out, people, a child
        // or the nodes inside, stands.
        let by_itself = !["ask", "loop", "manual", "parallel", "subflow"].contains(&name);
        for step in [NodeStep::Branch, NodeStep::Message] {
            assert!(steps.contains(&(step, by_itself)), "{name}: {steps:?}");
        }
        strikes += steps.len();
    }
    strikes
}

#[test_database::test]
async fn whichever_node_answers_an_error_nothing_is_repeated_or_stuck() {
    let strikes = strike_everywhere(NodeFault::Error).await;
    println!("{strikes} steps failed");
}

#[test_database::test]
async fn whichever_node_panics_only_its_own_execution_ends() {
    let strikes = strike_everywhere(NodeFault::Panic).await;
    println!("{strikes} steps panicked");
}
