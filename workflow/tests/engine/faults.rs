//! The database fails at each statement in turn: once, or from there on as if the process had died.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use store::{ExecutionId, Faults, NewExecution, Store, StoreError, WorkflowRow};
use test_database::Database;
use workflow::{Engine, EngineError, EngineOptions, Instance, OutsideOptions};

use crate::harness::{Harness, log, node, object};

/// How the database fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The statement is refused; the next one is not.
    Once,
    /// No statement succeeds any more.
    Onwards,
}

/// Fails at the statement with this number, counted from 1.
pub(crate) struct Nth {
    number: u64,
    mode: Mode,
    seen: AtomicU64,
}

impl Nth {
    pub(crate) fn new(number: u64, mode: Mode) -> Arc<Self> {
        Arc::new(Self { number, mode, seen: AtomicU64::new(0) })
    }

    pub(crate) fn has_struck(&self) -> bool {
        self.seen.load(Ordering::SeqCst) >= self.number
    }
}

impl Faults for Nth {
    fn fails(&self, _statement: &str) -> bool {
        let number = self.seen.fetch_add(1, Ordering::SeqCst) + 1;
        match self.mode {
            Mode::Once => number == self.number,
            Mode::Onwards => number >= self.number,
        }
    }
}

/// The workflows that one action starts: a chain of two that run before the answer and one that follows, and two others.
struct Chain {
    head: WorkflowRow,
    tail: WorkflowRow,
    after: WorkflowRow,
    beside: WorkflowRow,
    empty: WorkflowRow,
}

fn step(name: &str) -> crate::harness::Node {
    log(&format!("{{{{$context.mark}}}}:{name}"))
}

impl Chain {
    async fn new(harness: &Harness) -> Self {
        let post = || json!({"code": "{{$context.mark}}"});
        let update =
            || node("update", json!({"collection": "posts", "params": {"filter": post(), "values": {"read": 1}}}));
        let head = vec![
            step("h1"),
            node("query", json!({"collection": "posts", "params": {"filter": post()}})),
            node("condition", json!({"engine": "cel", "expression": "1 < 2"})),
            step("h2"),
        ];
        let tail = vec![update(), step("t1")];
        let after = vec![
            step("a1"),
            node("calculation", json!({"expression": "1 + 1"})),
            node("delay", json!({"duration": 1})),
            update(),
            step("a2"),
        ];
        Self {
            head: harness.workflow(head).await,
            tail: harness.workflow(tail).await,
            after: harness.workflow(after).await,
            beside: harness.workflow(vec![node("delay", json!({"duration": 1})), step("b1")]).await,
            empty: harness.workflow(vec![]).await,
        }
    }

    /// What an action does: its record and its executions in one transaction, the synchronous ones before the answer.
    async fn act(&self, store: &Store, engine: &Engine, mark: String) -> Result<(), StoreError> {
        let claim = engine.claim();
        let rows = [&self.head, &self.tail, &self.after, &self.beside, &self.empty];
        let new = rows.map(|row| NewExecution {
            workflow_id: row.id,
            key: row.key.clone(),
            context: json!({"mark": mark}),
            event_key: mark.clone(),
            claimed_by: None,
            waits_for: None,
            stack: Vec::new(),
            parent_job: None,
            manually: false,
        });
        let synchronous: Vec<ExecutionId> = store
            .write(move |tx| {
                Box::pin(async move {
                    let posts = tx.schema().collection("posts")?.clone();
                    tx.create(&posts, object(json!({"code": mark})), &Default::default()).await?;
                    let [head, tail, after, beside, empty] = new;
                    let head = NewExecution { claimed_by: Some(claim.clone()), ..head };
                    let head = tx.enqueue(vec![head]).await?[0];
                    let tail = NewExecution { claimed_by: Some(claim), waits_for: Some(head), ..tail };
                    let tail = tx.enqueue(vec![tail]).await?[0];
                    let after = NewExecution { waits_for: Some(tail), ..after };
                    tx.enqueue(vec![after, beside, empty]).await?;
                    Ok::<_, StoreError>(vec![head, tail])
                })
            })
            .await?;
        for id in synchronous {
            // The caller is told; what the store knows is gone on with.
            if engine.run(id).await.is_err() {
                break;
            }
        }
        engine.wake(&[self.after.id, self.beside.id, self.empty.id]);
        Ok(())
    }
}

/// One engine after the other, each of which takes over from the one before.
async fn start(store: &Store) -> Result<Engine, EngineError> {
    let instance = Instance { name: Some("one".into()), ..Instance::default() };
    Engine::start_as(
        store.clone(),
        EngineOptions { parallel_workflows: 4, outside: OutsideOptions::default() },
        instance,
    )
    .await
}

/// The executions of an action.
pub(crate) async fn executions(observer: &Harness, mark: &str) -> Vec<Value> {
    observer.records_where("executions", json!({"eventKey": mark})).await
}

/// What the nodes of these executions have logged.
pub(crate) async fn logs(observer: &Harness, mark: &str) -> Vec<Value> {
    observer.records_where("logs", json!({"tag": {"$startsWith": format!("{mark}:")}})).await
}

pub(crate) fn has_ended(execution: &Value) -> bool {
    execution["status"].as_i64().is_some_and(|status| status != 0)
}

