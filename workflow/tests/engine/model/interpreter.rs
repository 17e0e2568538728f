//! The model: what a generated tree means.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Tree, length, size};

/// Where interpretation stands.
pub(super) struct Model {
    variable: i64,
    assignments: usize,
    /// The results of each node, by its number.
    pub(super) results: BTreeMap<usize, Vec<(i64, Value)>>,
    /// Nodes in branches that were cut short somewhere.
    pub(super) open: BTreeSet<usize>,
    /// What the workflow has come across that is worth knowing it was there.
    pub(super) met: BTreeSet<&'static str>,
}

/// How a line was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    Through,
    /// With the status of the job.
    Broken(i64),
    /// With the status of the execution.
    Ends(i64),
    /// Likewise, but what the variable is now depends on how far other branches have come.
    Open(i64),
    /// Something that depends on which branch is faster has decided about more than that.
    Unknown,
}

impl Model {
    /// Behind the declaration of the variable.
    pub(super) fn new() -> Self {
        let results = BTreeMap::from([(0, vec![(1, json!(0))])]);
        Self { variable: 0, assignments: 0, results, open: BTreeSet::new(), met: BTreeSet::new() }
    }

    fn note(&mut self, number: usize, status: i64, result: Value) {
        self.results.entry(number).or_default().push((status, result));
    }

    /// Interprets a line whose first node has this number.
    pub(super) fn line(&mut self, nodes: &[Tree], mut number: usize) -> Left {
        for node in nodes {
            let left = self.node(node, number);
            if left != Left::Through {
                return left;
            }
            number += size(node);
        }
        Left::Through
    }

    fn node(&mut self, node: &Tree, number: usize) -> Left {
        match node {
            Tree::Calculation(add) => self.note(number, 1, json!(self.variable + add)),
            Tree::Assign(add) => {
                // The calculation and the assignment.
                self.variable += add;
                self.assignments += 1;
                self.note(number, 1, json!(self.variable));
                self.note(number + 1, 1, json!(self.variable));
            }
            Tree::Delay => self.note(number, 1, json!(0)),
            Tree::Condition { bound, reject, no, yes } => {
                let verdict = self.variable < *bound;
                if *reject && !verdict {
                    self.note(number, -1, json!(false));
                    return Left::Broken(-1);
                }
                self.note(number, 1, json!(verdict));
                return if verdict { self.line(yes, number + 1 + length(no)) } else { self.line(no, number + 1) };
            }
            Tree::Multi { bounds, go_on, branches } => {
                let answers: Vec<bool> = bounds.iter().map(|bound| self.variable < *bound).collect();
                let (branch, asked) = match answers.as_slice() {
                    [true, ..] => (1, 1),
                    [false, true] => (2, 2),
                    _ => (0, 2),
                };
                let failed = branch == 0 && !go_on;
                let result = json!({"conditions": answers[..asked], "branch": branch});
                self.note(number, if failed { -1 } else { 1 }, result);
                if failed {
                    return Left::Broken(-1);
                }
                let before: usize = branches[..branch].iter().map(|branch| length(branch)).sum();
                return self.line(&branches[branch], number + 1 + before);
            }
            Tree::Loop { rounds, exit, below, go_on, body } => {
                return self.rounds(number, *rounds, exit, *below, *go_on, body);
            }
            Tree::Parallel { mode, branches, winner } => return self.parallel(number, mode, branches, *winner),
            Tree::End(status) => {
                self.note(number, *status, Value::Null);
                return Left::Ends(*status);
            }
            // They begin a branch that loses, which is not interpreted.
            Tree::Hold | Tree::Refuse => return Left::Unknown,
        }
        Left::Through
    }

    fn rounds(
        &mut self,
        number: usize,
        rounds: u64,
        exit: &str,
        below: Option<i64>,
        go_on: bool,
        body: &[Tree],
    ) -> Left {
        let (mut looped, mut broken) = (0, false);
        for _ in 0..rounds {
            if below.is_some_and(|bound| self.variable >= bound) {
                if go_on {
                    continue;
                }
                break;
            }
            looped += 1;
            match (self.line(body, number + 1), exit) {
                (Left::Through, _) | (Left::Broken(_), "continue") => {}
                (Left::Broken(_), "break") => {
                    broken = true;
                    break;
                }
                (Left::Open(_), "break" | "continue") | (Left::Unknown, _) => return Left::Unknown,
                (left @ (Left::Broken(status) | Left::Ends(status) | Left::Open(status)), _) => {
                    if left.ends() {
                        self.met.insert("an end in a loop");
                    }
                    self.note(number, status, json!({"looped": looped, "broken": true}));
                    return left;
                }
            }
        }
        self.note(number, 1, json!({"looped": looped, "broken": broken}));
        Left::Through
    }

