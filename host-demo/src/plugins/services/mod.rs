//! The way of a plugin's call to a service: who may ask, when, and for how long.
//!
//! ```text
//! plugin's own thread ─ session: granted? on a thread of its own? ─ door: does the host run? ─ Backend, on the host's runtime
//!         └──────────────────────── waits for the answer, for some seconds at most ◀────────────────┘
//! ```
//!
//! A plugin holds a `ServicesHandle`, which owns nothing: the loaded plugin owns the [`Session`], the server owns the [`Backend`],
//! and when either is gone, calls end with an error. What the services do is the backend's; nothing here knows the database.
//!
//! A call never runs on a thread of the runtime. Such a thread is inside a call *of* the host: waiting there could wait for the
//! transaction it stands in, and would take a worker from everybody else. A thread of the plugin may wait, but not for ever: the
//! hook that waits for that thread holds up the one writer.

mod door;
mod session;

use std::sync::Arc;

use futures::future::BoxFuture;
use plugin_api::{ExecutionId, PluginError, ReadRecord, ReadRecords, RecordPage, StartWorkflow};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

pub(super) use door::Door;
pub(super) use session::Session;

/// The one who asks.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// The plugin's id.
    pub(crate) plugin: Arc<str>,
    /// Its trigger types.
    pub(crate) trigger_types: Arc<[String]>,
    /// Is cancelled when nobody waits for the answer any more.
    pub(crate) given_up: CancellationToken,
}

/// What an answer becomes in time.
pub(crate) type Answering<T> = BoxFuture<'static, Result<T, PluginError>>;

/// Does what the services promise, once it has been found that the caller may ask. One method for each of
/// [`plugin_api::Services`].
///
/// A future is dropped when its caller has given up. What it has handed to others by then looks at [`Caller::given_up`] before it
/// begins.
pub(crate) trait Backend: Send + Sync + 'static {
    /// Reads a record.
    fn record(self: Arc<Self>, question: ReadRecord) -> Answering<Option<Map<String, Value>>>;
    /// Reads a page of records.
    fn records(self: Arc<Self>, question: ReadRecords) -> Answering<RecordPage>;
    /// Stores an execution of a workflow that is the caller's.
    fn start_workflow(self: Arc<Self>, caller: Caller, question: StartWorkflow) -> Answering<ExecutionId>;
}
