//! The branches of a parallel node.

use std::{collections::BTreeMap, sync::Arc};

use futures::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use serde_json::{Value, json};
use store::{Clock, ExecutionStatus, Job, JobStatus};

use super::{
    Walk,
    history::{History, meta},
    line::{Left, Line, Mode, Said},
};
use crate::{
    EngineError,
    nodes::{NodeResult, ParallelMode},
};

/// What has become of the branches of a node.
pub(super) struct Walked {
    /// How the node's job ends; `None` if it does not.
    pub(super) result: Option<NodeResult>,
    /// How the line is left at the node; `None` if it is not.
    pub(super) left: Option<Left>,
}

impl Walked {
    pub(super) fn done(result: NodeResult) -> Self {
        Self { result: Some(result), left: None }
    }

    pub(super) fn left(left: Left) -> Self {
        Self { result: None, left: Some(left) }
    }

    /// A node inside has ended the execution: those around it end likewise.
    pub(super) fn ends(status: ExecutionStatus, result: Value) -> Self {
        let job = if status == ExecutionStatus::Resolved { JobStatus::Resolved } else { JobStatus::Failed };
        Self { result: Some(NodeResult::ended(job, result)), left: Some(Left::Ends(status)) }
    }
}

/// A branch that is over.
struct Over {
    status: JobStatus,
    said: Said,
}

/// A branch that is being walked, by its number.
type Running<'w> = BoxFuture<'w, Result<(usize, Line, Left), EngineError>>;

impl Walk<'_> {
    /// Walks all branches of a node at the same time.
    pub(super) async fn branches(
        &self,
        line: &mut Line,
        index: usize,
        job: &Job,
        mode: ParallelMode,
    ) -> Result<Walked, EngineError> {
        if let Some(left) = self.flush(line).await? {
            return Ok(Walked::left(left));
        }
        let branches = self.plan.branches(index);
        if line.mode == Mode::Recall {
            return self.recall_branches(line, &branches, job).await;
        }
        let mut events = self.events.clone();
        let mut running: FuturesUnordered<Running<'_>> = FuturesUnordered::new();
        let mut over: BTreeMap<usize, Over> = BTreeMap::new();
        let mut waiting: BTreeMap<usize, Option<i64>> = BTreeMap::new();
        let mut ends = None;
        for (number, (branch, first)) in branches.iter().enumerate() {
            running.push(self.branch(line.branch(job.id, meta(*branch, 0)), number, *first));
        }
        while ends.is_none() && verdict(mode, branches.len(), &over).is_none() && !running.is_empty() {
            let woken = async {
                tokio::select! {
                    () = until(self.processor.clock(), waiting.values().copied().flatten().min()) => {}
                    changed = events.changed() => if changed.is_err() { std::future::pending().await },
                }
            };
            tokio::select! {
                biased;
                Some(left) = running.next() => {
                    let (number, inner, left) = left?;
                    let status = match left {
                        Left::Through => JobStatus::Resolved,
                        Left::Broken(status) => status,
                        Left::Ends(status) => {
                            ends = Some(status);
                            if status == ExecutionStatus::Resolved { JobStatus::Resolved } else { JobStatus::Failed }
                        }
                        Left::Waits(due_at_ms) => {
                            waiting.insert(number, due_at_ms);
                            continue;
                        }
                        Left::Closed | Left::Stopped(_) => return Ok(Walked::left(left)),
                    };
                    over.insert(number, Over { status, said: inner.said });
                }
                () = woken, if !waiting.is_empty() => {
                    let jobs = self.reader().read().await?.jobs(self.execution.id).await?;
                    let mut now = line.clone();
                    now.history = Arc::new(History::new(jobs));
                    for number in std::mem::take(&mut waiting).into_keys() {
                        let (branch, first) = branches[number];
                        running.push(self.branch(now.branch(job.id, meta(branch, 0)), number, first));
                    }
                }
            }
        }
        drop(running);
        let verdict = ends.map_or_else(|| verdict(mode, branches.len(), &over), |_| Some(JobStatus::Resolved));
        let Some(verdict) = verdict else {
            return Ok(Walked::left(Left::Waits(waiting.into_values().flatten().min())));
        };
        let outcomes: Vec<Value> = branches
            .iter()
            .enumerate()
            .map(|(number, (branch, _))| {
                let (status, result) = match over.get(&number) {
                    Some(over) => (over.status, over.said.last.as_deref().cloned().unwrap_or_default()),
                    None => (JobStatus::Canceled, Value::Null),
                };
                json!({"branch": branch, "status": status.code(), "result": result})
            })
            .collect();
        let result = json!({"branches": outcomes});
        for over in over.into_values() {
            line.hear(over.said);
        }
        Ok(match ends {
            Some(status) => Walked::ends(status, result),
            None => Walked::done(NodeResult::ended(verdict, result)),
        })
    }

    /// Walks one branch and stores what it leaves to be stored.
    fn branch<'w>(&'w self, mut line: Line, number: usize, first: usize) -> Running<'w> {
        Box::pin(async move {
            let left = self.line(&mut line, Some(first)).await?;
            let stopped = self.flush(&mut line).await?;
            Ok((number, line, stopped.unwrap_or(left)))
        })
    }

    /// Gathers what the branches have said that were not canceled.
    async fn recall_branches(
        &self,
        line: &mut Line,
        branches: &[(i64, usize)],
        job: &Job,
    ) -> Result<Walked, EngineError> {
        let outcomes = job.result.get("branches").and_then(Value::as_array);
        let mut ends = None;
        for (branch, first) in branches {
            let outcome = outcomes.into_iter().flatten().find(|outcome| outcome["branch"] == *branch);
            let status = outcome.and_then(|outcome| outcome["status"].as_i64()).and_then(JobStatus::from_code);
            if status.is_none_or(|status| status == JobStatus::Canceled) {
                continue;
            }
            let mut inner = line.branch(job.id, meta(*branch, 0));
            if let left @ Left::Ends(_) = self.line(&mut inner, Some(*first)).await? {
                ends = Some(left);
            }
            line.hear(inner.said);
        }
        Ok(Walked { result: None, left: ends })
    }
}

/// How the node's job ends, once that is decided.
fn verdict(mode: ParallelMode, branches: usize, over: &BTreeMap<usize, Over>) -> Option<JobStatus> {
    let all = over.len() >= branches;
    let mut statuses = over.values().map(|over| over.status);
    match mode {
        ParallelMode::All => match statuses.find(|status| *status != JobStatus::Resolved) {
            Some(broken) => Some(broken),
            None => all.then_some(JobStatus::Resolved),
        },
        ParallelMode::Any => match statuses.find(|status| *status == JobStatus::Resolved) {
            Some(resolved) => Some(resolved),
            None if branches == 0 => Some(JobStatus::Resolved),
            None => all.then_some(JobStatus::Failed),
        },
        ParallelMode::Race => statuses.next().or((branches == 0).then_some(JobStatus::Resolved)),
        ParallelMode::AllSettled => all.then_some(JobStatus::Resolved),
    }
}

/// Waits until a moment, in milliseconds since 1970; for ever if there is none.
async fn until(clock: &Clock, at_ms: Option<i64>) {
    match at_ms {
        Some(at_ms) => clock.reaches(at_ms).await,
        None => std::future::pending().await,
    }
}
