//! `executions:stream`: executions and their jobs as they go, for administrators.
//!
//! A stream subscribes to the store's changes before it reads anything. One that follows a single execution then tells its
//! state with all its jobs, and passes over the changes that this state has already. A client that reads too slowly is told
//! how many changes it missed; the state of a single execution is told anew then. Changes that several transactions have made at
//! the same time, here or on other hosts, may be heard of the wrong way round: what comes after its own end is not told any more.

mod sequence;
mod snapshot;

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use axum::response::Response;
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use store::{Change, ExecutionChange, ExecutionId, ExecutionStep, JobChange, JobStatus, Store, WorkflowId};
use tokio::sync::{
    OwnedSemaphorePermit,
    broadcast::{Receiver, error::RecvError},
};

use super::{Call, id_of, name_of};
use crate::{
    access::RequestContext,
    host::Host,
    http::{
        error::ApiError,
        stream::{Told, response},
    },
};
use sequence::Sequence;
use snapshot::Snapshot;

/// How long a stream lasts. The client connects again then, and whether it still may is looked at again.
const LIFE: Duration = Duration::from_secs(3_600);
/// Executions whose workflow a stream remembers: more than run at the same time; others are looked up.
const REMEMBERED_EXECUTIONS: usize = 4_096;

/// Says whether the call asks for a stream.
pub(crate) fn is_asked_for(call: &Call) -> bool {
    let address = &call.address;
    address.source.is_none() && address.resource == "executions" && address.action == "stream"
}

/// Opens a stream. It ends when the server stops.
///
/// # Errors
///
/// 403 for others than administrators, 400 for another filter, 404 for an execution that is not there, 503 when too many
/// streams are open.
pub(crate) async fn open(host: &Arc<Host>, context: &RequestContext, call: &Call) -> Result<Response, ApiError> {
    context.role().require_manager()?;
    let wanted = Wanted::read(call)?;
    let place = Arc::clone(&host.streams).try_acquire_owned().map_err(|_| ApiError::TooManyStreams)?;
    let mut follower = Follower {
        changes: host.store.changes(),
        store: host.store.clone(),
        wanted,
        snapshot: None,
        matching: HashMap::new(),
        sequence: Sequence::default(),
        untold: VecDeque::from([Told { name: "ready", data: json!({}) }]),
        _place: place,
    };
    follower.take_snapshot().await?.then_some(()).ok_or_else(ApiError::no_record)?;
    let stopping = host.stopping();
    let over = async move {
        tokio::select! {
            () = stopping.cancelled_owned() => {}
            () = tokio::time::sleep(LIFE) => {}
        }
    };
    let events = stream::unfold(follower, |mut follower| async { Some((follower.next().await?, follower)) });
    Ok(response(events.take_until(Box::pin(over))))
}

/// What a client wants to hear of: everything, or what fits all of these.
#[derive(Debug, Default, PartialEq)]
struct Wanted {
    execution: Option<ExecutionId>,
    workflow: Option<WorkflowId>,
    key: Option<String>,
}

impl Wanted {
    fn read(call: &Call) -> Result<Self, ApiError> {
        let mut wanted = Self::default();
        if !call.keys().is_empty() {
            wanted.execution = Some(ExecutionId(id_of(&call.key()?)?));
        }
        let filter = call.params.filter.as_ref().and_then(Value::as_object);
        for (name, condition) in filter.into_iter().flatten() {
            let value = match condition {
                Value::Object(operators) if operators.len() == 1 => operators.get("$eq").unwrap_or(&Value::Null),
                value => value,
            };
            match name.as_str() {
                "id" => wanted.execution = Some(ExecutionId(id_of(value)?)),
                "workflowId" => wanted.workflow = Some(WorkflowId(id_of(value)?)),
                "key" => wanted.key = Some(name_of(value)?.to_owned()),
                _ => {
                    let message = format!("a stream is filtered by id, workflowId or key, not by \"{name}\"");
                    return Err(ApiError::invalid("UNKNOWN_FIELD", message));
                }
            }
        }
        Ok(wanted)
    }

    fn fits(&self, execution: ExecutionId, workflow: WorkflowId, key: &str) -> bool {
        self.execution.is_none_or(|id| id == execution)
            && self.workflow.is_none_or(|id| id == workflow)
            && self.key.as_deref().is_none_or(|wanted| wanted == key)
    }
}

