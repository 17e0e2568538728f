//! Workflow and node rows. Wire reads go through [`crate::Conn::find`] on the built-in collections `workflows` and
//! `flow_nodes`; what the engine and the host need typed is here.

use serde_json::Value;

use crate::{
    Record,
    db::{Conn, Tx},
    error::StoreError,
    id::{NodeId, UserId, WorkflowId},
};

/// One version of a workflow.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkflowRow {
    /// This version.
    pub id: WorkflowId,
    /// Shared by all versions: 11 characters `a-z0-9`.
    pub key: String,
    /// What people see.
    pub title: Option<String>,
    /// The trigger type.
    pub trigger_type: String,
    /// The trigger's configuration.
    pub config: Value,
    /// `{timeout, stackLimit, deleteExecutionOnStatus}`.
    pub options: Value,
    /// Switched on; at most one version of a key is.
    pub enabled: bool,
    /// The version that is shown; at most one of a key.
    pub current: bool,
    /// Runs before the answer; fixed when made.
    pub sync: bool,
    /// Executions of this version so far; above 0 the version is frozen.
    pub executed: i64,
}

/// One node of a workflow version.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeRow {
    /// The node.
    pub id: NodeId,
    /// Stable across versions: 11 characters `a-z0-9`.
    pub key: String,
    /// Its workflow version.
    pub workflow_id: WorkflowId,
    /// What people see.
    pub title: Option<String>,
    /// The node type.
    pub node_type: String,
    /// Its configuration.
    pub config: Value,
    /// The node before it, or the branching node it hangs from.
    pub upstream_id: Option<NodeId>,
    /// Which branch of `upstream_id` it begins; `None` on the main line.
    pub branch_index: Option<i64>,
    /// The node after it on the same line.
    pub downstream_id: Option<NodeId>,
}

/// Where a new node goes.
#[derive(Debug, Clone, PartialEq)]
pub struct NewNode {
    /// The node type.
    pub node_type: String,
    /// What people see.
    pub title: Option<String>,
    /// Its configuration.
    pub config: Value,
    /// The node before it; `None` puts it first.
    pub upstream_id: Option<NodeId>,
    /// The branch of `upstream_id` it begins; `None` continues the line. What followed there comes after it.
    pub branch_index: Option<i64>,
}

impl Conn {
    /// Reads one version.
    pub async fn workflow(&mut self, id: WorkflowId) -> Result<Option<WorkflowRow>, StoreError> {
        let _ = id;
        todo!()
    }

    /// Reads every enabled version.
    pub async fn enabled_workflows(&mut self) -> Result<Vec<WorkflowRow>, StoreError> {
        todo!()
    }

    /// Reads the nodes of a version.
    pub async fn nodes(&mut self, workflow: WorkflowId) -> Result<Vec<NodeRow>, StoreError> {
        let _ = workflow;
        todo!()
    }
}

impl Tx {
    /// Stores a new workflow, with a new key, and answers it. The first version of a key is current.
    pub async fn create_workflow(&mut self, values: Record, author: Option<UserId>) -> Result<WorkflowRow, StoreError> {
        let _ = (values, author);
        todo!()
    }

    /// Changes `title, description, enabled, config, options, current`; enabling a version makes it current and disables
    /// the other versions of its key. A changed `config` of an executed version is [`StoreError::Invalid`]
    /// (`WORKFLOW_FROZEN`). Answers the versions whose `enabled` or `config` changed, for the triggers.
    pub async fn update_workflow(
        &mut self,
        id: WorkflowId,
        values: Record,
        author: Option<UserId>,
    ) -> Result<Vec<WorkflowRow>, StoreError> {
        let _ = (id, values, author);
        todo!()
    }

    /// Makes the next version under the same key, or, with `independent`, a copy under a new one. Nodes are copied.
    pub async fn revise_workflow(&mut self, id: WorkflowId, kind: Revision) -> Result<WorkflowRow, StoreError> {
        let _ = (id, kind);
        todo!()
    }

    /// Deletes a version with its nodes; the current version of a key takes all versions with it. Answers what is gone.
    pub async fn destroy_workflow(&mut self, id: WorkflowId) -> Result<Vec<WorkflowRow>, StoreError> {
        let _ = id;
        todo!()
    }

    /// Inserts a node. [`StoreError::Invalid`] (`Node could not be created in executed workflow`) once executed.
    pub async fn create_node(&mut self, workflow: WorkflowId, node: NewNode) -> Result<NodeRow, StoreError> {
        let _ = (workflow, node);
        todo!()
    }

    /// Changes `title` and `config` (config not once executed).
    pub async fn update_node(&mut self, id: NodeId, values: Record) -> Result<NodeRow, StoreError> {
        let _ = (id, values);
        todo!()
    }

    /// Deletes a node and its branches; what followed takes its place. Not once executed.
    pub async fn destroy_node(&mut self, id: NodeId) -> Result<(), StoreError> {
        let _ = id;
        todo!()
    }
}

/// What a revision makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revision {
    /// The next version under the same key, disabled.
    NextVersion,
    /// A workflow of its own under a new key.
    Copy,
}
