//! Messages as text. A later version of the program may say more: what is not understood is passed over.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    changes::{Change, ExecutionChange, ExecutionStep, JobChange},
    hosts::{Hint, Message},
    id::{ExecutionId, JobId, NodeId, WorkflowId},
    status::{ExecutionStatus, JobStatus},
};

/// PostgreSQL takes less than 8,000 bytes.
const PAYLOAD_BYTES: usize = 7_900;

#[derive(Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Payload {
    from: String,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    queued: BTreeSet<WorkflowId>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    ready: BTreeSet<ExecutionId>,
    changed: bool,
    watching: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    told: Vec<Told>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Told {
    #[serde(rename_all = "camelCase")]
    Execution {
        id: ExecutionId,
        workflow_id: WorkflowId,
        key: String,
        step: Step,
        queued_at: String,
        started_at: Option<String>,
        at: String,
    },
    #[serde(rename_all = "camelCase")]
    Job {
        id: JobId,
        execution_id: ExecutionId,
        node_id: NodeId,
        node_key: String,
        status: i64,
        started_at: Option<String>,
        at: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Step {
    Queued,
    Repeated,
    Started,
    Resumed,
    Ended(Option<i64>),
    Dropped,
}

/// Puts messages together, in as few texts as take them.
pub(super) fn payloads(from: &str, mut messages: Vec<Message>) -> Vec<String> {
    let mut payload = Payload { from: from.to_owned(), ..Payload::default() };
    for message in &messages {
        match message {
            Message::Hint(Hint::Queued(workflow)) => drop(payload.queued.insert(*workflow)),
            Message::Hint(Hint::Ready(execution)) => drop(payload.ready.insert(*execution)),
            Message::Hint(Hint::Changed) => payload.changed = true,
            // It is about this host's own hearing.
            Message::Hint(Hint::Lost) => {}
            Message::Watching => payload.watching = true,
            Message::Told(change) => payload.told.push(told(change)),
        }
    }
    match serde_json::to_string(&payload) {
        Ok(text) if text.len() <= PAYLOAD_BYTES => vec![text],
        Ok(_) if messages.len() > 1 => {
            let rest = messages.split_off(messages.len() / 2);
            [payloads(from, messages), payloads(from, rest)].concat()
        }
        // Nobody can be told.
        Ok(_) | Err(_) => Vec::new(),
    }
}

/// Takes a text apart; nothing if it is the host's own, or not understood.
pub(super) fn messages(me: &str, text: &str) -> Vec<Message> {
    let payload: Payload = match serde_json::from_str(text) {
        Ok(payload) => payload,
        Err(error) => {
            tracing::debug!(%error, "another host is not understood");
            return vec![Message::Hint(Hint::Lost)];
        }
    };
    if payload.from == me {
        return Vec::new();
    }
    let hints = payload.queued.into_iter().map(Hint::Queued).chain(payload.ready.into_iter().map(Hint::Ready));
    let hints = hints.chain(payload.changed.then_some(Hint::Changed)).map(Message::Hint);
    let watching = payload.watching.then_some(Message::Watching);
    hints.chain(watching).chain(payload.told.into_iter().filter_map(change).map(Message::Told)).collect()
}

fn told(change: &Change) -> Told {
    match change.clone() {
        Change::Execution(ExecutionChange { id, workflow_id, key, step, queued_at, started_at, at }) => {
            let step = match step {
                ExecutionStep::Queued => Step::Queued,
                ExecutionStep::Repeated => Step::Repeated,
                ExecutionStep::Started => Step::Started,
                ExecutionStep::Resumed => Step::Resumed,
                ExecutionStep::Ended(status) => Step::Ended(status.code()),
                ExecutionStep::Dropped => Step::Dropped,
            };
            Told::Execution { id, workflow_id, key, step, queued_at, started_at, at }
        }
        Change::Job(JobChange { id, execution_id, node_id, node_key, status, started_at, at }) => {
            Told::Job { id, execution_id, node_id, node_key, status: status.code(), started_at, at }
        }
    }
}

fn change(told: Told) -> Option<Change> {
    Some(match told {
        Told::Execution { id, workflow_id, key, step, queued_at, started_at, at } => {
            let step = match step {
                Step::Queued => ExecutionStep::Queued,
                Step::Repeated => ExecutionStep::Repeated,
                Step::Started => ExecutionStep::Started,
                Step::Resumed => ExecutionStep::Resumed,
                Step::Ended(code) => ExecutionStep::Ended(ExecutionStatus::from_code(code)?),
                Step::Dropped => ExecutionStep::Dropped,
            };
            Change::Execution(ExecutionChange { id, workflow_id, key, step, queued_at, started_at, at })
        }
        Told::Job { id, execution_id, node_id, node_key, status, started_at, at } => {
            let status = JobStatus::from_code(status)?;
            Change::Job(JobChange { id, execution_id, node_id, node_key, status, started_at, at })
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(number: i64) -> Message {
        Message::Told(Change::Job(JobChange {
            id: JobId(number),
            execution_id: ExecutionId(2),
            node_id: NodeId(3),
            node_key: "key".to_owned(),
            status: JobStatus::Resolved,
            started_at: None,
            at: "2024-02-03T04:05:06.000Z".to_owned(),
        }))
    }

    fn execution(step: ExecutionStep) -> Message {
        Message::Told(Change::Execution(ExecutionChange {
            id: ExecutionId(1),
            workflow_id: WorkflowId(2),
            key: "key".to_owned(),
            step,
            queued_at: "2024-02-03T04:05:06.000Z".to_owned(),
            started_at: Some("2024-02-03T04:05:06.000Z".to_owned()),
            at: "2024-02-03T04:05:06.000Z".to_owned(),
        }))
    }

    fn heard(payloads: &[String]) -> Vec<Message> {
        payloads.iter().flat_map(|payload| messages("other", payload)).collect()
    }

    #[test]
    fn what_is_said_is_heard_by_others() {
        let said = vec![
            Message::Hint(Hint::Queued(WorkflowId(1))),
            Message::Hint(Hint::Ready(ExecutionId(2))),
            Message::Hint(Hint::Changed),
            Message::Watching,
            execution(ExecutionStep::Repeated),
            execution(ExecutionStep::Ended(ExecutionStatus::Aborted)),
            job(1),
        ];
        let payloads = payloads("me", said.clone());
        assert_eq!(payloads.len(), 1);
        assert_eq!(heard(&payloads), said);
        assert_eq!(messages("me", &payloads[0]), []);
        assert_eq!(messages("me", "?"), [Message::Hint(Hint::Lost)]);
    }

    #[test]
    fn what_is_too_long_is_said_in_parts() {
        let said: Vec<Message> = (0..200).map(job).collect();
        let payloads = payloads("me", said.clone());
        assert!(payloads.len() > 1 && payloads.iter().all(|payload| payload.len() <= PAYLOAD_BYTES));
        assert_eq!(heard(&payloads), said);
    }
}
