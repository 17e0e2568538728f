//! The workflow engine.
//!
//! An execution is stored by the action that triggers it ([`store::Tx::enqueue`]). A synchronous one is run by its request
//! through [`Engine::run`]; all others are claimed by the dispatcher, in order within a workflow and in parallel across
//! workflows. The processor walks the nodes of the workflow version and ends the execution; what a node writes, its job, and
//! the jobs of the effectless nodes before it are stored together. Nothing here knows HTTP or plugins.
//!
//! Reading order:
//!
//! 1. `engine`: the handle, which is all that others see
//! 2. `dispatcher`: who runs what, and when
//! 3. `processor` and `plan`: one execution on its way through its nodes, `processor/within.rs`: one that is part of another's
//!    transaction; `ending`: what follows from its end
//! 4. [`options`]: what a workflow says about its executions
//! 5. `nodes`: one file per node type, and `outside`: what they may reach beyond the store
//! 6. `variables` and `expression`: what stands in a node's configuration
//! 7. `tasks`: what becomes of the decisions that people take; `trial`: one node, run to see what it does
//! 8. [`provided`]: node types of others, which ask people
//! 9. [`Sources`]: further databases that nodes work on
//! 10. [`loop_guard`]: which executions are not even stored

mod dispatcher;
mod ending;
mod engine;
mod error;
mod expression;
pub mod loop_guard;
mod nodes;
pub mod options;
mod outside;
mod plan;
mod processor;
pub mod provided;
mod reader;
mod sources;
mod tasks;
mod trial;
mod variables;

use store::{ExecutionId, ExecutionStatus};

pub use engine::{Engine, EngineOptions, Instance};
pub use error::EngineError;
pub use nodes::{NodeFault, NodeFaults, NodeStep, is_built_in};
pub use options::WorkflowOptions;
pub use outside::{
    OutsideOptions, Permission,
    mail::{MailError, MailServer},
};
pub use sources::Sources;
pub use trial::{Trial, Tried};

/// How an execution went, as far as it got.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The execution.
    pub id: ExecutionId,
    /// Its state now; [`ExecutionStatus::Started`] while it waits for a job.
    pub status: ExecutionStatus,
    /// What its response-message nodes said, in order.
    pub messages: Vec<String>,
    /// Whether an *end* node ended it.
    pub ended_by_node: bool,
    /// What its last *output* node worked out, if one ran.
    pub output: Option<serde_json::Value>,
}

/// A node type, for the console.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeTypeInfo {
    /// Its name, as in a node's `type`.
    pub name: String,
    /// The JSON Schema of its configuration.
    pub config_schema: serde_json::Value,
}
