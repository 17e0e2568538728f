//! What was asked of the server and what it answered.

use std::collections::BTreeMap;

/// A workflow of the load, as far as the verdict needs it.
#[derive(Debug, Clone)]
pub(crate) struct Promise {
    /// Its nodes, each of which leaves one job.
    pub(crate) nodes: usize,
    /// What its `create` nodes write into the log, in order.
    pub(crate) steps: Vec<String>,
    /// The state in which its executions end: 1 resolved, -1 failed, -3 aborted.
    pub(crate) end: i64,
    /// Whether its executions stay; otherwise only what they have written tells of them after a while.
    pub(crate) kept: bool,
    /// What follows from the order in which its executions were triggered.
    pub(crate) order: Order,
}

/// What the order of a workflow's executions decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Nothing: they are part of requests.
    Any,
    /// Each begins behind the one before.
    Begin,
    /// Each begins when the one before has ended.
    Whole,
}

/// An action and the executions that it has to bring about if it succeeded.
#[derive(Debug, Clone)]
pub(crate) struct Action {
    /// Workflow and mark: each names one execution.
    pub(crate) executions: Vec<(i64, String)>,
    pub(crate) acknowledged: bool,
}

/// Everything that was asked.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// By the workflow's id.
    pub(crate) promises: BTreeMap<i64, Promise>,
    pub(crate) actions: Vec<Action>,
    /// Executions that were told to stop; `true` if the server said they have.
    pub(crate) cancelled: BTreeMap<i64, bool>,
    /// Answers that the load never expects.
    pub(crate) surprises: Vec<String>,
}

impl Ledger {
    /// Takes over what another ledger of the same workflows holds.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.actions.extend(other.actions);
        self.cancelled.extend(other.cancelled);
        self.surprises.extend(other.surprises);
    }

    pub(crate) fn acknowledged(&self) -> usize {
        self.actions.iter().filter(|action| action.acknowledged).count()
    }
}
