//! One node: recalled if its job is stored, otherwise run.

use std::{sync::Arc, time::Instant};

use serde_json::{Value, json};
use store::{Job, JobId, JobStatus, NewJob};

use super::{
    super::within::not_within,
    Part, Turn, UNSTORED, Walk,
    elsewhere::Elsewhere,
    line::{Left, Line, Mode},
    locked,
    transaction::{Entry, LineKind, Stored, Then},
};
use crate::{
    EngineError,
    nodes::{Effect, NodeError, NodeResult, Run, Surround},
    plan::PlannedNode,
};

impl Walk<'_> {
    /// Does what there is to do at a node.
    pub(super) async fn node(&self, line: &mut Line, index: usize) -> Result<Turn, EngineError> {
        let stored = line.history.job(line.place, self.plan.node(index).row.id).cloned();
        match (stored, line.mode) {
            (Some(job), _) => self.recall(line, index, job).await,
            (None, Mode::Recall) => Ok(Turn::Left(Left::Waits(None))),
            (None, Mode::Run) => self.begin(line, index).await,
        }
    }

    /// Goes on from a stored job.
    async fn recall(&self, line: &mut Line, index: usize, job: Job) -> Result<Turn, EngineError> {
        (line.last, line.meta) = (Some(job.id), Value::Null);
        let planned = self.plan.node(index);
        if planned.node.as_ref().is_some_and(|node| node.surrounds()) {
            return match self.effect(line, index).await {
                Ok(Effect::Surround(surround)) => self.surround(line, index, job, surround).await,
                Ok(Effect::Done(_) | Effect::Write(_) | Effect::WriteElsewhere(..)) => {
                    Ok(Turn::Left(Left::Broken(JobStatus::Error)))
                }
                // What waits inside waits for nothing any more.
                Err(error) => self.finish(line, index, &job, Entry::Close, failure(&passable(error)?)).await,
            };
        }
        if job.status != JobStatus::Pending {
            return Ok(self.note(line, index, job.status, job.result));
        }
        if line.mode == Mode::Recall || job.due_at_ms.is_none_or(|due| due > self.processor.clock().now_ms()) {
            return Ok(Turn::Left(Left::Waits(job.due_at_ms)));
        }
        let result = match &planned.node {
            Some(node) => node.resume(&planned.row.config, &line.scope, &job).unwrap_or_else(|error| failure(&error)),
            None => unknown_type(&planned.row.node_type),
        };
        self.finish(line, index, &job, Entry::Finish, result).await
    }

    /// Ends a stored job, if it is pending, with this kind of entry.
    async fn finish(
        &self,
        line: &mut Line,
        index: usize,
        job: &Job,
        entry: fn(JobId, NodeResult) -> Entry,
        result: NodeResult,
    ) -> Result<Turn, EngineError> {
        if job.status != JobStatus::Pending {
            return Ok(self.note(line, index, job.status, job.result.clone()));
        }
        let (status, value) = (result.status, result.result.clone());
        self.keep(line, entry(job.id, result)).await.map(|stopped| match stopped {
            Some(left) => Turn::Left(left),
            None => self.note(line, index, status, value),
        })
    }

    /// Runs a node that has no job yet.
    async fn begin(&self, line: &mut Line, index: usize) -> Result<Turn, EngineError> {
        let started_at_ms = self.processor.clock().now_ms();
        line.scope.set_now(started_at_ms);
        let planned = self.plan.node(index);
        let at_once = planned.node.as_ref().is_none_or(|node| node.at_once(&planned.row.config));
        if let (false, Some(left)) = (at_once, if at_once { None } else { self.flush(line).await? }) {
            return Ok(Turn::Left(left));
        }
        let result = match self.effect(line, index).await {
            Ok(Effect::Done(result)) => result,
            Ok(Effect::Write(work)) => {
                let job = Box::new(self.job(line, index, started_at_ms, NodeResult::resolved(Value::Null)));
                let kind = if line.place.owner.is_none() { LineKind::Main } else { LineKind::Inner };
                match self.store(line, Then::Work { index, job, work, line: kind }).await {
                    Ok(stored) => return Ok(self.written(line, index, stored)),
                    Err(error) => failure(&passable(error)?),
                }
            }
            Ok(Effect::WriteElsewhere(store, work)) => match self.write_elsewhere(line, index, store, work).await {
                Ok(Elsewhere::Done(result)) => result,
                Ok(Elsewhere::Stopped(status)) => return Ok(Turn::Left(Left::Stopped(status))),
                Err(error) => failure(&passable(error)?),
            },
            Ok(Effect::Surround(surround)) => {
                let job = NodeResult::ended(JobStatus::Pending, Value::Null);
                let job = Box::new(self.job(line, index, started_at_ms, job));
                return match self.store(line, Then::Job(job)).await? {
                    Stored::Going(Some(job)) => {
                        line.meta = Value::Null;
                        self.surround(line, index, *job, surround).await
                    }
                    Stored::Going(None) | Stored::Ended(_) | Stored::Waiting(..) => Ok(Turn::Left(Left::Waits(None))),
                    Stored::Stopped(status) => Ok(Turn::Left(Left::Stopped(status))),
                };
            }
            Err(error) => failure(&passable(error)?),
        };
        let (status, value, due_at_ms) = (result.status, result.result.clone(), result.due_at_ms);
        locked(&self.woken).extend(result.wakes);
        let job = self.job(line, index, started_at_ms, result);
        line.meta = Value::Null;
        if let Some(left) = self.keep(line, Entry::New(job)).await? {
            return Ok(Turn::Left(left));
        }
        let turn = self.note(line, index, status, value);
        Ok(if status == JobStatus::Pending { Turn::Left(Left::Waits(due_at_ms)) } else { turn })
    }

    /// What a node's work has left behind.
    fn written(&self, line: &mut Line, index: usize, stored: Stored) -> Turn {
        line.meta = Value::Null;
        match stored {
            Stored::Going(Some(job)) if job.status == JobStatus::Pending => Turn::Left(Left::Waits(job.due_at_ms)),
            Stored::Going(Some(job)) => self.note(line, index, job.status, job.result),
            Stored::Ended(ended) => {
                if let Some(job) = &ended.last {
                    self.note(line, index, job.status, job.result.clone());
                }
                *locked(&self.closed) = Some(ended);
                Turn::Left(Left::Closed)
            }
            Stored::Going(None) | Stored::Waiting(..) => Turn::Left(Left::Waits(None)),
            Stored::Stopped(status) => Turn::Left(Left::Stopped(status)),
        }
    }

    /// Walks the branches of a node, within its job.
    async fn surround(&self, line: &mut Line, index: usize, job: Job, surround: Surround) -> Result<Turn, EngineError> {
        let (place, mode, depth) = (line.place, line.mode, line.returns.len());
        line.returns.push(line.history.forgotten(place, job.node_id));
        if job.status != JobStatus::Pending {
            line.mode = Mode::Recall;
        }
        let walked = match surround {
            Surround::Loop(rounds) => self.rounds(line, index, job.id, &rounds).await,
            Surround::Parallel(mode) => self.branches(line, index, &job, mode).await,
        };
        (line.place, line.meta, line.mode) = (place, Value::Null, mode);
        line.returns.truncate(depth);
        let walked = walked?;
        if job.status != JobStatus::Pending {
            line.last = Some(job.id);
            return Ok(match (job.status, walked.left) {
                (_, Some(left @ Left::Ends(_))) => Turn::Left(left),
                (status, _) => self.note(line, index, status, job.result),
            });
        }
        let Some(result) = walked.result else {
            return Ok(Turn::Left(walked.left.unwrap_or(Left::Waits(None))));
        };
        let (status, value) = (result.status, result.result.clone());
        if let Some(left) = self.keep(line, Entry::Close(job.id, result)).await? {
            return Ok(Turn::Left(left));
        }
        let turn = self.note(line, index, status, value);
        Ok(walked.left.map_or(turn, Turn::Left))
    }

    /// Resolves and runs a node, up to what has to be written.
    async fn effect(&self, line: &Line, index: usize) -> Result<Effect, NodeError> {
        let planned = self.plan.node(index);
        if let Some(part) = &self.within {
            part.admits(planned)?;
        }
        let returns = [line.returns.as_slice(), &[line.history.forgotten(line.place, planned.row.id)]].concat();
        let run = Run {
            reader: self.reader(),
            store: &self.processor.store,
            scope: &line.scope,
            expressions: &self.processor.expressions,
            outside: &self.processor.outside,
            sources: if self.within.is_none() { Some(self.processor.sources.as_ref()) } else { None },
            execution: self.execution.id,
            stack: &self.execution.stack,
            node: &planned.row,
            rounds: &line.rounds,
            returns: &returns,
        };
        match &planned.node {
            Some(node) => node.run(&planned.row.config, &run).await,
            None => Ok(Effect::Done(unknown_type(&planned.row.node_type))),
        }
    }

    fn job(&self, line: &Line, index: usize, started_at_ms: i64, result: NodeResult) -> NewJob {
        let row = &self.plan.node(index).row;
        NewJob {
            id: None,
            execution_id: self.execution.id,
            node_id: row.id,
            node_key: row.key.clone(),
            upstream_id: line.place.owner,
            status: result.status,
            result: result.result,
            meta: line.meta.clone(),
            due_at_ms: result.due_at_ms,
            started_at_ms,
        }
    }

    /// Keeps an entry to be stored later; `Some` if the execution was stopped meanwhile.
    async fn keep(&self, line: &mut Line, entry: Entry) -> Result<Option<Left>, EngineError> {
        line.unstored.push(entry);
        if line.unstored.len() >= UNSTORED { self.flush(line).await } else { Ok(None) }
    }

    /// Takes note of a result for later nodes and for the answer.
    fn note(&self, line: &mut Line, index: usize, status: JobStatus, result: Value) -> Turn {
        let (planned, result) = (self.plan.node(index), Arc::new(result));
        line.know(&planned.row.key, Arc::clone(&result));
        line.said.last = Some(Arc::clone(&result));
        if let (Some(node), Some(_)) = (&planned.node, status.ends_execution_as()) {
            // One that cannot be told any more is told in the log.
            line.said.messages.extend(node.message(&result).ok().flatten());
            if status == JobStatus::Resolved {
                if let Some(target) = node.assigns(&planned.row.config) {
                    line.know(target, Arc::clone(&result));
                }
                if node.outputs() {
                    line.said.output = Some(Value::clone(&result));
                }
            }
        }
        Turn::Done(status, result)
    }
}