    /// Branches do not see each other; behind the node the last one that assigned has its way.
    fn parallel(&mut self, number: usize, mode: &'static str, branches: &[Vec<Tree>], winner: Option<usize>) -> Left {
        self.met.insert(mode);
        let before = self.variable;
        let (mut first, mut walked) = (number + 1, Vec::new());
        for (place, branch) in branches.iter().enumerate() {
            let nodes = first..first + length(branch);
            first = nodes.end;
            // A branch is there by its first node.
            if branch.is_empty() {
                continue;
            }
            let loses = winner.is_some_and(|winner| winner != place);
            let (mut left, mut assigned) = (Left::Broken(-1), None);
            if !loses {
                let assignments = std::mem::take(&mut self.assignments);
                self.variable = before;
                left = self.line(branch, nodes.start);
                assigned = (self.assignments > 0).then_some(self.variable);
                self.assignments += assignments;
            }
            walked.push(Branch { nodes, loses, left, assigned });
        }
        self.variable = walked.iter().rev().find_map(|branch| branch.assigned).unwrap_or(before);
        if walked.iter().any(|branch| branch.left == Left::Unknown) {
            return Left::Unknown;
        }
        match mode {
            "all" => self.decided_by_first(number, &walked, Left::is_not_through),
            "allSettled" => self.decided_by_first(number, &walked, Left::ends),
            "race" => self.decided_by_first(number, &walked, |_| true),
            _ => self.any(number, &walked),
        }
    }

    /// The first branch that `decides` ends the node; the model can tell if there is no more than one.
    fn decided_by_first(&mut self, number: usize, walked: &[Branch], decides: fn(Left) -> bool) -> Left {
        let deciding: Vec<&Branch> = walked.iter().filter(|branch| !branch.loses && decides(branch.left)).collect();
        let [decider] = deciding.as_slice() else {
            if deciding.is_empty() {
                let caught = walked.iter().any(|branch| matches!(branch.left, Left::Open(_)));
                let statuses: Vec<i64> = walked.iter().map(|branch| branch.left.status()).collect();
                self.note(number, 1, json!(statuses));
                // What such a branch has assigned is not known, and now matters.
                return if caught { Left::Unknown } else { Left::Through };
            }
            return Left::Unknown;
        };
        let others = || walked.iter().filter(|branch| branch.nodes != decider.nodes);
        others().for_each(|branch| self.open.extend(branch.nodes.clone()));
        let statuses: Vec<Value> = walked
            .iter()
            .map(|branch| if branch.nodes == decider.nodes { json!(branch.left.status()) } else { Value::Null })
            .collect();
        let status = decider.left.status();
        if decider.left.ends() {
            self.met.insert("an end in a branch");
        }
        self.note(number, status, json!(statuses));
        match decider.left {
            Left::Broken(status) if others().any(|branch| branch.assigned.is_some()) => Left::Open(status),
            left => left,
        }
    }

    /// Through if one branch is; all others fail.
    fn any(&mut self, number: usize, walked: &[Branch]) -> Left {
        let Some(winner) = walked.iter().find(|branch| !branch.loses) else { return Left::Unknown };
        match winner.left {
            Left::Through | Left::Ends(_) => self.decided_by_first(number, walked, |_| true),
            Left::Broken(_) | Left::Open(_) | Left::Unknown => {
                for loser in walked.iter().filter(|branch| branch.loses) {
                    self.note(loser.nodes.start, -1, json!(false));
                }
                let statuses: Vec<i64> = walked.iter().map(|branch| branch.left.status()).collect();
                self.note(number, -1, json!(statuses));
                if matches!(winner.left, Left::Open(_)) { Left::Open(-1) } else { Left::Broken(-1) }
            }
        }
    }
}

/// A branch that was interpreted.
struct Branch {
    nodes: std::ops::Range<usize>,
    /// It cannot decide anything, and was not interpreted.
    loses: bool,
    left: Left,
    /// The variable, if it has assigned to it.
    assigned: Option<i64>,
}

impl Left {
    fn is_not_through(self) -> bool {
        self != Self::Through
    }

    fn ends(self) -> bool {
        matches!(self, Self::Ends(_))
    }

    /// The status of a branch that is left so.
    fn status(self) -> i64 {
        match self {
            Self::Through | Self::Unknown => 1,
            Self::Broken(status) | Self::Ends(status) | Self::Open(status) => status,
        }
    }
}

/// Whether results are as the model says; `null` among the statuses of branches is what it leaves open.
pub(super) fn agree_on(was: &[(i64, Value)], should: &[(i64, Value)]) -> bool {
    let alike = |was: &Value, should: &Value| match (was, should) {
        (Value::Array(was), Value::Array(should)) => {
            was.len() == should.len() && was.iter().zip(should).all(|(was, should)| should.is_null() || was == should)
        }
        _ => was == should,
    };
    was.len() == should.len()
        && was.iter().zip(should).all(|(was, should)| was.0 == should.0 && alike(&was.1, &should.1))
}
