//! What an execution has stored so far, by the place where it happened.
//!
//! Jobs form a tree: each hangs below the one before it on its line, and the first one of a branch or round below the job of
//! the node that surrounds it, with the branch and the round in its `meta`.
//!
//! A job can send its execution back to an earlier one on its line. What was done from that one on is kept in the store and
//! forgotten here: its nodes are run again.

use std::collections::HashMap;

use serde_json::{Value, json};
use store::{Job, JobId, NodeId};

/// Where a line runs: in which round of the job that surrounds it. The main line is in round 0 of none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Place {
    /// The surrounding job.
    pub(super) owner: Option<JobId>,
    /// Its round; 0 for branches that are run once.
    pub(super) round: u64,
}

/// The stored jobs of an execution.
#[derive(Default)]
pub(super) struct History {
    jobs: HashMap<(Place, NodeId), Job>,
    last_rounds: HashMap<JobId, u64>,
    /// How often a node at a place was run in vain: its job was gone back behind.
    forgotten: HashMap<(Place, NodeId), u64>,
}

/// What tells the first job of a branch or round from those that follow it.
pub(super) fn meta(branch: i64, round: u64) -> Value {
    json!({"branch": branch, "round": round})
}

impl History {
    /// Sorts jobs, which come oldest first, into their places.
    pub(super) fn new(jobs: Vec<Job>) -> Self {
        let mut history = Self::default();
        let mut places: HashMap<JobId, Place> = HashMap::new();
        for job in jobs {
            let above = job.upstream_id.and_then(|id| places.get(&id).copied()).unwrap_or_default();
            let place = match job.meta.get("round").and_then(Value::as_u64) {
                Some(round) if job.meta.get("branch").is_some() => Place { owner: job.upstream_id, round },
                Some(_) | None => above,
            };
            places.insert(job.id, place);
            if let Some(owner) = place.owner {
                let last = history.last_rounds.entry(owner).or_default();
                *last = place.round.max(*last);
            }
            let returns_to = job.returns_to;
            history.jobs.insert((place, job.node_id), job);
            if let Some(target) = returns_to {
                for ((at, node), _) in history.jobs.extract_if(|(at, _), job| *at == place && job.id >= target) {
                    *history.forgotten.entry((at, node)).or_default() += 1;
                }
            }
        }
        history
    }

    /// The jobs that lead to one on its line, oldest first.
    fn before(&self, id: JobId) -> Vec<&Job> {
        let Some((place, _)) = self.jobs.iter().find(|(_, job)| job.id == id).map(|(at, _)| *at) else {
            return Vec::new();
        };
        let mut before: Vec<&Job> =
            self.jobs.iter().filter(|((at, _), job)| *at == place && job.id < id).map(|(_, job)| job).collect();
        before.sort_by_key(|job| job.id);
        before
    }

    /// The job of a node at a place.
    pub(super) fn job(&self, place: Place, node: NodeId) -> Option<&Job> {
        self.jobs.get(&(place, node))
    }

    /// How many jobs of a node at a place were gone back behind: tells its runs from each other.
    pub(super) fn forgotten(&self, place: Place, node: NodeId) -> u64 {
        self.forgotten.get(&(place, node)).copied().unwrap_or_default()
    }

    /// The last round of a job that has left jobs behind.
    pub(super) fn last_round(&self, owner: JobId) -> Option<u64> {
        self.last_rounds.get(&owner).copied()
    }
}

/// The jobs that lead to one of an execution's jobs on its line, oldest first, without those that were gone back behind.
pub(crate) fn jobs_before(jobs: Vec<Job>, id: JobId) -> Vec<Job> {
    History::new(jobs).before(id).into_iter().cloned().collect()
}

#[cfg(test)]
mod tests {
    use store::{ExecutionId, JobStatus};

    use super::*;

    fn job(id: i64, node: i64, upstream: Option<i64>, meta: Value) -> Job {
        Job {
            id: JobId(id),
            execution_id: ExecutionId(1),
            node_id: NodeId(node),
            node_key: format!("k{node}"),
            upstream_id: upstream.map(JobId),
            status: JobStatus::Resolved,
            result: Value::Null,
            meta,
            due_at_ms: None,
            returns_to: None,
        }
    }

    #[test]
    fn what_was_gone_back_behind_is_forgotten_on_its_line_alone() {
        let back = |job: Job, to: i64| Job { returns_to: Some(JobId(to)), ..job };
        let jobs = vec![
            job(1, 1, None, Value::Null),
            job(2, 2, Some(1), Value::Null),
            job(3, 3, Some(2), meta(0, 0)),
            job(4, 4, Some(3), Value::Null),
            back(job(5, 5, Some(4), Value::Null), 4),
            job(6, 4, Some(3), Value::Null),
            back(job(7, 6, Some(2), Value::Null), 2),
        ];
        let (main, round) = (Place::default(), Place { owner: Some(JobId(2)), round: 0 });
        let history = History::new(jobs[..6].to_vec());
        let found = |history: &History, place, node| history.job(place, NodeId(node)).map(|job| job.id.0);
        assert_eq!(found(&history, main, 2), Some(2), "another line");
        assert_eq!([3, 4, 5].map(|node| found(&history, round, node)), [Some(3), Some(6), None]);
        let forgotten = |history: &History, place, node| history.forgotten(place, NodeId(node));
        assert_eq!([3, 4, 5].map(|node| forgotten(&history, round, node)), [0, 1, 1]);
        let before: Vec<i64> = history.before(JobId(6)).iter().map(|job| job.id.0).collect();
        assert_eq!(before, [3]);
        let history = History::new(jobs);
        assert_eq!([1, 2, 6].map(|node| found(&history, main, node)), [Some(1), None, None]);
        assert_eq!([1, 2, 6].map(|node| forgotten(&history, main, node)), [0, 1, 1]);
        assert_eq!(jobs_before(Vec::new(), JobId(1)), []);
    }

    #[test]
    fn jobs_are_found_where_they_happened() {
        let history = History::new(vec![
            job(1, 1, None, Value::Null),
            job(2, 2, Some(1), Value::Null),
            job(3, 3, Some(2), meta(0, 0)),
            job(4, 4, Some(3), Value::Null),
            job(5, 3, Some(2), meta(0, 1)),
            job(6, 4, Some(5), Value::Null),
            job(7, 5, Some(2), Value::Null),
        ]);
        let main = Place::default();
        let round = |round| Place { owner: Some(JobId(2)), round };
        for (place, node, want) in [
            (main, 1, Some(1)),
            (main, 2, Some(2)),
            (main, 3, None),
            (round(0), 3, Some(3)),
            (round(0), 4, Some(4)),
            (round(1), 4, Some(6)),
            (round(2), 4, None),
            (main, 5, Some(7)),
        ] {
            assert_eq!(history.job(place, NodeId(node)).map(|job| job.id.0), want, "{place:?} {node}");
        }
        assert_eq!((history.last_round(JobId(2)), history.last_round(JobId(1))), (Some(1), None));
    }
}
