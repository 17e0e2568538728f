//! What can go wrong in the engine, by who has to act on it.

use crate::nodes::NodeError;

/// Errors of the engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The configuration of a node is wrong: the configurer's. The sentence is theirs.
    #[error("{0}")]
    Invalid(String),
    /// No node type has this name.
    #[error("Node type \"{0}\" is not registered")]
    UnknownNodeType(String),
    /// The execution is not there.
    #[error("execution not found")]
    NotFound,
    /// The code of a node panicked: the programmer's. The execution is run again, a few times.
    #[error("a run was given up")]
    Panicked,
    /// Who provides the node's type is out of order: the same can be done later.
    #[error("{0}")]
    Unavailable(String),
    /// Who provides the node's type is at fault. Nothing was done.
    #[error("a node type is at fault: {0}")]
    Fault(String),
    /// The engine is shutting down.
    #[error("the engine is stopping")]
    Stopping,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::StoreError),
}

impl EngineError {
    /// Says whether the same may succeed later without anybody changing it.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Store(error) => error.is_transient(),
            Self::Stopping => true,
            Self::Invalid(_)
            | Self::UnknownNodeType(_)
            | Self::NotFound
            | Self::Panicked
            | Self::Unavailable(_)
            | Self::Fault(_) => false,
        }
    }
}

impl From<NodeError> for EngineError {
    fn from(error: NodeError) -> Self {
        match error {
            NodeError::Store(error) => Self::Store(error),
            NodeError::Refused(_) | NodeError::Expression(_) | NodeError::Panicked => Self::Invalid(error.to_string()),
        }
    }
}
