//! Failures on purpose: a test decides, step by step of each node, which ones fail.

use std::sync::Arc;

use super::NodeError;

/// Decides for each step of a node, as it is about to be taken, whether it fails instead. For tests: a server starts its
/// engine without.
pub trait NodeFaults: Send + Sync {
    /// Says how this step of a node of this type fails, if it does.
    fn strikes(&self, node_type: &str, step: NodeStep) -> Option<NodeFault>;
}

/// A step of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeStep {
    /// It works, up to what has to be written. A node that surrounds its branches takes this step whenever its execution is
    /// taken up again.
    Run,
    /// It writes, in a transaction.
    Write,
    /// It has written, and its job is to be stored in the same transaction.
    Written,
    /// What it waited for is there.
    Resume,
    /// It says which branch follows a result: before the result is stored, and whenever an execution goes on from there.
    Branch,
    /// It says what a result tells the person who waits for the answer; likewise.
    Message,
}

/// How a step fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeFault {
    /// It answers an error.
    Error,
    /// It panics.
    Panic,
}

/// The faults of an engine's nodes, if it has some.
#[derive(Clone, Default)]
pub(crate) struct FaultPoint(Option<Arc<dyn NodeFaults>>);

impl FaultPoint {
    pub(crate) fn new(faults: Arc<dyn NodeFaults>) -> Self {
        Self(Some(faults))
    }

    /// Fails if it is this step's turn to fail.
    pub(super) fn pass(&self, node_type: &str, step: NodeStep) -> Result<(), NodeError> {
        match self.0.as_ref().and_then(|faults| faults.strikes(node_type, step)) {
            None => Ok(()),
            Some(NodeFault::Error) => Err(NodeError::Refused("a failure on purpose".to_owned())),
            Some(NodeFault::Panic) => panic!("a panic on purpose"),
        }
    }
}
