//! The states of executions and jobs, and the one function each that says which moves are legal.

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
        todo!()
    }

    /// Reads the column value.
    pub fn from_code(code: Option<i64>) -> Option<Self> {
        let _ = code;
        todo!()
    }

    /// Says whether the execution has ended.
    pub fn is_final(self) -> bool {
        todo!()
    }

    /// Moves to `next`.
    ///
    /// # Errors
    ///
    /// [`StoreError::IllegalMove`] unless queued → started, queued → aborted or started → any final state.
    pub fn to(self, next: Self) -> Result<Self, StoreError> {
        let _ = next;
        todo!()
    }
}

impl JobStatus {
    /// The wire and column value.
    pub fn code(self) -> i64 {
        todo!()
    }

    /// Reads the column value.
    pub fn from_code(code: i64) -> Option<Self> {
        let _ = code;
        todo!()
    }

    /// The state of an execution that ends at a job in this state; `None` while it waits.
    pub fn ends_execution_as(self) -> Option<ExecutionStatus> {
        todo!()
    }

    /// Moves to `next`; only a pending job moves.
    ///
    /// # Errors
    ///
    /// [`StoreError::IllegalMove`] otherwise.
    pub fn to(self, next: Self) -> Result<Self, StoreError> {
        let _ = next;
        todo!()
    }
}
