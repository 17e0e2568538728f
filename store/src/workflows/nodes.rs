//! Nodes: a main line and, from branching nodes, branches that return to it.
//!
//! `upstreamId` leads towards the start and `downstreamId` along the line; the first node of a branch has the branching node
//! upstream and a `branchIndex`, and is nobody's downstream.

use std::collections::HashMap;

use serde_json::Value;

use super::{frozen, new_key, object, text};
use crate::{
    Record,
    db::{Conn, Row, Tx},
    error::StoreError,
    id::{NodeId, WorkflowId},
};

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

macro_rules! select_nodes {
    ($condition:literal) => {
        concat!(
            r#"SELECT "id", "key", "workflowId", "title", "type", "config", "upstreamId", "branchIndex", "downstreamId"
               FROM "flow_nodes" WHERE "#,
            $condition
        )
    };
}

impl NodeRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: NodeId(row.get("id")?),
            key: row.get("key")?,
            workflow_id: WorkflowId(row.get("workflowId")?),
            title: row.get("title")?,
            node_type: row.get("type")?,
            config: row.json("config")?,
            upstream_id: row.get::<Option<i64>>("upstreamId")?.map(NodeId),
            branch_index: row.get("branchIndex")?,
            downstream_id: row.get::<Option<i64>>("downstreamId")?.map(NodeId),
        })
    }
}

