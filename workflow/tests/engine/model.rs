//! Random workflows: the processor agrees with a small model of what nodes mean.
//!
//! The model is a recursive interpreter of the generated tree. It knows no jobs, rows or restarts, and shares no code with the
//! engine. Compared are the final status, who ended the execution, and the results of every node's jobs in the order in which
//! they were made; once from a run without interruption, once from one that was cut short again and again.

use std::collections::{BTreeMap, HashMap};

use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::{Value, json};
use store::{JobStatus, NodeRow, WorkflowRow};

use crate::harness::{Harness, Node, Place, node, object};

/// A node with what hangs from it.
#[derive(Debug, Clone)]
enum Tree {
    /// The value of the variable plus this.
    Calculation(i64),
    /// Adds to the variable.
    Assign(i64),
    /// Waits for no time at all, so that the walk is left and taken up again.
    Delay,
    /// Whether the variable is below a bound: `no`, `yes`.
    Condition { bound: i64, reject: bool, no: Vec<Tree>, yes: Vec<Tree> },
    /// Which bound the variable is below first; the branches are `none, first, second`.
    Multi { bounds: [i64; 2], go_on: bool, branches: [Vec<Tree>; 3] },
    /// So many rounds.
    Loop { rounds: u64, exit: &'static str, below: Option<i64>, go_on: bool, body: Vec<Tree> },
    /// Modes whose result does not depend on who is faster.
    Parallel { mode: &'static str, branches: Vec<Vec<Tree>> },
    /// Ends the execution.
    End(i64),
}

fn line(depth: u32, inside_parallel: bool) -> BoxedStrategy<Vec<Tree>> {
    prop::collection::vec(tree(depth, inside_parallel), 0..4).boxed()
}

fn tree(depth: u32, inside_parallel: bool) -> BoxedStrategy<Tree> {
    let leaf = prop_oneof![
        4 => (-3_i64..4).prop_map(Tree::Calculation),
        4 => (-3_i64..4).prop_map(Tree::Assign),
        2 => Just(Tree::Delay),
    ];
    if depth == 0 {
        return leaf.boxed();
    }
    let below = move || line(depth - 1, inside_parallel);
    let exit = prop_oneof![Just("exit"), Just("break"), Just("continue")];
    let flow = prop_oneof![
        (-4_i64..6, any::<bool>(), below(), below()).prop_map(|(bound, reject, no, yes)| Tree::Condition {
            bound,
            reject,
            no,
            yes
        }),
        ([-4_i64..6, -4_i64..6], any::<bool>(), [below(), below(), below()])
            .prop_map(|(bounds, go_on, branches)| Tree::Multi { bounds, go_on, branches }),
        (0_u64..4, exit, prop::option::of(-4_i64..6), any::<bool>(), below())
            .prop_map(|(rounds, exit, below, go_on, body)| Tree::Loop { rounds, exit, below, go_on, body }),
        (prop_oneof![Just("all"), Just("allSettled")], prop::collection::vec(line(depth - 1, true), 1..4))
            .prop_map(|(mode, branches)| Tree::Parallel { mode, branches }),
    ];
    // An end, or a failure with mode `all`, cancels whatever the other branches have come to by then: the model cannot know.
    if inside_parallel {
        prop_oneof![3 => leaf, 4 => flow].boxed()
    } else {
        prop_oneof![6 => leaf, 8 => flow, 1 => prop_oneof![Just(1_i64), Just(-1)].prop_map(Tree::End)].boxed()
    }
}

// --- the model

/// Where interpretation stands.
struct Model {
    variable: i64,
    assignments: usize,
    /// The results of each node, by its number.
    results: BTreeMap<usize, Vec<(i64, Value)>>,
}

/// How a line was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Through,
    /// With the status of the job.
    Broken(i64),
    /// With the status of the execution.
    Ends(i64),
    /// A parallel node with mode `all` has failed: what its other branches have done is open.
    Open(i64),
    /// Something that was open has decided about more than that.
    Unknown,
}

impl Model {
    fn note(&mut self, number: usize, status: i64, result: Value) {
        self.results.entry(number).or_default().push((status, result));
    }

