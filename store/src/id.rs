//! A newtype for every id. All are 64-bit and stay below 2^53, so that JSON numbers carry them exactly.

use serde::{Deserialize, Serialize};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

ids! {
    /// Identifies a user.
    UserId,
    /// Identifies one version of a workflow.
    WorkflowId,
    /// Identifies a node of one workflow version.
    NodeId,
    /// Identifies an execution; later ones have larger ids.
    ExecutionId,
    /// Identifies a job.
    JobId,
    /// Identifies a task that a person has.
    TaskId,
    /// Identifies an approval.
    ApprovalId,
    /// Identifies a workflow's binding to a button.
    BindingId,
}