impl Conn {
    /// Reads one node.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn node(&mut self, id: NodeId) -> Result<Option<NodeRow>, StoreError> {
        let rows = self.query(select_nodes!(r#""id" = ?"#), [id.0.into()]).await?;
        rows.first().map(NodeRow::read).transpose()
    }

    /// Reads the nodes of a version.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn nodes(&mut self, workflow: WorkflowId) -> Result<Vec<NodeRow>, StoreError> {
        let rows = self.query(select_nodes!(r#""workflowId" = ? ORDER BY "id""#), [workflow.0.into()]).await?;
        rows.iter().map(NodeRow::read).collect()
    }

    async fn present_node(&mut self, id: NodeId) -> Result<NodeRow, StoreError> {
        self.node(id).await?.ok_or_else(|| StoreError::NotFound { what: "node".into() })
    }
}

impl Tx {
    /// Inserts a node.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] (`Node could not be created in executed workflow`) once executed; [`StoreError::NotFound`] if
    /// the workflow or the upstream node is not there.
    pub async fn create_node(&mut self, workflow: WorkflowId, node: NewNode) -> Result<NodeRow, StoreError> {
        let version = self.held_workflow(workflow).await?;
        if version.executed > 0 {
            return Err(frozen("Node could not be created in executed workflow"));
        }
        let follower = match (node.upstream_id, node.branch_index) {
            (None, Some(_)) => {
                return Err(StoreError::invalid("INVALID_VALUE", "a branch needs the node that it begins at"));
            }
            (None, None) => {
                let rows = self
                    .query(select_nodes!(r#""workflowId" = ? AND "upstreamId" IS NULL"#), [workflow.0.into()])
                    .await?;
                rows.first().map(NodeRow::read).transpose()?
            }
            (Some(upstream), branch) => {
                let upstream = self.present_node(upstream).await?;
                if upstream.workflow_id != workflow {
                    return Err(StoreError::NotFound { what: "node".into() });
                }
                let rows = match branch {
                    None => {
                        let condition =
                            select_nodes!(r#""workflowId" = ? AND "upstreamId" = ? AND "branchIndex" IS NULL"#);
                        self.query(condition, [workflow.0.into(), upstream.id.0.into()]).await?
                    }
                    Some(branch) => {
                        let condition = select_nodes!(r#""workflowId" = ? AND "upstreamId" = ? AND "branchIndex" = ?"#);
                        self.query(condition, [workflow.0.into(), upstream.id.0.into(), branch.into()]).await?
                    }
                };
                rows.first().map(NodeRow::read).transpose()?
            }
        };
        let row = NodeRow {
            id: NodeId(self.next_id().await?),
            key: new_key(),
            workflow_id: workflow,
            title: node.title,
            node_type: node.node_type,
            config: node.config,
            upstream_id: node.upstream_id,
            branch_index: node.branch_index,
            downstream_id: follower.as_ref().map(|follower| follower.id),
        };
        self.insert_node(&row).await?;
        if let Some(follower) = follower {
            self.run(
                r#"UPDATE "flow_nodes" SET "upstreamId" = ?, "branchIndex" = NULL WHERE "id" = ?"#,
                [row.id.0.into(), follower.id.0.into()],
            )
            .await?;
        }
        if let (Some(upstream), None) = (row.upstream_id, row.branch_index) {
            self.lead(upstream, Some(row.id)).await?;
        }
        Ok(row)
    }

    /// Changes `title` and `config` (config not once executed); other members are passed over.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`], [`StoreError::NotFound`].
    pub async fn update_node(&mut self, id: NodeId, values: Record) -> Result<NodeRow, StoreError> {
        let before = self.present_node(id).await?;
        let config =
            object(&values, "config")?.map_or_else(|| before.config.clone(), |given| Value::Object(given.clone()));
        if config != before.config && self.held_workflow(before.workflow_id).await?.executed > 0 {
            return Err(frozen("Node could not be updated in executed workflow"));
        }
        let title = if values.contains_key("title") { text(&values, "title")? } else { before.title.clone() };
        self.run(
            r#"UPDATE "flow_nodes" SET "title" = ?, "config" = ?, "updatedAt" = ? WHERE "id" = ?"#,
            [title.as_deref().into(), config.to_string().into(), self.moment().into(), id.0.into()],
        )
        .await?;
        Ok(NodeRow { title, config, ..before })
    }

    /// Deletes a node and its branches; what followed takes its place. Not once executed.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`], [`StoreError::NotFound`].
    pub async fn destroy_node(&mut self, id: NodeId) -> Result<(), StoreError> {
        let node = self.present_node(id).await?;
        if self.held_workflow(node.workflow_id).await?.executed > 0 {
            return Err(frozen("Node could not be deleted in executed workflow"));
        }
        if let Some(follower) = node.downstream_id {
            self.run(
                r#"UPDATE "flow_nodes" SET "upstreamId" = ?, "branchIndex" = ? WHERE "id" = ?"#,
                [node.upstream_id.map(|id| id.0).into(), node.branch_index.into(), follower.0.into()],
            )
            .await?;
        }
        if let (Some(upstream), None) = (node.upstream_id, node.branch_index) {
            self.lead(upstream, node.downstream_id).await?;
        }
        self.run(
            r#"WITH RECURSIVE "under" ("id") AS (
                 SELECT "id" FROM "flow_nodes" WHERE "id" = ?
                 UNION
                 SELECT "flow_nodes"."id" FROM "flow_nodes" JOIN "under" ON "flow_nodes"."upstreamId" = "under"."id")
               DELETE FROM "flow_nodes" WHERE "workflowId" = ? AND "id" IN (SELECT "id" FROM "under")"#,
            [id.0.into(), node.workflow_id.0.into()],
        )
        .await
        .map(drop)
    }

    /// Copies the nodes of a version to another one that has none.
    pub(super) async fn copy_nodes(&mut self, from: WorkflowId, to: WorkflowId) -> Result<(), StoreError> {
        let nodes = self.nodes(from).await?;
        let mut copies: HashMap<NodeId, NodeId> = HashMap::with_capacity(nodes.len());
        for node in &nodes {
            copies.insert(node.id, NodeId(self.next_id().await?));
        }
        let copy_of = |id: Option<NodeId>| id.and_then(|id| copies.get(&id).copied());
        for node in &nodes {
            let copy = NodeRow {
                id: copies.get(&node.id).copied().unwrap_or(node.id),
                workflow_id: to,
                upstream_id: copy_of(node.upstream_id),
                downstream_id: copy_of(node.downstream_id),
                ..node.clone()
            };
            self.insert_node(&copy).await?;
        }
        Ok(())
    }

    async fn insert_node(&mut self, node: &NodeRow) -> Result<(), StoreError> {
        let now = self.moment();
        self.run(
            r#"INSERT INTO "flow_nodes" ("id", "key", "workflowId", "title", "type", "config", "upstreamId", "branchIndex",
                 "downstreamId", "createdAt", "updatedAt")
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"#,
            [
                node.id.0.into(),
                node.key.as_str().into(),
                node.workflow_id.0.into(),
                node.title.as_deref().into(),
                node.node_type.as_str().into(),
                node.config.to_string().into(),
                node.upstream_id.map(|id| id.0).into(),
                node.branch_index.into(),
                node.downstream_id.map(|id| id.0).into(),
                now.as_str().into(),
                now.as_str().into(),
            ],
        )
        .await
        .map(drop)
    }

    /// Makes `node` lead to `downstream`.
    async fn lead(&mut self, node: NodeId, downstream: Option<NodeId>) -> Result<(), StoreError> {
        self.run(
            r#"UPDATE "flow_nodes" SET "downstreamId" = ? WHERE "id" = ?"#,
            [downstream.map(|id| id.0).into(), node.0.into()],
        )
        .await
        .map(drop)
    }
}