    /// Interprets a line whose first node has this number.
    fn line(&mut self, nodes: &[Tree], mut number: usize) -> Left {
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
            Tree::Parallel { mode, branches } => return self.parallel(number, mode, branches),
            Tree::End(status) => {
                self.note(number, *status, Value::Null);
                return Left::Ends(*status);
            }
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
                (left @ (Left::Broken(status) | Left::Ends(status)), _) => {
                    self.note(number, status, json!({"looped": looped, "broken": true}));
                    return left;
                }
                (left @ Left::Open(_), "exit") => return left,
                (Left::Open(_) | Left::Unknown, _) => return Left::Unknown,
            }
        }
        self.note(number, 1, json!({"looped": looped, "broken": broken}));
        Left::Through
    }

    /// Branches do not see each other; behind the node the last one that assigned has its way.
    fn parallel(&mut self, number: usize, mode: &str, branches: &[Vec<Tree>]) -> Left {
        let (before, mut after) = (self.variable, self.variable);
        let (mut first, mut statuses) = (number + 1, Vec::new());
        // A branch is there by its first node.
        for branch in branches.iter().filter(|branch| !branch.is_empty()) {
            self.variable = before;
            let assigned = self.assignments;
            let left = self.line(branch, first);
            if self.assignments > assigned {
                after = self.variable;
            }
            first += length(branch);
            statuses.push(match left {
                Left::Through => 1,
                Left::Broken(status) | Left::Ends(status) => status,
                Left::Open(_) | Left::Unknown => return Left::Unknown,
            });
        }
        self.variable = after;
        match statuses.iter().find(|status| **status != 1) {
            Some(status) if mode == "all" => Left::Open(*status),
            Some(_) | None => {
                self.note(number, 1, json!(statuses));
                Left::Through
            }
        }
    }
}

/// How many nodes a tree is made of.
fn size(node: &Tree) -> usize {
    1 + match node {
        Tree::Calculation(_) | Tree::Delay | Tree::End(_) => 0,
        Tree::Assign(_) => 1,
        Tree::Condition { no, yes, .. } => length(no) + length(yes),
        Tree::Multi { branches, .. } => branches.iter().map(|line| length(line)).sum(),
        Tree::Loop { body, .. } => length(body),
        Tree::Parallel { branches, .. } => branches.iter().map(|line| length(line)).sum(),
    }
}

fn length(nodes: &[Tree]) -> usize {
    nodes.iter().map(size).sum()
}

// --- the engine's side

/// The variable, and the node before an assignment, as they are written until their keys are known.
const VARIABLE: &str = "{{$jobsMapByNodeKey.VARIABLE}}";

/// Writes a line down, in the order in which the model numbers its nodes.
fn write(nodes: &[Tree], mut place: Place, out: &mut Vec<Node>) {
    for tree in nodes {
        let number = out.len();
        let is_below = |bound: &i64| json!({"engine": "cel", "expression": format!("{VARIABLE} < {bound}")});
        let add = |add: &i64| node("calculation", json!({"expression": format!("{VARIABLE} + ({add})")}));
        let mut last = number;
        let at = std::mem::replace(&mut place, Place::Next);
        let branches = |lines: &[Vec<Tree>], first: i64, out: &mut Vec<Node>| {
            for (line, branch) in lines.iter().zip(first..) {
                write(line, Place::Branch(number, branch), out);
            }
        };
        match tree {
            Tree::Calculation(value) => out.push(add(value).at(at)),
            Tree::Assign(value) => {
                out.push(add(value).at(at));
                let value = format!("{{{{$jobsMapByNodeKey.NODE{number}}}}}");
                out.push(node("variable", json!({"target": "VARIABLE", "value": value})).at(Place::Behind(number)));
                last = number + 1;
            }
            Tree::Delay => out.push(node("delay", json!({"duration": 0})).at(at)),
            Tree::Condition { bound, reject, no, yes } => {
                let mut config = is_below(bound);
                config["rejectOnFalse"] = json!(reject);
                out.push(node("condition", config).at(at));
                branches(&[no.clone(), yes.clone()], 0, out);
            }
            Tree::Multi { bounds, go_on, branches: lines } => {
                let conditions: Vec<Value> = bounds.iter().map(is_below).collect();
                let config = json!({"conditions": conditions, "continueOnNoMatch": go_on});
                out.push(node("multi-conditions", config).at(at));
                branches(lines, 0, out);
            }
            Tree::Loop { rounds, exit, below, go_on, body } => {
                let mut config = json!({"target": rounds, "exit": exit});
                if let Some(bound) = below {
                    config["condition"] = is_below(bound);
                    config["condition"]["continueOnFalse"] = json!(go_on);
                }
                out.push(node("loop", config).at(at));
                branches(std::slice::from_ref(body), 0, out);
            }
            Tree::Parallel { mode, branches: lines } => {
                out.push(node("parallel", json!({"mode": mode})).at(at));
                branches(lines, 1, out);
            }
            Tree::End(status) => out.push(node("end", json!({"endStatus": status})).at(at)),
        }
        place = Place::Behind(last);
    }
}