/// The state of a stream.
struct Follower {
    store: Store,
    changes: Receiver<Change>,
    wanted: Wanted,
    /// What was told of the execution wanted, when it was read.
    snapshot: Option<Snapshot>,
    /// Whether executions heard of are wanted: their jobs do not say of which workflow they are.
    matching: HashMap<ExecutionId, bool>,
    sequence: Sequence,
    untold: VecDeque<Told>,
    _place: OwnedSemaphorePermit,
}

impl Follower {
    async fn next(&mut self) -> Option<Told> {
        loop {
            if let Some(told) = self.untold.pop_front() {
                return Some(told);
            }
            match self.changes.recv().await {
                Ok(Change::Execution(change)) => self.execution(&change),
                Ok(Change::Job(change)) => self.job(&change).await,
                Err(RecvError::Lagged(count)) => {
                    self.untold.push_back(Told { name: "missed", data: json!({ "count": count }) });
                    if let Err(error) = self.take_snapshot().await {
                        tracing::warn!(%error, "a stream ends");
                        return None;
                    }
                }
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// Tells the state of the execution wanted, if it is one; `false` if it is not there.
    async fn take_snapshot(&mut self) -> Result<bool, ApiError> {
        let Some(id) = self.wanted.execution else { return Ok(true) };
        let Some(snapshot) = Snapshot::read(&self.store, id).await? else { return Ok(false) };
        self.untold.extend(snapshot.told());
        self.snapshot = Some(snapshot);
        Ok(true)
    }

    fn execution(&mut self, change: &ExecutionChange) {
        let fits = self.wanted.fits(change.id, change.workflow_id, &change.key);
        self.remember(change.id, fits);
        if !fits || !self.sequence.follows(change) {
            return;
        }
        if !self.snapshot.as_ref().is_some_and(|snapshot| snapshot.has(change)) {
            self.untold.push_back(told_execution(change));
        }
    }

    async fn job(&mut self, change: &JobChange) {
        let fits = match self.matching.get(&change.execution_id) {
            Some(fits) => *fits,
            None => self.look_up(change.execution_id).await,
        };
        if !fits || !self.sequence.job_follows(change) {
            return;
        }
        if !self.snapshot.as_ref().is_some_and(|snapshot| snapshot.has_job(change)) {
            self.untold.push_back(told_job(change));
        }
    }

    async fn look_up(&mut self, id: ExecutionId) -> bool {
        let fits = match &self.wanted {
            Wanted { execution: Some(wanted), .. } if *wanted != id => false,
            Wanted { workflow: None, key: None, .. } => true,
            wanted => match snapshot::workflow_of(&self.store, id).await {
                Ok(Some((workflow, key))) => wanted.fits(id, workflow, &key),
                Ok(None) => false,
                Err(error) => {
                    tracing::warn!(%error, "a stream could not look up an execution");
                    return false;
                }
            },
        };
        self.remember(id, fits);
        fits
    }

    fn remember(&mut self, id: ExecutionId, fits: bool) {
        if self.matching.len() >= REMEMBERED_EXECUTIONS {
            self.matching.clear();
        }
        self.matching.insert(id, fits);
    }
}

fn told_execution(change: &ExecutionChange) -> Told {
    let (status, finished_at) = match change.step {
        ExecutionStep::Queued | ExecutionStep::Repeated => (None, None),
        ExecutionStep::Started | ExecutionStep::Resumed => (Some(0), None),
        ExecutionStep::Ended(status) => (status.code(), Some(&change.at)),
        ExecutionStep::Dropped => {
            let data = json!({"id": change.id, "workflowId": change.workflow_id, "key": change.key});
            return Told { name: "dropped", data };
        }
    };
    let data = json!({
        "id": change.id, "workflowId": change.workflow_id, "key": change.key, "status": status,
        "createdAt": change.queued_at, "startedAt": change.started_at, "finishedAt": finished_at,
    });
    Told { name: "execution", data }
}

fn told_job(change: &JobChange) -> Told {
    let finished_at = (change.status != JobStatus::Pending).then_some(&change.at);
    let data = json!({
        "id": change.id, "executionId": change.execution_id, "nodeId": change.node_id, "nodeKey": change.node_key,
        "status": change.status.code(), "startedAt": change.started_at, "finishedAt": finished_at,
    });
    Told { name: "job", data }
}
