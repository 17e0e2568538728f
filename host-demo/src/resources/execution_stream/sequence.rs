//! What was told of last, so that nothing is told that had happened before it.

use std::collections::{HashMap, HashSet};

use store::{ExecutionChange, ExecutionId, JobChange, JobId, JobStatus};

/// Executions and jobs that are remembered each: far more than change within the moment in which changes overtake each other.
const REMEMBERED: usize = 4_096;

/// The latest changes.
#[derive(Default)]
pub(super) struct Sequence {
    ranks: HashMap<ExecutionId, u8>,
    ended_jobs: HashSet<JobId>,
}

impl Sequence {
    /// Says whether a change comes after what was told of its execution, and takes note of it.
    pub(super) fn follows(&mut self, change: &ExecutionChange) -> bool {
        let rank = change.step.rank();
        if self.ranks.get(&change.id).is_some_and(|told| rank < *told) {
            return false;
        }
        if self.ranks.len() >= REMEMBERED {
            self.ranks.clear();
        }
        self.ranks.insert(change.id, rank);
        true
    }

    /// The same for a job.
    pub(super) fn job_follows(&mut self, change: &JobChange) -> bool {
        if change.status == JobStatus::Pending {
            return !self.ended_jobs.contains(&change.id);
        }
        if self.ended_jobs.len() >= REMEMBERED {
            self.ended_jobs.clear();
        }
        self.ended_jobs.insert(change.id);
        true
    }
}

#[cfg(test)]
mod tests {
    use store::{ExecutionStatus, ExecutionStep, NodeId, WorkflowId};

    use super::*;

    #[test]
    fn nothing_follows_its_own_end() {
        let mut sequence = Sequence::default();
        let mut follows = |id: i64, step| {
            let (key, at) = (String::new(), String::new());
            let (id, queued_at) = (ExecutionId(id), String::new());
            sequence.follows(&ExecutionChange {
                id,
                workflow_id: WorkflowId(1),
                key,
                step,
                queued_at,
                started_at: None,
                at,
            })
        };
        assert!(follows(1, ExecutionStep::Started));
        assert!(!follows(1, ExecutionStep::Queued));
        assert!(follows(1, ExecutionStep::Resumed));
        assert!(follows(1, ExecutionStep::Ended(ExecutionStatus::Resolved)));
        assert!(!follows(1, ExecutionStep::Resumed));
        assert!(follows(2, ExecutionStep::Queued));
    }

    #[test]
    fn a_job_does_not_wait_any_more_when_it_has_ended() {
        let mut sequence = Sequence::default();
        let mut follows = |status| {
            let (node_key, at) = (String::new(), String::new());
            let (id, execution_id, node_id) = (JobId(1), ExecutionId(1), NodeId(1));
            sequence.job_follows(&JobChange { id, execution_id, node_id, node_key, status, started_at: None, at })
        };
        assert!(follows(JobStatus::Pending));
        assert!(follows(JobStatus::Resolved));
        assert!(!follows(JobStatus::Pending));
    }
}
