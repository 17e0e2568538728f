//! What becomes of a task, and how tasks together decide their job.

use std::fmt;

use super::Task;
use crate::{error::StoreError, status::JobStatus};

/// The state of a task. On the wire a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TaskStatus {
    /// Waits for its assignee (0).
    Pending,
    /// Approved by its assignee (1).
    Approved,
    /// Its job ended without it (-3).
    Closed,
    /// Rejected by its assignee (-5).
    Rejected,
    /// Answered by its assignee in another way (2), which its `action` names.
    Answered,
}

/// What an assignee decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The execution may go on.
    Approve,
    /// It may not.
    Reject,
}

/// How many equal decisions decide a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quorum {
    /// Approvals after which the job is approved.
    pub approvals: u32,
    /// Rejections after which it is rejected.
    pub rejections: u32,
}

impl TaskStatus {
    /// The wire and column value.
    pub fn code(self) -> i64 {
        match self {
            Self::Pending => 0,
            Self::Approved => 1,
            Self::Closed => -3,
            Self::Rejected => -5,
            Self::Answered => 2,
        }
    }

    /// Reads a wire and column value.
    pub fn from_code(code: i64) -> Option<Self> {
        [Self::Pending, Self::Approved, Self::Closed, Self::Rejected, Self::Answered]
            .into_iter()
            .find(|status| status.code() == code)
    }

    /// Moves to `next`; only a pending task moves.
    ///
    /// # Errors
    ///
    /// [`StoreError::IllegalMove`] otherwise.
    pub fn to(self, next: Self) -> Result<Self, StoreError> {
        if self == Self::Pending && next != Self::Pending {
            return Ok(next);
        }
        Err(StoreError::IllegalMove { what: "task", from: self.to_string(), to: next.to_string() })
    }
}

impl fmt::Display for TaskStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Closed => "closed",
            Self::Rejected => "rejected",
            Self::Answered => "answered",
        })
    }
}

impl Decision {
    /// Its action's name.
    pub fn action(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
        }
    }

    /// The state of a task decided so.
    pub fn task_status(self) -> TaskStatus {
        match self {
            Self::Approve => TaskStatus::Approved,
            Self::Reject => TaskStatus::Rejected,
        }
    }

    /// The state of a job decided so.
    pub fn job_status(self) -> JobStatus {
        match self {
            Self::Approve => JobStatus::Resolved,
            Self::Reject => JobStatus::Rejected,
        }
    }
}

impl Quorum {
    /// What the tasks of a job have come to; `None` while it is open.
    pub fn verdict(self, tasks: &[Task]) -> Option<Decision> {
        let count = |status: TaskStatus| tasks.iter().filter(|task| task.status == status).count();
        if count(TaskStatus::Approved) >= self.approvals as usize {
            return Some(Decision::Approve);
        }
        (count(TaskStatus::Rejected) >= self.rejections as usize).then_some(Decision::Reject)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::{
        Record,
        id::{ExecutionId, JobId, TaskId, UserId},
    };

    #[test]
    fn only_a_pending_task_moves() {
        let all =
            [TaskStatus::Pending, TaskStatus::Approved, TaskStatus::Closed, TaskStatus::Rejected, TaskStatus::Answered];
        for from in all {
            assert_eq!(TaskStatus::from_code(from.code()), Some(from));
            for to in all {
                let legal = from == TaskStatus::Pending && to != TaskStatus::Pending;
                assert_eq!(from.to(to).is_ok(), legal, "{from} to {to}");
            }
        }
        assert_eq!(TaskStatus::from_code(3), None);
    }

    #[test]
    fn a_quorum_decides_as_soon_as_the_other_side_cannot_win() {
        let task = |status: TaskStatus| Task {
            id: TaskId(1),
            execution_id: ExecutionId(1),
            job_id: JobId(1),
            user_id: UserId(1),
            form: Value::Null,
            actions: Vec::new(),
            quorum: Quorum { approvals: 1, rejections: 1 },
            round: 1,
            delegated_from: None,
            status,
            action: None,
            values: Record::new(),
            comment: None,
            decided_at: None,
            return_to: None,
        };
        let check = |approvals: u32, rejections: u32, statuses: &[TaskStatus], want: Option<Decision>| {
            let tasks: Vec<Task> = statuses.iter().copied().map(task).collect();
            assert_eq!(Quorum { approvals, rejections }.verdict(&tasks), want, "{approvals}/{rejections} {statuses:?}");
        };
        use TaskStatus::{Approved, Pending, Rejected};
        check(1, 1, &[Pending, Pending], None);
        check(1, 1, &[Pending, Approved], Some(Decision::Approve));
        check(1, 1, &[Rejected, Pending], Some(Decision::Reject));
        check(2, 1, &[Approved, Pending], None);
        check(2, 2, &[Approved, Rejected, Pending], None);
        check(2, 2, &[Rejected, Rejected, Pending], Some(Decision::Reject));
        check(2, 2, &[Approved, Rejected, Approved], Some(Decision::Approve));
    }
}
