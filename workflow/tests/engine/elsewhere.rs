//! What nodes write into a further database is written once, whoever stops when.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use store::{
    Cause, Collection, ConnectOptions, ExecutionId, ExecutionStatus, Find, NewExecution, RecordChange,
    RecordChangeKind, RecordListener, Store, StoreError, Submission, TableState, Tx, WorkflowRow,
};
use test_database::{Database, TestDatabase};
use tokio::sync::Notify;
use workflow::{
    Engine, EngineError, EngineOptions, Instance, OutsideOptions, Sources,
    provided::{ProvidedError, ProvidedNode, ProvidedNodes},
};

use crate::{
    faults::{Mode, Nth, executions, has_ended, logs},
    harness::{Harness, Node, Place, log, node},
};

/// Far longer than a test takes.
const LONG: Duration = Duration::from_secs(3_600);

/// There are no node types of others.
struct Nobody;

impl ProvidedNodes for Nobody {
    fn find(&self, name: &str) -> Result<Arc<dyn ProvidedNode>, ProvidedError> {
        Err(ProvidedError::Unknown(name.to_owned()))
    }

    fn all(&self) -> Vec<(String, Value)> {
        Vec::new()
    }
}

/// Somebody else's database with orders.
struct Erp(TestDatabase);

impl Erp {
    async fn new() -> Self {
        let database = TestDatabase::new();
        let orders = match database.kind() {
            Database::Sqlite => "CREATE TABLE orders (id INTEGER PRIMARY KEY, title TEXT NOT NULL)",
            Database::Postgres => "CREATE TABLE orders (id serial PRIMARY KEY, title text NOT NULL)",
            Database::Mysql => "CREATE TABLE orders (id int AUTO_INCREMENT PRIMARY KEY, title varchar(200) NOT NULL)",
        };
        database.execute(orders).await;
        Self(database)
    }

    /// As a process has it.
    async fn open(&self) -> Store {
        let store = Store::connect(self.0.url(), &ConnectOptions::default()).await.unwrap();
        assert_eq!(store.prepare_write_receipts().await.unwrap(), TableState::Ready);
        store
    }
}

/// How often there is an order of each title that begins like this.
async fn orders(store: &Store, mark: &str) -> BTreeMap<String, usize> {
    let mut conn = store.read().await.unwrap();
    let orders = conn.schema().collection("orders").unwrap().clone();
    let mut counts = BTreeMap::new();
    for order in conn.find(&Find::all(orders)).await.unwrap() {
        let title = order["title"].as_str().unwrap();
        if let Some(step) = title.strip_prefix(mark) {
            *counts.entry(step.to_owned()).or_default() += 1;
        }
    }
    counts
}

/// A further database that is there.
struct There(Store);

#[async_trait]
impl Sources for There {
    async fn store(&self, _key: &str) -> Result<Store, StoreError> {
        Ok(self.0.clone())
    }
}

async fn start(store: &Store, sources: impl Sources, instance: Instance) -> Result<Engine, EngineError> {
    start_with(2, store, sources, instance).await
}

async fn start_with(
    parallel_workflows: usize,
    store: &Store,
    sources: impl Sources,
    instance: Instance,
) -> Result<Engine, EngineError> {
    let options = EngineOptions { parallel_workflows, outside: OutsideOptions::default() };
    Engine::start_with_others(store.clone(), options, instance, Arc::new(Nobody), Arc::new(sources)).await
}

fn order(title: &str) -> Node {
    node("create", json!({"collection": "erp:orders", "params": {"values": {"title": title}}}))
}

/// Writes there and on main in turns, on the main line, in a loop and in branches at the same time.
async fn both(harness: &Harness) -> WorkflowRow {
    let step = |name: &str| order(&format!("{{{{$context.mark}}}}:{name}"));
    let nodes = vec![
        step("first"),
        log("{{$context.mark}}:between"),
        node("loop", json!({"target": [1, 2]})),
        step("round").at(Place::Branch(2, 0)),
        node("parallel", json!({})).at(Place::Behind(2)),
        step("left").at(Place::Branch(4, 1)),
        step("right").at(Place::Branch(4, 2)),
        step("last").at(Place::Behind(4)),
        log("{{$context.mark}}:after"),
    ];
    harness.workflow(nodes).await
}

