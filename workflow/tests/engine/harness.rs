//! A database and an engine of its own for each test.

use std::{future::Future, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use serde_json::{Value, json};
use store::{
    Clock, Execution, ExecutionId, ExecutionStatus, Faults, Filter, Find, Job, JobStatus, NewExecution, NodeRow,
    Record, Sort, Store, StoreError, Tx, WorkflowId, WorkflowRow, WriteOptions, workflows::NewNode,
};
use test_database::TestDatabase;
use workflow::{
    Engine, EngineOptions, Instance, NodeFaults, Outcome, OutsideOptions, Permission, provided::ProvidedNodes,
};

/// Longest wait for a condition: far beyond what any test takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

pub(crate) struct Harness {
    pub(crate) store: Store,
    pub(crate) engine: Engine,
    options: EngineOptions,
    clock: Clock,
    database: TestDatabase,
}

/// A node of a test workflow: type, configuration, and where it hangs: behind the one before it by default.
pub(crate) struct Node(pub(crate) &'static str, pub(crate) Value, pub(crate) Place);

pub(crate) enum Place {
    Next,
    /// Behind the node with this number.
    Behind(usize),
    /// First on a branch of the node with this number.
    Branch(usize, i64),
}

pub(crate) fn node(node_type: &'static str, config: Value) -> Node {
    Node(node_type, config, Place::Next)
}

/// Appends a tag to the logs: shows that, and in which order, nodes ran.
pub(crate) fn log(tag: &str) -> Node {
    node("create", json!({"collection": "logs", "params": {"values": {"tag": tag}}}))
}

impl Node {
    pub(crate) fn at(self, place: Place) -> Self {
        Self(self.0, self.1, place)
    }
}

pub(crate) fn object(value: Value) -> Record {
    match value {
        Value::Object(object) => object,
        other => panic!("{other} is no object"),
    }
}

impl Harness {
    pub(crate) async fn new() -> Self {
        Self::with_workers(4).await
    }

    pub(crate) async fn with_workers(parallel_workflows: usize) -> Self {
        Self::with(parallel_workflows, OutsideOptions::default(), Clock::default()).await
    }

    /// With a clock that the test sets, and nodes that reach servers on this machine.
    pub(crate) async fn by(clock: Clock) -> Self {
        let outside = OutsideOptions { private_requests: Permission::Granted, ..OutsideOptions::default() };
        Self::with(4, outside, clock).await
    }

    /// With an operator who lets nodes do more, or less.
    pub(crate) async fn with_outside(outside: OutsideOptions) -> Self {
        Self::with(4, outside, Clock::default()).await
    }

    /// With nodes that fail when these say so, node types of others, and an operator who lets nodes do everything.
    pub(crate) async fn with_node_faults(faults: Arc<dyn NodeFaults>, others: Arc<dyn ProvidedNodes>) -> Self {
        let outside = OutsideOptions { private_requests: Permission::Granted, sql: Permission::Granted, mail: None };
        let mut harness = Self::with_outside(outside).await;
        harness.engine.shutdown(Duration::ZERO).await;
        harness.engine =
            Engine::start_with_faults(harness.store.clone(), harness.options.clone(), faults, others).await.unwrap();
        harness
    }

    /// With node types of others.
    pub(crate) async fn with_nodes(nodes: Arc<dyn ProvidedNodes>) -> Self {
        let mut harness = Self::new().await;
        harness.engine.shutdown(Duration::ZERO).await;
        let (store, options) = (harness.store.clone(), harness.options.clone());
        harness.engine =
            Engine::start_with_others(store, options, Instance::default(), nodes, Arc::new(())).await.unwrap();
        harness
    }

    async fn with(parallel_workflows: usize, outside: OutsideOptions, clock: Clock) -> Self {
        let database = TestDatabase::for_main();
        let store = Store::open_by(database.url(), clock.clone()).await.unwrap();
        let options = EngineOptions { parallel_workflows, outside };
        let engine = Engine::start(store.clone(), options.clone()).await.unwrap();
        let harness = Self { store, engine, options, clock, database };
        for definition in [
            json!({"name": "logs", "fields": [{"type": "string", "name": "tag"}]}),
            json!({"name": "posts", "createdBy": true, "fields": [
                {"type": "string", "name": "title"},
                {"type": "integer", "name": "read", "defaultValue": 0},
                {"type": "string", "name": "code", "unique": true},
                {"type": "belongsTo", "name": "author", "target": "users", "foreignKey": "authorId"},
            ]}),
        ] {
            harness
                .write(move |tx| Box::pin(async move { tx.create_collection(&object(definition)).await.map(drop) }))
                .await;
        }
        harness
    }

    /// The database once more, as another process would have it.
    pub(crate) async fn open(&self) -> Store {
        Store::open_by(self.database.url(), self.clock.clone()).await.unwrap()
    }

    /// The database once more, with failures.
    pub(crate) async fn open_with_faults(&self, faults: Arc<dyn Faults>) -> Result<Store, StoreError> {
        Store::open_with_faults(self.database.url(), faults).await
    }

    /// Writes what the store never would.
    pub(crate) async fn damage(&self, statement: &'static str) {
        self.database.execute(statement).await;
    }

    /// Stops this engine as a crash would, and starts another one on the same database.
    pub(crate) async fn restart(&mut self) {
        self.engine.shutdown(Duration::ZERO).await;
        self.engine = Engine::start(self.store.clone(), self.options.clone()).await.unwrap();
    }

    /// A further engine on the same database, as in another process: with a writer of its own.
    pub(crate) async fn another_engine(&self, instance: Instance) -> (Store, Engine) {
        let store = self.open().await;
        let engine = Engine::start_as(store.clone(), self.options.clone(), instance).await.unwrap();
        (store, engine)
    }

    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl for<'tx> FnOnce(&'tx mut Tx) -> BoxFuture<'tx, Result<T, StoreError>> + Send + 'static,
    ) -> T {
        self.store.write(work).await.unwrap()
    }

    pub(crate) async fn workflow(&self, nodes: Vec<Node>) -> WorkflowRow {
        self.workflow_with(json!({}), nodes).await.0
    }

    pub(crate) async fn workflow_with(&self, options: Value, nodes: Vec<Node>) -> (WorkflowRow, Vec<NodeRow>) {
        for Node(node_type, config, _) in &nodes {
            self.engine.check_node(node_type, config).unwrap();
        }
        self.write(move |tx| {
            Box::pin(async move {
                let values = object(json!({"title": "test", "type": "action", "enabled": true, "options": options}));
                let workflow = tx.create_workflow(values, None).await?;
                let mut rows: Vec<NodeRow> = Vec::new();
                for Node(node_type, config, place) in nodes {
                    let (upstream_id, branch_index) = match place {
                        Place::Next => (rows.last().map(|row| row.id), None),
                        Place::Behind(number) => (Some(rows[number].id), None),
                        Place::Branch(number, branch) => (Some(rows[number].id), Some(branch)),
                    };
                    let node = NewNode { node_type: node_type.into(), title: None, config, upstream_id, branch_index };
                    rows.push(tx.create_node(workflow.id, node).await?);
                }
                let nodes = tx.nodes(workflow.id).await?;
                Ok((workflow, nodes))
            })
        })
        .await
    }

    /// An execution to be stored, for any dispatcher.
    pub(crate) fn execution(&self, workflow: &WorkflowRow, context: Value) -> NewExecution {
        NewExecution {
            workflow_id: workflow.id,
            key: workflow.key.clone(),
            context,
            event_key: "event".into(),
            claimed_by: None,
            waits_for: None,
            stack: Vec::new(),
            parent_job: None,
            manually: false,
        }
    }

    /// An execution to be stored, for [`Engine::run`].
    pub(crate) fn direct(&self, workflow: &WorkflowRow, context: Value) -> NewExecution {
        NewExecution { claimed_by: Some(self.engine.claim()), ..self.execution(workflow, context) }
    }

    pub(crate) async fn enqueue(&self, executions: Vec<NewExecution>) -> Vec<ExecutionId> {
        self.write(move |tx| Box::pin(async move { tx.enqueue(executions).await })).await
    }

    /// Stores an execution and leaves it to the dispatcher.
    pub(crate) async fn trigger(&self, workflow: &WorkflowRow, context: Value) -> ExecutionId {
        let ids = self.enqueue(vec![self.execution(workflow, context)]).await;
        self.engine.wake(&[workflow.id]);
        ids[0]
    }

    /// Stores an execution and runs it at once.
    pub(crate) async fn run(&self, workflow: &WorkflowRow, context: Value) -> Outcome {
        let ids = self.enqueue(vec![self.direct(workflow, context)]).await;
        self.engine.run(ids[0]).await.unwrap()
    }

    /// Runs one node on a context, and answers the execution's and the job's state and the job's result.
    pub(crate) async fn run_node(&self, node: Node, context: Value) -> (ExecutionStatus, JobStatus, Value) {
        let workflow = self.workflow(vec![node]).await;
        let outcome = self.run(&workflow, context).await;
        let jobs = self.jobs(outcome.id).await;
        assert_eq!(jobs.len(), 1);
        (outcome.status, jobs[0].status, jobs[0].result.clone())
    }

    pub(crate) async fn find(&self, id: ExecutionId) -> Option<Execution> {
        self.store.read().await.unwrap().execution(id).await.unwrap()
    }

    pub(crate) async fn status(&self, id: ExecutionId) -> ExecutionStatus {
        self.find(id).await.expect("an execution").status
    }

    pub(crate) async fn jobs(&self, id: ExecutionId) -> Vec<Job> {
        self.store.read().await.unwrap().jobs(id).await.unwrap()
    }

    pub(crate) async fn row(&self, id: WorkflowId) -> WorkflowRow {
        self.store.read().await.unwrap().workflow(id).await.unwrap().expect("a workflow")
    }

    /// Reads all records of a collection, oldest first.
    pub(crate) async fn records(&self, collection: &str) -> Vec<Value> {
        self.records_where(collection, json!({})).await
    }

    /// Reads the matching records of a collection, oldest first.
    pub(crate) async fn records_where(&self, collection: &str, filter: Value) -> Vec<Value> {
        let mut conn = self.store.read().await.unwrap();
        let collection = conn.schema().collection(collection).unwrap().clone();
        let sort = vec![Sort::parse(&collection, "id").unwrap()];
        let filter = Filter::parse(conn.schema(), &collection, &filter).unwrap();
        let find = Find { sort, filter, ..Find::all(collection) };
        conn.find(&find).await.unwrap().into_iter().map(Value::Object).collect()
    }

    /// The tags of the logs, oldest first.
    pub(crate) async fn logs(&self) -> Vec<String> {
        self.records("logs").await.iter().map(|log| log["tag"].as_str().unwrap_or_default().to_owned()).collect()
    }

    pub(crate) async fn post(&self, values: Value) -> Value {
        self.make("posts", object(values)).await
    }

    /// Makes a user with a name of their own; answers the id.
    pub(crate) async fn user(&self, values: Value) -> i64 {
        let mut user = object(json!({"username": uuid::Uuid::new_v4().to_string()}));
        user.extend(object(values));
        self.make("users", user).await["id"].as_i64().unwrap()
    }

    pub(crate) async fn role(&self, name: &str) {
        self.make("roles", object(json!({"name": name}))).await;
    }

    async fn make(&self, collection: &'static str, values: Record) -> Value {
        self.write(move |tx| {
            Box::pin(async move {
                let collection = tx.schema().collection(collection)?.clone();
                tx.create(&collection, values, &WriteOptions::default()).await.map(Value::Object)
            })
        })
        .await
    }

    /// Waits until an execution is in a state.
    pub(crate) async fn until(&self, id: ExecutionId, status: ExecutionStatus) {
        self.until_so(|| async move { self.status(id).await == status }).await;
    }

    /// Waits until a condition holds.
    pub(crate) async fn until_so<F: Future<Output = bool>>(&self, condition: impl Fn() -> F) {
        let waiting = async {
            while !condition().await {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("the condition holds in time");
    }

    /// Waits until nothing is queued or running.
    pub(crate) async fn idle(&self) {
        tokio::time::timeout(PATIENCE, self.engine.idle()).await.expect("the engine is idle in time");
    }
}
