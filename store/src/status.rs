//! The states of executions and jobs, and the one function each that says which moves are legal.

use std::fmt;

use crate::error::StoreError;

/// The state of an execution. On the wire a number, or `null` for [`Queued`](Self::Queued).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExecutionStatus {
    /// Stored, not begun (`null`).
    Queued,
    /// Begun; may be waiting for a job (0).
    Started,
    /// Ended well (1).
    Resolved,
    /// Ended by a node's verdict (-1).
    Failed,
    /// Ended by a node's error (-2).
    Error,
    /// Ended from outside, such as by a timeout (-3).
    Aborted,
    /// Canceled by the workflow (-4).
    Canceled,
    /// Rejected by a person (-5).
    Rejected,
    /// Wants to be run again (-6).
    RetryNeeded,
}

/// The state of a job. On the wire a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobStatus {
    /// Waits for something (0).
    Pending,
    /// Done (1).
    Resolved,
    /// Done with a negative verdict (-1).
    Failed,
    /// Broke (-2).
    Error,
    /// Ended from outside (-3).
    Aborted,
    /// Canceled (-4).
    Canceled,
    /// Rejected (-5).
    Rejected,
    /// Wants to be run again (-6).
    RetryNeeded,
}

impl ExecutionStatus {
    /// The wire and column value.
    pub fn code(self) -> Option<i64> {
        match self {
            Self::Queued => None,
            Self::Started => Some(0),
            Self::Resolved => Some(1),
            Self::Failed => Some(-1),
            Self::Error => Some(-2),
            Self::Aborted => Some(-3),
            Self::Canceled => Some(-4),
            Self::Rejected => Some(-5),
            Self::RetryNeeded => Some(-6),
        }
    }

    /// Reads the column value.
    pub fn from_code(code: Option<i64>) -> Option<Self> {
        Some(match code {
            None => Self::Queued,
            Some(0) => Self::Started,
            Some(1) => Self::Resolved,
            Some(-1) => Self::Failed,
            Some(-2) => Self::Error,
            Some(-3) => Self::Aborted,
            Some(-4) => Self::Canceled,
            Some(-5) => Self::Rejected,
            Some(-6) => Self::RetryNeeded,
            Some(_) => return None,
        })
    }

    /// Says whether the execution has ended.
    pub fn is_final(self) -> bool {
        match self {
            Self::Queued | Self::Started => false,
            Self::Resolved
            | Self::Failed
            | Self::Error
            | Self::Aborted
            | Self::Canceled
            | Self::Rejected
            | Self::RetryNeeded => true,
        }
    }

    /// Moves to `next`.
    ///
    /// # Errors
    ///
    /// [`StoreError::IllegalMove`] unless queued → started, queued → aborted, queued → error (it cannot even be begun)
    /// or started → any final state.
    pub fn to(self, next: Self) -> Result<Self, StoreError> {
        match (self, next) {
            (Self::Queued, Self::Started | Self::Aborted | Self::Error) => Ok(next),
            (Self::Started, next) if next.is_final() => Ok(next),
            (from, to) => {
                Err(StoreError::IllegalMove { what: "execution", from: from.to_string(), to: to.to_string() })
            }
        }
    }
}

impl fmt::Display for ExecutionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Queued => "queued",
            Self::Started => "started",
            Self::Resolved => "resolved",
            Self::Failed => "failed",
            Self::Error => "error",
            Self::Aborted => "aborted",
            Self::Canceled => "canceled",
            Self::Rejected => "rejected",
            Self::RetryNeeded => "retry needed",
        })
    }
}

impl JobStatus {
    /// The wire and column value.
    pub fn code(self) -> i64 {
        match self {
            Self::Pending => 0,
            Self::Resolved => 1,
            Self::Failed => -1,
            Self::Error => -2,
            Self::Aborted => -3,
            Self::Canceled => -4,
            Self::Rejected => -5,
            Self::RetryNeeded => -6,
        }
    }

