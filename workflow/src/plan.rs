//! The order of a workflow version's nodes, worked out once.
//!
//! A version is frozen by its first execution, so what is read for one execution holds for all later ones and can be kept.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::Value;
use store::{Conn, ExecutionStatus, JobStatus, NodeId, NodeRow, StoreError, WorkflowId};

use crate::nodes::{Node, NodeTypes};

/// The nodes of a workflow version, and where each leads.
pub(crate) struct Plan {
    nodes: Vec<PlannedNode>,
    first: Option<usize>,
}

/// One node of a [`Plan`].
pub(crate) struct PlannedNode {
    /// The node as it is stored.
    pub(crate) row: NodeRow,
    /// Its type; `None` if there is no such type any more.
    pub(crate) node: Option<Arc<dyn Node>>,
    /// Where its branches begin.
    branches: HashMap<i64, usize>,
    /// What follows on its line or, at the end of a branch, behind the branching node. A branch of a node that surrounds it
    /// is a line of its own.
    follower: Option<usize>,
}

/// Where a line goes from a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// To the node at this index.
    Go(usize),
    /// It is through.
    Through,
    /// It breaks off at a job that is not resolved.
    Broken(JobStatus),
    /// It ends the whole execution.
    Ends(ExecutionStatus),
    /// Nowhere, until the job is done.
    Wait,
}

impl Plan {
    fn new(rows: &[NodeRow], types: &NodeTypes) -> Self {
        let by_id: HashMap<NodeId, usize> = rows.iter().enumerate().map(|(index, row)| (row.id, index)).collect();
        let at = |id: Option<NodeId>| id.and_then(|id| by_id.get(&id).copied());
        let first = rows.iter().position(|row| row.upstream_id.is_none());
        let surrounds = |row: &NodeRow| types.get(&row.node_type).is_some_and(|node| node.surrounds());
        let mut nodes: Vec<PlannedNode> = rows
            .iter()
            .map(|row| PlannedNode {
                row: row.clone(),
                node: types.get(&row.node_type),
                branches: HashMap::new(),
                follower: follower(rows, &by_id, row, &surrounds),
            })
            .collect();
        for (index, row) in rows.iter().enumerate() {
            if let (Some(branch), Some(upstream)) = (row.branch_index, at(row.upstream_id)) {
                nodes[upstream].branches.insert(branch, index);
            }
        }
        Self { nodes, first }
    }

    /// Where an execution begins; `None` if there are no nodes.
    pub(crate) fn start(&self) -> Option<usize> {
        self.first
    }

    /// The node at an index that [`Self::start`] or [`Self::after`] has answered.
    pub(crate) fn node(&self, index: usize) -> &PlannedNode {
        &self.nodes[index]
    }

    /// The branches of a node and where they begin, in order.
    pub(crate) fn branches(&self, index: usize) -> Vec<(i64, usize)> {
        let mut branches: Vec<_> = self.nodes[index].branches.iter().map(|(branch, first)| (*branch, *first)).collect();
        branches.sort_unstable();
        branches
    }

    /// How many nodes there are; each is run at most once by a line.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Where a line goes after the job of a node. Decided by what is stored alone.
    pub(crate) fn after(&self, index: usize, status: JobStatus, result: &Value) -> Step {
        let planned = &self.nodes[index];
        let ends = planned.node.as_ref().is_some_and(|node| node.ends());
        match (status, &planned.node) {
            (JobStatus::Pending, _) => Step::Wait,
            (JobStatus::Resolved, _) if ends => Step::Ends(ExecutionStatus::Resolved),
            (JobStatus::Failed, _) if ends => Step::Ends(ExecutionStatus::Failed),
            (JobStatus::Resolved, Some(node)) => {
                // It could say so when the result was stored; a later version of it may not, and is told in the log.
                let Ok(branch) = node.branch(result) else { return Step::Broken(JobStatus::Error) };
                let branch = branch.and_then(|branch| planned.branches.get(&branch).copied());
                branch.or(planned.follower).map_or(Step::Through, Step::Go)
            }
            (JobStatus::Resolved, None) => Step::Broken(JobStatus::Error),
            (
                JobStatus::Failed
                | JobStatus::Error
                | JobStatus::Aborted
                | JobStatus::Canceled
                | JobStatus::Rejected
                | JobStatus::RetryNeeded,
                _,
            ) => Step::Broken(status),
        }
    }
}

/// What comes after a row: the next one on its line; at the end of a branch, what comes after the branching node, unless that
/// surrounds its branches.
fn follower(
    rows: &[NodeRow],
    by_id: &HashMap<NodeId, usize>,
    row: &NodeRow,
    surrounds: &impl Fn(&NodeRow) -> bool,
) -> Option<usize> {
    let at = |id: Option<NodeId>| id.and_then(|id| by_id.get(&id).copied());
    let mut row = row;
    // Each turn goes one node up, so there cannot be more turns than nodes.
    for _ in rows {
        if let Some(next) = at(row.downstream_id) {
            return Some(next);
        }
        // To the beginning of this line, and from there to the node it branches off.
        for _ in rows {
            if row.branch_index.is_some() {
                break;
            }
            row = &rows[at(row.upstream_id)?];
        }
        row = &rows[at(row.upstream_id)?];
        if surrounds(row) {
            return None;
        }
    }
    None
}

/// Most plans kept: beyond it the cache starts anew. One takes a few kilobytes.
const MAX_CACHED: usize = 1_000;