/// Breaks the database at each statement in turn; answers how many there are, and how many executions ended as errors. PostgreSQL,
/// where each turn takes longer, at every fifth.
async fn break_everywhere(mode: Mode) -> (u64, usize) {
    let stride = match Database::of_this_test() {
        Database::Sqlite => 1,
        Database::Postgres | Database::Mysql => 5,
    };
    let observer = Harness::with_workers(1).await;
    observer.engine.shutdown(Duration::ZERO).await;
    let chain = Chain::new(&observer).await;
    let mut errors = 0;
    for number in (1..).step_by(stride) {
        let mark = format!("{mode:?}{number}");
        let nth = Nth::new(number, mode);
        let engine_and_store = {
            let store = observer.open_with_faults(nth.clone()).await;
            match store {
                Ok(store) => start(&store).await.map(|engine| (engine, store)).ok(),
                Err(_) => None,
            }
        };
        let mut acknowledged = false;
        if let Some((engine, store)) = engine_and_store {
            acknowledged = chain.act(&store, &engine, mark.clone()).await.is_ok();
            observer
                .until_so(|| async { nth.has_struck() || executions(&observer, &mark).await.iter().all(has_ended) })
                .await;
            engine.shutdown(Duration::ZERO).await;
            store.close().await;
        }

        let store = observer.open().await;
        let engine = start(&store).await.unwrap();
        let settled = || async { executions(&observer, &mark).await.iter().all(has_ended) };
        observer.until_so(settled).await;
        engine.shutdown(Duration::from_secs(5)).await;
        store.close().await;
        errors += check(&observer, &chain, &mark, acknowledged, mode).await;
        if !nth.has_struck() {
            return (number - 1, errors);
        }
    }
    unreachable!("the numbers do not end")
}

/// Holds the executions of an action to the promise; answers how many ended as errors.
async fn check(observer: &Harness, chain: &Chain, mark: &str, acknowledged: bool, mode: Mode) -> usize {
    let executions = executions(observer, mark).await;
    let of = |workflow: &WorkflowRow| {
        let mut found = executions.iter().filter(|execution| execution["workflowId"] == workflow.id.0);
        let one = found.next();
        assert!(found.next().is_none(), "{mark}: {} is there twice", workflow.id.0);
        one
    };
    if !acknowledged && executions.is_empty() {
        assert_eq!(logs(observer, mark).await, [Value::Null; 0], "{mark}");
        return 0;
    }
    let resolved = |execution: Option<&Value>| execution.is_some_and(|execution| execution["status"] == 1);
    let (head, tail, after) = (of(&chain.head), of(&chain.tail), of(&chain.after));
    assert!(
        head.is_some() && of(&chain.beside).is_some() && of(&chain.empty).is_some(),
        "{mark}: lost: {executions:?}"
    );
    assert_eq!(resolved(head), tail.is_some(), "{mark}: the second follows if the first is resolved");
    assert_eq!(resolved(tail), after.is_some(), "{mark}: the third follows if the second is resolved");

    let logs = logs(observer, mark).await;
    let times = |step: &str| logs.iter().filter(|log| log["tag"] == format!("{mark}:{step}")).count();
    let mut errors = 0;
    let steps = [
        (&chain.head, 4, vec![(0, "h1"), (3, "h2")]),
        (&chain.tail, 2, vec![(1, "t1")]),
        (&chain.after, 5, vec![(0, "a1"), (4, "a2")]),
        (&chain.beside, 2, vec![(1, "b1")]),
        (&chain.empty, 0, vec![]),
    ];
    for (workflow, nodes, steps) in steps {
        let Some(execution) = of(workflow) else {
            assert!(steps.iter().all(|(_, step)| times(step) == 0), "{mark}: steps without their execution");
            continue;
        };
        let jobs = observer.jobs(ExecutionId(execution["id"].as_i64().unwrap())).await;
        let different: HashSet<_> = jobs.iter().map(|job| job.node_id).collect();
        assert_eq!(different.len(), jobs.len(), "{mark}: a node ran twice: {jobs:?}");
        let failed = execution["status"] == -2;
        assert!(resolved(Some(execution)) || failed && mode == Mode::Once, "{mark}: {execution}");
        errors += usize::from(failed);
        let finished = if failed { jobs.len() - 1 } else { nodes };
        assert_eq!(
            jobs.iter().filter(|job| job.status == store::JobStatus::Resolved).count(),
            finished,
            "{mark}: {jobs:?}"
        );
        for (index, step) in &steps {
            assert_eq!(times(step), usize::from(*index < finished), "{mark}: {step} of {jobs:?}");
        }
    }
    errors
}

#[test_database::test]
async fn whichever_statement_is_refused_nothing_is_lost_doubled_or_stuck() {
    let (statements, errors) = break_everywhere(Mode::Once).await;
    println!("{statements} statements refused, {errors} executions ended as errors");
    assert!(statements > 50, "only {statements} statements");
}

#[test_database::test]
async fn at_whichever_statement_the_process_dies_everything_is_done_once() {
    let (statements, errors) = break_everywhere(Mode::Onwards).await;
    println!("died at {statements} statements");
    assert!(statements > 50, "only {statements} statements");
    assert_eq!(errors, 0);
}
