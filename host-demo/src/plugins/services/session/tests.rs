use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use plugin_api::{CollectionRef, ErrorKind, WorkflowId};
use tokio_util::task::TaskTracker;

use super::*;

/// A host that never answers with a record, panics when it is asked for pages, and starts whatever is asked.
#[derive(Default)]
struct Fake {
    at_work: AtomicUsize,
    most_at_work: AtomicUsize,
}

/// Counts a call until it ends, however it ends.
struct AtWork<'f>(&'f Fake);

impl<'f> AtWork<'f> {
    fn begin(fake: &'f Fake) -> Self {
        let now = fake.at_work.fetch_add(1, Ordering::SeqCst) + 1;
        fake.most_at_work.fetch_max(now, Ordering::SeqCst);
        Self(fake)
    }
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.0.at_work.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Backend for Fake {
    fn record(self: Arc<Self>, _: ReadRecord) -> Answering<Option<Map<String, Value>>> {
        Box::pin(async move {
            let _at_work = AtWork::begin(&self);
            std::future::pending().await
        })
    }

    fn records(self: Arc<Self>, _: ReadRecords) -> Answering<RecordPage> {
        Box::pin(async { panic!("the host's own mistake") })
    }

    fn start_workflow(self: Arc<Self>, caller: Caller, question: StartWorkflow) -> Answering<ExecutionId> {
        assert_eq!((&*caller.plugin, &*caller.trigger_types), ("x", &["own".to_owned()][..]));
        Box::pin(async move { Ok(ExecutionId(question.workflow.0)) })
    }
}

/// A loaded plugin "x" with a trigger type, and the door that its calls go through.
fn plugin(grants: &[Service]) -> (Arc<Session>, Arc<ServicesHandle>, Arc<Door>) {
    let door = Arc::new(Door::default());
    let session = Session::new("x", grants.to_vec(), Arc::clone(&door));
    session.owns(["own".to_owned()]);
    session.begin();
    let handle = session.handle();
    (session, handle, door)
}

fn open(door: &Door, backend: &Arc<Fake>) {
    let backend: Arc<dyn Backend> = backend.clone();
    door.open(Arc::downgrade(&backend), TaskTracker::new());
}

/// What a thread of the plugin's own is answered.
async fn start(handle: &Arc<ServicesHandle>) -> Result<ExecutionId, PluginError> {
    let handle = Arc::clone(handle);
    on_a_thread(move || handle.start_workflow(StartWorkflow::new(WorkflowId(7), Value::Null))).await
}

/// Calls on a thread that the runtime knows nothing of.
async fn on_a_thread<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> T {
    let (answer, answered) = tokio::sync::oneshot::channel();
    thread::spawn(move || drop(answer.send(call())));
    answered.await.expect("the thread does not panic")
}

#[tokio::test]
async fn calls_are_answered_while_the_host_runs() {
    let (session, handle, door) = plugin(&Service::ALL);
    let backend = Arc::new(Fake::default());
    assert_eq!(start(&handle).await, Err(PluginError::unavailable("The host is starting")));
    open(&door, &backend);
    assert_eq!(start(&handle).await, Ok(ExecutionId(7)));
    drop(session);
    assert_eq!(start(&handle).await, Err(gone()));
    door.close();
    assert_eq!(start(&handle).await, Err(PluginError::unavailable("The host is stopping")));
}

#[tokio::test]
async fn calls_are_answered_while_the_plugin_is_in_service() {
    let (backend, door) = (Arc::new(Fake::default()), Arc::new(Door::default()));
    let session = Session::new("x", Service::ALL.to_vec(), Arc::clone(&door));
    session.owns(["own".to_owned()]);
    let handle = session.handle();
    open(&door, &backend);
    assert_eq!(start(&handle).await, Err(PluginError::unavailable("The plugin is not in service yet")));
    session.begin();
    assert_eq!(start(&handle).await, Ok(ExecutionId(7)));
    session.end();
    session.begin();
    assert_eq!(start(&handle).await, Err(gone()), "though somebody still holds it");
}

#[tokio::test]
async fn calls_that_wait_for_their_turn_when_the_plugin_goes_are_not_begun() {
    let (session, handle, door) = plugin(&Service::ALL);
    let backend = Arc::new(Fake::default());
    open(&door, &backend);
    let turns = session.turns.acquire_many(CALLS_AT_ONCE as u32).await.expect("never closed");
    let before = Arc::strong_count(&session.turns);
    let end = async {
        while Arc::strong_count(&session.turns) == before {
            tokio::task::yield_now().await;
        }
        session.end();
        drop(turns);
    };
    let (answer, ()) = tokio::join!(start(&handle), end);
    assert_eq!(answer, Err(gone()));
}

#[tokio::test]
async fn a_host_that_is_gone_is_stopping() {
    let (_session, handle, door) = plugin(&Service::ALL);
    let backend = Arc::new(Fake::default());
    open(&door, &backend);
    drop(backend);
    assert_eq!(start(&handle).await, Err(PluginError::unavailable("The host is stopping")));
}

#[tokio::test]
async fn what_is_not_granted_or_comes_from_inside_is_refused() {
    let (_session, handle, door) = plugin(&[Service::Records]);
    let backend = Arc::new(Fake::default());
    open(&door, &backend);
    let error = start(&handle).await.expect_err("not granted");
    assert_eq!(error, PluginError::fault("The service \"workflows\" is not granted to plugin \"x\""));
    let inside = handle.record(ReadRecord::new(CollectionRef::parse("posts"), 1)).expect_err("on the runtime");
    assert!(inside.kind == ErrorKind::Fault && inside.message.contains("threads of the plugin's own"), "{inside}");
    let again = handle.clone();
    let blocking = tokio::task::spawn_blocking(move || again.record(ReadRecord::new(CollectionRef::parse("posts"), 1)));
    assert_eq!(blocking.await.expect("not cancelled"), Err(inside), "its other threads are the runtime's, too");
}

#[tokio::test]
async fn a_panic_of_the_host_is_an_error_of_the_call() {
    let (_session, handle, door) = plugin(&Service::ALL);
    let backend = Arc::new(Fake::default());
    open(&door, &backend);
    let posts = ReadRecords::new(CollectionRef::parse("posts"));
    let again = Arc::clone(&handle);
    let error = on_a_thread(move || again.records(posts)).await.expect_err("a panic");
    assert_eq!(error, PluginError::fault("The host's service failed"));
    assert_eq!(start(&handle).await, Ok(ExecutionId(7)), "the next call is answered");
}

#[tokio::test]
async fn few_calls_are_worked_on_at_once_and_none_waits_for_ever() {
    let (_session, handle, door) = plugin(&Service::ALL);
    let backend = Arc::new(Fake::default());
    open(&door, &backend);
    let calls: Vec<_> = (0..CALLS_AT_ONCE * 3)
        .map(|_| {
            let handle = Arc::clone(&handle);
            on_a_thread(move || handle.record(ReadRecord::new(CollectionRef::parse("posts"), 1)))
        })
        .collect();
    let slow = PluginError::unavailable("The host did not answer within 5 seconds");
    for answer in futures::future::join_all(calls).await {
        assert_eq!(answer, Err(slow.clone()));
    }
    assert_eq!(backend.most_at_work.load(Ordering::SeqCst), CALLS_AT_ONCE);
    assert_eq!(start(&handle).await, Ok(ExecutionId(7)), "who has given up has given its turn back");
}