/// Stores a generated workflow behind the declaration of the variable.
async fn workflow(harness: &Harness, nodes: &[Tree]) -> (WorkflowRow, Vec<NodeRow>) {
    let mut written = vec![node("variable", json!({"value": 0}))];
    write(nodes, Place::Behind(0), &mut written);
    let (workflow, rows) = harness.workflow_with(json!({}), written).await;
    let keys: HashMap<String, String> =
        (0..).map(|number| format!("NODE{number}}}")).zip(rows.iter().map(|row| format!("{}}}", row.key))).collect();
    let changes: Vec<_> = rows
        .iter()
        .skip(1)
        .map(|row| {
            let mut config = row.config.to_string().replace("VARIABLE", &rows[0].key);
            for (name, key) in &keys {
                config = config.replace(name, key);
            }
            (row.id, object(json!({"config": serde_json::from_str::<Value>(&config).unwrap()})))
        })
        .collect();
    harness
        .write(move |tx| {
            Box::pin(async move {
                for (id, values) in changes {
                    tx.update_node(id, values).await?;
                }
                Ok(())
            })
        })
        .await;
    (workflow, rows)
}

/// Runs a generated workflow, and compares. Answers whether the model could tell all of it.
async fn compare(harness: &mut Harness, nodes: &[Tree], restarts: usize) -> bool {
    let (workflow, rows) = workflow(harness, nodes).await;
    let mut model = Model { variable: 0, assignments: 0, results: BTreeMap::from([(0, vec![(1, json!(0))])]) };
    let left = model.line(nodes, 1);
    let want = match left {
        Left::Through => Some(1),
        Left::Broken(status) | Left::Ends(status) | Left::Open(status) => Some(status),
        Left::Unknown => None,
    };

    let id = harness.trigger(&workflow, json!({})).await;
    for _ in 0..restarts {
        let seen = harness.jobs(id).await.len();
        harness.until_so(|| async { harness.jobs(id).await.len() > seen || harness.status(id).await.is_final() }).await;
        harness.restart().await;
    }
    harness.until_so(|| async { harness.status(id).await.is_final() }).await;
    if want.is_some() {
        assert_eq!(harness.status(id).await.code(), want, "{left:?} {nodes:?}");
    }
    let mut results: BTreeMap<usize, Vec<(i64, Value)>> = BTreeMap::new();
    let jobs = harness.jobs(id).await;
    assert!(jobs.iter().all(|job| job.status != JobStatus::Pending), "{nodes:?}");
    for job in jobs {
        let number = rows.iter().position(|row| row.id == job.node_id).expect("a node of the workflow");
        let result = match job.result.get("branches").and_then(Value::as_array) {
            Some(branches) => branches.iter().map(|branch| branch["status"].clone()).collect(),
            None => job.result,
        };
        results.entry(number).or_default().push((job.status.code(), result));
    }
    let known = !matches!(left, Left::Open(_) | Left::Unknown);
    if known {
        assert_eq!(results, model.results, "{nodes:?}");
    }
    known
}

/// The same workflows in every run, so that a failure can be looked into.
fn workflows(count: usize) -> Vec<Vec<Tree>> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    (0..count).map(|_| line(3, false).new_tree(&mut runner).expect("a workflow").current()).collect()
}

async fn agree(count: usize, restarts: usize) {
    let mut harness = Harness::new().await;
    let mut told = 0;
    for nodes in workflows(count) {
        told += usize::from(compare(&mut harness, &nodes, restarts).await);
    }
    assert!(told * 3 > count * 2, "the model could tell {told} of {count}");
}

#[test_database::test]
async fn the_processor_agrees_with_the_model() {
    agree(120, 0).await;
}

#[test_database::test]
async fn it_still_agrees_when_it_is_cut_short() {
    agree(40, 3).await;
}