/// Plans that were worked out before.
pub(crate) struct Plans {
    types: Arc<NodeTypes>,
    cached: Mutex<HashMap<WorkflowId, Arc<Plan>>>,
}

impl Plans {
    pub(crate) fn new(types: Arc<NodeTypes>) -> Self {
        Self { types, cached: Mutex::default() }
    }

    /// The plan of a version that has been executed.
    pub(crate) async fn get(&self, conn: &mut Conn, workflow: WorkflowId) -> Result<Arc<Plan>, StoreError> {
        if let Some(plan) = self.cached.lock().unwrap_or_else(PoisonError::into_inner).get(&workflow) {
            return Ok(Arc::clone(plan));
        }
        let plan = Arc::new(Plan::new(&conn.nodes(workflow).await?, &self.types));
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        if cached.len() >= MAX_CACHED {
            cached.clear();
        }
        cached.insert(workflow, Arc::clone(&plan));
        Ok(plan)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::nodes::FaultPoint;

    /// `(id, type, upstream, branch, downstream)`, 0 for none.
    fn plan(rows: &[(i64, &str, i64, Option<i64>, i64)]) -> Plan {
        let id = |id: i64| (id != 0).then_some(NodeId(id));
        let row =
            |&(node, node_type, upstream, branch_index, downstream): &(i64, &str, i64, Option<i64>, i64)| NodeRow {
                id: NodeId(node),
                key: format!("k{node}"),
                workflow_id: WorkflowId(1),
                title: None,
                node_type: node_type.into(),
                config: json!({}),
                upstream_id: id(upstream),
                branch_index,
                downstream_id: id(downstream),
            };
        Plan::new(&rows.iter().map(row).collect::<Vec<_>>(), &NodeTypes::built_in(FaultPoint::default()).unwrap())
    }

    /// The ids of the nodes that run, if each job is resolved with the result given.
    fn path(plan: &Plan, results: impl Fn(i64) -> Value) -> (Vec<i64>, Step) {
        walked(plan, plan.start().map_or(Step::Through, Step::Go), results)
    }

    fn walked(plan: &Plan, mut step: Step, results: impl Fn(i64) -> Value) -> (Vec<i64>, Step) {
        let mut ids = Vec::new();
        while let Step::Go(index) = step {
            let id = plan.node(index).row.id.0;
            ids.push(id);
            assert!(ids.len() <= plan.len(), "{ids:?} goes round");
            step = plan.after(index, JobStatus::Resolved, &results(id));
        }
        (ids, step)
    }

    #[test]
    fn an_empty_workflow_begins_nowhere() {
        assert_eq!(plan(&[]).start(), None);
    }

    #[test]
    fn branches_return_to_the_line() {
        // 1 ─┬─ 0: 3 ── 4 ──┬─ 8
        //    └─ 1: 5 ─┬ 1: 6┘
        let plan = plan(&[
            (1, "condition", 0, None, 8),
            (3, "calculation", 1, Some(0), 4),
            (4, "calculation", 3, None, 0),
            (5, "condition", 1, Some(1), 0),
            (6, "calculation", 5, Some(1), 0),
            (8, "calculation", 1, None, 0),
        ]);
        assert_eq!(path(&plan, |_| json!(false)), (vec![1, 3, 4, 8], Step::Through));
        assert_eq!(path(&plan, |_| json!(true)), (vec![1, 5, 6, 8], Step::Through));
        assert_eq!(path(&plan, |id| json!(id == 1)), (vec![1, 5, 8], Step::Through));
    }

    #[test]
    fn branches_of_a_node_that_surrounds_them_are_lines_of_their_own() {
        // 1 ── 7, with 1 around: 2 ─┬─ 0: 3
        //                           └─ 1: 4
        let plan = plan(&[
            (1, "parallel", 0, None, 7),
            (2, "condition", 1, Some(5), 0),
            (3, "calculation", 2, Some(0), 0),
            (4, "calculation", 2, Some(1), 0),
            (6, "calculation", 1, Some(2), 0),
            (7, "calculation", 1, None, 0),
        ]);
        assert_eq!(path(&plan, |_| json!(true)), (vec![1, 7], Step::Through));
        assert_eq!(plan.branches(0), [(2, 4), (5, 1)]);
        assert_eq!(walked(&plan, Step::Go(1), |_| json!(true)), (vec![2, 4], Step::Through));
        assert_eq!(walked(&plan, Step::Go(4), |_| json!(true)), (vec![6], Step::Through));
    }

    #[test]
    fn an_end_node_ends_and_so_does_a_job_that_is_not_resolved() {
        let plan = plan(&[(1, "end", 0, None, 2), (2, "calculation", 1, None, 0)]);
        assert_eq!(path(&plan, |_| json!(null)), (vec![1], Step::Ends(ExecutionStatus::Resolved)));
        assert_eq!(plan.after(1, JobStatus::Error, &json!(null)), Step::Broken(JobStatus::Error));
        assert_eq!(plan.after(0, JobStatus::Failed, &json!(null)), Step::Ends(ExecutionStatus::Failed));
        assert_eq!(plan.after(0, JobStatus::Error, &json!(null)), Step::Broken(JobStatus::Error));
        assert_eq!(plan.after(1, JobStatus::Pending, &json!(null)), Step::Wait);
    }

    #[test]
    fn broken_links_do_not_go_round() {
        let plan = plan(&[(1, "condition", 2, None, 0), (2, "condition", 1, None, 0)]);
        assert_eq!(plan.start(), None);
        assert_eq!(plan.after(0, JobStatus::Resolved, &json!(true)), Step::Through);
    }
}