/// Breaks the main database at each statement in turn, or at some of them where it takes long; answers how many there are.
async fn break_everywhere(mode: Mode) -> u64 {
    let stride = if Database::of_this_test() == Database::Sqlite { 1 } else { 5 };
    let observer = Harness::with_workers(1).await;
    observer.engine.shutdown(Duration::ZERO).await;
    let database = Erp::new().await;
    let erp = database.open().await;
    let workflow = both(&observer).await;
    let one = || Instance { name: Some("one".into()), ..Instance::default() };
    for number in (1..).step_by(stride) {
        let mark = format!("{mode:?}{number}");
        let nth = Nth::new(number, mode);
        let mut begun = None;
        if let Ok(store) = observer.open_with_faults(nth.clone()).await {
            begun = start(&store, There(erp.clone()), one()).await.map(|engine| (engine, store)).ok();
        }
        let new = NewExecution { event_key: mark.clone(), ..observer.execution(&workflow, json!({"mark": mark})) };
        observer.enqueue(vec![new]).await;
        let settled = async || executions(&observer, &mark).await.iter().all(has_ended);
        if let Some((engine, store)) = begun {
            engine.wake(&[workflow.id]);
            observer.until_so(async || nth.has_struck() || settled().await).await;
            engine.shutdown(Duration::ZERO).await;
            store.close().await;
        }
        let store = observer.open().await;
        let engine = start(&store, There(erp.clone()), one()).await.unwrap();
        observer.until_so(settled).await;
        engine.shutdown(Duration::from_secs(5)).await;
        store.close().await;

        let ended = &executions(&observer, &mark).await[0];
        let written = orders(&erp, &format!("{mark}:")).await;
        let all = [("first", 1), ("last", 1), ("left", 1), ("right", 1), ("round", 2)];
        let all: BTreeMap<String, usize> = all.map(|(step, count)| (step.to_owned(), count)).into();
        assert_eq!(ended["status"], 1, "{mark}: {ended}");
        assert_eq!(written, all, "{mark}");
        assert_eq!(logs(&observer, &mark).await.len(), 2, "{mark}");
        if !nth.has_struck() {
            erp.close().await;
            return number - 1;
        }
    }
    unreachable!("the numbers do not end")
}

#[test_database::test_all]
async fn whichever_statement_of_main_is_refused_it_is_written_once() {
    let statements = break_everywhere(Mode::Once).await;
    assert!(statements > 30, "only {statements} statements");
}

#[test_database::test_all]
async fn at_whichever_statement_of_main_the_process_dies_it_is_written_once() {
    let statements = break_everywhere(Mode::Onwards).await;
    assert!(statements > 30, "only {statements} statements");
}

/// Where somebody is held up until the test lets them go on.
#[derive(Clone, Default)]
struct Gate {
    arrived: Arc<Notify>,
    open: Arc<Notify>,
}

impl Gate {
    async fn pass(&self) {
        self.arrived.notify_one();
        self.open.notified().await;
    }
}

/// A further database, behind a gate.
struct Behind(Gate, Store);

#[async_trait]
impl Sources for Behind {
    async fn store(&self, _key: &str) -> Result<Store, StoreError> {
        self.0.pass().await;
        Ok(self.1.clone())
    }
}

/// Holds up who has written, before the commit.
struct BeforeTheCommit(Gate);

impl RecordListener for BeforeTheCommit {
    fn listens(&self, _: &Collection, _: RecordChangeKind) -> bool {
        true
    }

    fn hear<'t>(&'t self, _: &'t mut Tx, _: Cause, _: Vec<RecordChange>) -> BoxFuture<'t, Result<(), StoreError>> {
        Box::pin(async move {
            self.0.pass().await;
            Ok(())
        })
    }
}

/// An execution that one process has begun, and another one is to take over.
struct Scene {
    harness: Harness,
    erp: Erp,
    gate: Gate,
    first: Engine,
    id: ExecutionId,
}

impl Scene {
    async fn new(sources: impl AsyncFnOnce(&Erp, Gate) -> Boxed) -> Self {
        let harness = Harness::with_workers(1).await;
        harness.engine.shutdown(Duration::ZERO).await;
        let (erp, gate) = (Erp::new().await, Gate::default());
        let sources = sources(&erp, gate.clone()).await;
        let first = Instance { name: None, lease: LONG };
        // It leaves what is taken from it to the other one.
        let first = start_with(0, &harness.store, sources, first).await.unwrap();
        let workflow = harness.workflow(vec![order("once"), log("after")]).await;
        let new = NewExecution { claimed_by: Some(first.claim()), ..harness.execution(&workflow, json!({})) };
        let id = harness.enqueue(vec![new]).await[0];
        Self { harness, erp, gate, first, id }
    }

    /// Takes the execution from the first process, and lets another one go on with it.
    async fn take_over(&self, erp: &Store) -> (Store, Engine) {
        self.harness.write(|tx| Box::pin(async move { tx.take_back(i64::MAX).await })).await;
        let store = self.harness.open().await;
        let engine = start(&store, There(erp.clone()), Instance { name: None, lease: LONG }).await.unwrap();
        (store, engine)
    }

    async fn check(&self, erp: &Store) {
        self.harness.until(self.id, ExecutionStatus::Resolved).await;
        assert_eq!(orders(erp, "").await, BTreeMap::from([("once".to_owned(), 1)]));
        assert_eq!(self.harness.jobs(self.id).await.len(), 2);
        assert_eq!(self.harness.logs().await, ["after"]);
    }
}

/// Sources of any kind.
struct Boxed(Box<dyn Sources>);