impl Part<'_> {
    /// Refuses a node that others cannot be kept waiting for.
    fn admits(&self, planned: &PlannedNode) -> Result<(), NodeError> {
        let row = &planned.row;
        if planned.node.as_ref().is_some_and(|node| !node.runs_within(&row.config)) {
            return Err(NodeError::Refused(not_within(&row.node_type)));
        }
        if Instant::now() > self.deadline {
            let message = "the workflow takes too long for the transaction of a change, which everybody else waits for";
            return Err(NodeError::Refused(message.to_owned()));
        }
        Ok(())
    }
}

/// A node's error becomes its job's result; that the disk is full, that the store has stopped, or that others' writes took
/// this one down, does not: the node is run again later.
pub(super) fn passable(error: NodeError) -> Result<NodeError, EngineError> {
    match error {
        NodeError::Store(error) if error.is_transient() => Err(error.into()),
        other => Ok(other),
    }
}

pub(super) fn failure(error: &NodeError) -> NodeResult {
    NodeResult::ended(JobStatus::Error, json!({"message": error.to_string()}))
}

fn unknown_type(name: &str) -> NodeResult {
    let error = EngineError::UnknownNodeType(name.to_owned());
    NodeResult::ended(JobStatus::Error, json!({"message": error.to_string()}))
}