    /// Reads the column value.
    pub fn from_code(code: i64) -> Option<Self> {
        Some(match code {
            0 => Self::Pending,
            1 => Self::Resolved,
            -1 => Self::Failed,
            -2 => Self::Error,
            -3 => Self::Aborted,
            -4 => Self::Canceled,
            -5 => Self::Rejected,
            -6 => Self::RetryNeeded,
            _ => return None,
        })
    }

    /// The state of an execution that ends at a job in this state; `None` while it waits.
    pub fn ends_execution_as(self) -> Option<ExecutionStatus> {
        match self {
            Self::Pending => None,
            Self::Resolved => Some(ExecutionStatus::Resolved),
            Self::Failed => Some(ExecutionStatus::Failed),
            Self::Error => Some(ExecutionStatus::Error),
            Self::Aborted => Some(ExecutionStatus::Aborted),
            Self::Canceled => Some(ExecutionStatus::Canceled),
            Self::Rejected => Some(ExecutionStatus::Rejected),
            Self::RetryNeeded => Some(ExecutionStatus::RetryNeeded),
        }
    }

    /// Moves to `next`; only a pending job moves.
    ///
    /// # Errors
    ///
    /// [`StoreError::IllegalMove`] otherwise.
    pub fn to(self, next: Self) -> Result<Self, StoreError> {
        if self == Self::Pending && next != Self::Pending {
            return Ok(next);
        }
        Err(StoreError::IllegalMove { what: "job", from: self.to_string(), to: next.to_string() })
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ends_execution_as() {
            None => f.write_str("pending"),
            Some(status) => status.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXECUTION: [ExecutionStatus; 9] = [
        ExecutionStatus::Queued,
        ExecutionStatus::Started,
        ExecutionStatus::Resolved,
        ExecutionStatus::Failed,
        ExecutionStatus::Error,
        ExecutionStatus::Aborted,
        ExecutionStatus::Canceled,
        ExecutionStatus::Rejected,
        ExecutionStatus::RetryNeeded,
    ];

    const JOB: [JobStatus; 8] = [
        JobStatus::Pending,
        JobStatus::Resolved,
        JobStatus::Failed,
        JobStatus::Error,
        JobStatus::Aborted,
        JobStatus::Canceled,
        JobStatus::Rejected,
        JobStatus::RetryNeeded,
    ];

    /// One row per state an execution is in, one letter per state it may take: `x` is a legal move.
    #[test]
    fn execution_moves() {
        let table = [
            ".x..xx...", // queued
            "..xxxxxxx", // started
            ".........", // resolved
            ".........", // failed
            ".........", // error
            ".........", // aborted
            ".........", // canceled
            ".........", // rejected
            ".........", // retry needed
        ];
        for (from, row) in EXECUTION.into_iter().zip(table) {
            let moves: String = EXECUTION.iter().map(|to| if from.to(*to).is_ok() { 'x' } else { '.' }).collect();
            assert_eq!(moves, row, "from {from}");
        }
    }

    #[test]
    fn job_moves() {
        for from in JOB {
            for to in JOB {
                let legal = from == JobStatus::Pending && to != JobStatus::Pending;
                assert_eq!(from.to(to).is_ok(), legal, "{from} to {to}");
            }
        }
    }

    #[test]
    fn codes_are_read_back() {
        for status in EXECUTION {
            assert_eq!(ExecutionStatus::from_code(status.code()), Some(status));
        }
        for status in JOB {
            assert_eq!(JobStatus::from_code(status.code()), Some(status));
            assert_eq!(status.ends_execution_as().is_none(), status == JobStatus::Pending);
        }
        assert_eq!(ExecutionStatus::from_code(Some(2)), None);
        assert_eq!(JobStatus::from_code(-7), None);
    }

    #[test]
    fn an_illegal_move_says_what_and_between_which_states() {
        let error = ExecutionStatus::Resolved.to(ExecutionStatus::Started).unwrap_err();
        assert_eq!(error.to_string(), "execution cannot go from resolved to started");
    }
}