#[async_trait]
impl Sources for Boxed {
    async fn store(&self, key: &str) -> Result<Store, StoreError> {
        self.0.store(key).await
    }
}

#[test_database::test_all]
async fn who_has_lost_the_execution_before_writing_does_not_write() {
    let scene = Scene::new(async |erp: &Erp, gate| Boxed(Box::new(Behind(gate, erp.open().await)))).await;
    let erp = scene.erp.open().await;
    let later = async {
        scene.gate.arrived.notified().await;
        let (store, second) = scene.take_over(&erp).await;
        scene.harness.until(scene.id, ExecutionStatus::Resolved).await;
        // Nothing tells any more that it was written.
        let main = scene.harness.open().await;
        erp.sweep_write_receipts(&main, Duration::ZERO).await.unwrap();
        main.close().await;
        scene.gate.open.notify_one();
        (store, second)
    };
    let (ran, (store, second)) = tokio::join!(scene.first.run(scene.id), later);
    assert_eq!(ran.unwrap().status, ExecutionStatus::Resolved);
    scene.check(&erp).await;
    second.shutdown(LONG).await;
    store.close().await;
}

#[test_database::test_all]
async fn who_takes_the_execution_over_waits_for_a_write_that_is_under_way() {
    let scene = Scene::new(async |erp: &Erp, gate| {
        let erp = erp.open().await;
        erp.listen(Arc::new(BeforeTheCommit(gate)));
        Boxed(Box::new(There(erp)))
    })
    .await;
    let erp = scene.erp.open().await;
    let later = async {
        scene.gate.arrived.notified().await;
        let (store, second) = scene.take_over(&erp).await;
        let claim = second.claim();
        let is_taken = async || {
            let standing = scene.harness.store.read().await.unwrap().standing(scene.id, Some(&claim)).await.unwrap();
            standing.is_some_and(|standing| standing.held)
        };
        scene.harness.until_so(is_taken).await;
        scene.gate.open.notify_one();
        (store, second)
    };
    let (ran, (store, second)) = tokio::join!(scene.first.run(scene.id), later);
    assert!(matches!(ran.unwrap().status, ExecutionStatus::Started | ExecutionStatus::Resolved));
    scene.check(&erp).await;
    second.shutdown(LONG).await;
    store.close().await;
}

#[test_database::test_all]
async fn who_has_no_receipts_writes_all_the_same() {
    let harness = Harness::with_workers(1).await;
    harness.engine.shutdown(Duration::ZERO).await;
    let database = Erp::new().await;
    let options = ConnectOptions { outbox: false, ..ConnectOptions::default() };
    let erp = Store::connect(database.0.url(), &options).await.unwrap();
    assert!(matches!(erp.prepare_write_receipts().await.unwrap(), TableState::Missing(_)));
    let engine = start(&harness.store, There(erp.clone()), Instance::default()).await.unwrap();
    let workflow = harness.workflow(vec![order("once"), log("after")]).await;
    let id = harness.enqueue(vec![harness.execution(&workflow, json!({}))]).await[0];
    engine.wake(&[workflow.id]);
    harness.until(id, ExecutionStatus::Resolved).await;
    assert_eq!(orders(&erp, "").await, BTreeMap::from([("once".to_owned(), 1)]));
    engine.shutdown(LONG).await;
    erp.close().await;
}

#[test_database::test_all]
async fn what_an_execution_goes_back_behind_is_written_again() {
    let harness = Harness::with_workers(1).await;
    harness.engine.shutdown(Duration::ZERO).await;
    let database = Erp::new().await;
    let erp = database.open().await;
    let engine = start(&harness.store, There(erp.clone()), Instance::default()).await.unwrap();
    let user = harness.user(json!({})).await;
    let asks = node("manual", json!({"assignees": user, "title": "again?"}));
    let workflow = harness.workflow(vec![order("again"), asks, log("after")]).await;
    let id = harness.enqueue(vec![harness.execution(&workflow, json!({}))]).await[0];
    engine.wake(&[workflow.id]);
    for times in 1..=3 {
        let jobs_by_then = 2 * times;
        harness.until_so(async || harness.jobs(id).await.len() == jobs_by_then).await;
        assert_eq!(orders(&erp, "").await["again"], times);
        let jobs = harness.jobs(id).await;
        let (order, asked) = (jobs[jobs_by_then - 2].id, jobs[jobs_by_then - 1].id);
        if times < 3 {
            harness.write(move |tx| Box::pin(async move { tx.set_returns_to(asked, order).await })).await;
        }
        let task = harness.store.read().await.unwrap().tasks_of_job(asked).await.unwrap().remove(0);
        engine.submit_task(task.user_id, task.id, "approve".into(), Submission::default()).await.unwrap();
    }
    harness.until(id, ExecutionStatus::Resolved).await;
    assert_eq!(orders(&erp, "").await["again"], 3);
    engine.shutdown(LONG).await;
    erp.close().await;
}
