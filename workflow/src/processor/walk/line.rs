//! A line of nodes that is being walked, with all that belongs to it alone: lines that run at the same time share nothing.

use std::{collections::HashMap, sync::Arc};

use serde_json::Value;
use store::{ExecutionStatus, JobId, JobStatus, Store, WriteKey};

use super::{
    history::{History, Place},
    transaction::Entry,
};
use crate::variables::Scope;

/// A line that is being walked.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) scope: Scope,
    pub(super) history: Arc<History>,
    pub(super) place: Place,
    /// The rounds of the loops around it, outermost first.
    pub(super) rounds: Vec<u64>,
    /// How often the execution has gone back behind each of the nodes around it, outermost first.
    pub(super) returns: Vec<u64>,
    /// The job that the next one hangs below, as far as it is stored.
    pub(super) last: Option<JobId>,
    /// Of the next job, if that is the first one of a branch or round.
    pub(super) meta: Value,
    /// Entries that are still to be stored, in order.
    pub(super) unstored: Vec<Entry>,
    /// Receipts in further databases that are for these.
    pub(super) receipts: Vec<(Store, WriteKey)>,
    pub(super) mode: Mode,
    pub(super) said: Said,
}

/// What a line has said to the world around it.
#[derive(Clone, Default)]
pub(super) struct Said {
    /// To the person who waits for the answer, in order.
    pub(super) messages: Vec<String>,
    /// The last output.
    pub(super) output: Option<Value>,
    /// Results for later nodes, by node key.
    pub(super) results: HashMap<String, Arc<Value>>,
    /// The result of its last node.
    pub(super) last: Option<Arc<Value>>,
}

/// Whether nodes are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// They are, unless their job is stored.
    Run,
    /// They are not: it is gathered what was said before.
    Recall,
}

/// How a line was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// There is no further node.
    Through,
    /// At a job that is not resolved.
    Broken(JobStatus),
    /// At the end of the whole execution.
    Ends(ExecutionStatus),
    /// At a job that waits, until this moment (milliseconds since 1970) or an event from outside.
    Waits(Option<i64>),
    /// With a node's work that has ended the execution.
    Closed,
    /// Somebody has ended the execution.
    Stopped(ExecutionStatus),
}

impl Line {
    /// The main line, walked at this moment (milliseconds since 1970).
    pub(super) fn main(context: Value, now_ms: i64, history: Arc<History>) -> Self {
        Self {
            scope: Scope::new(context, now_ms),
            history,
            place: Place::default(),
            rounds: Vec::new(),
            returns: Vec::new(),
            last: None,
            meta: Value::Null,
            unstored: Vec::new(),
            receipts: Vec::new(),
            mode: Mode::Run,
            said: Said::default(),
        }
    }

    /// A line that begins inside the job of the node this one has come to.
    pub(super) fn branch(&self, owner: JobId, meta: Value) -> Self {
        let mut branch = self.clone();
        branch.enter(Place { owner: Some(owner), round: 0 }, meta);
        branch.said = Said::default();
        branch
    }

    /// Goes into a round of a job; the next job hangs below that one.
    pub(super) fn enter(&mut self, place: Place, meta: Value) {
        (self.place, self.meta) = (place, meta);
    }

    /// Takes note of a result for later nodes.
    pub(super) fn know(&mut self, node_key: &str, result: Arc<Value>) {
        self.scope.add_job(node_key, Arc::clone(&result));
        self.said.results.insert(node_key.to_owned(), result);
    }

    /// Takes over what a branch has said.
    pub(super) fn hear(&mut self, said: Said) {
        for (node_key, result) in said.results {
            self.know(&node_key, result);
        }
        self.said.messages.extend(said.messages);
        self.said.output = said.output.or(self.said.output.take());
    }
}
