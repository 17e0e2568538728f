//! Random workflows: the processor agrees with a small model of what nodes mean.
//!
//! The model is a recursive interpreter of the generated tree. It knows no jobs, rows or restarts, and shares no code with the
//! engine. Compared are the final status and the results of every node's jobs in the order in which they were made; once from a run
//! without interruption, once from one that was cut short again and again. What depends on which branch is faster is left open,
//! node by node; races are generated so that it is known who wins.

mod interpreter;
mod writing;

use std::collections::{BTreeMap, BTreeSet};

use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::{Value, json};
use store::JobStatus;

use crate::harness::Harness;
use interpreter::{Left, Model, agree_on};
use writing::workflow;

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
    /// In a race one branch can be over, in mode `any` one can be through: in both this one.
    Parallel { mode: &'static str, branches: Vec<Vec<Tree>>, winner: Option<usize> },
    /// Ends the execution.
    End(i64),
    /// Waits for longer than any test.
    Hold,
    /// Fails.
    Refuse,
}

/// How many nodes a tree is made of.
fn size(node: &Tree) -> usize {
    1 + match node {
        Tree::Calculation(_) | Tree::Delay | Tree::End(_) | Tree::Hold | Tree::Refuse => 0,
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

fn line(depth: u32) -> BoxedStrategy<Vec<Tree>> {
    prop::collection::vec(tree(depth), 0..4).boxed()
}

/// A branch that decides what becomes of its node, among others that cannot.
fn decided(mode: &'static str, loses: fn() -> Tree, depth: u32) -> impl Strategy<Value = Tree> {
    let branches = (prop::collection::vec(tree(depth), 1..4), prop::collection::vec(line(depth), 0..3), any::<usize>());
    branches.prop_map(move |(wins, losers, place)| {
        let winner = place % (losers.len() + 1);
        let mut branches: Vec<Vec<Tree>> =
            losers.into_iter().map(|rest| std::iter::once(loses()).chain(rest).collect()).collect();
        branches.insert(winner, wins);
        Tree::Parallel { mode, branches, winner: Some(winner) }
    })
}

fn tree(depth: u32) -> BoxedStrategy<Tree> {
    let leaf = prop_oneof![
        4 => (-3_i64..4).prop_map(Tree::Calculation),
        4 => (-3_i64..4).prop_map(Tree::Assign),
        2 => Just(Tree::Delay),
    ];
    if depth == 0 {
        return leaf.boxed();
    }
    let below = move || line(depth - 1);
    let exit = prop_oneof![Just("exit"), Just("break"), Just("continue")];
    let flow = prop_oneof![
        2 => (-4_i64..6, any::<bool>(), below(), below()).prop_map(|(bound, reject, no, yes)| Tree::Condition {
            bound,
            reject,
            no,
            yes
        }),
        2 => ([-4_i64..6, -4_i64..6], any::<bool>(), [below(), below(), below()])
            .prop_map(|(bounds, go_on, branches)| Tree::Multi { bounds, go_on, branches }),
        2 => (0_u64..4, exit, prop::option::of(-4_i64..6), any::<bool>(), below())
            .prop_map(|(rounds, exit, below, go_on, body)| Tree::Loop { rounds, exit, below, go_on, body }),
        2 => (prop_oneof![Just("all"), Just("allSettled")], prop::collection::vec(below(), 1..4))
            .prop_map(|(mode, branches)| Tree::Parallel { mode, branches, winner: None }),
        1 => decided("race", || Tree::Hold, depth - 1),
        1 => decided("any", || Tree::Refuse, depth - 1),
    ];
    prop_oneof![6 => leaf, 8 => flow, 1 => prop_oneof![Just(1_i64), Just(-1)].prop_map(Tree::End)].boxed()
}

/// Runs a generated workflow, and compares. Answers what it has come across; `None` if the model could not tell all of it.
async fn compare(harness: &mut Harness, nodes: &[Tree], restarts: usize) -> Option<BTreeSet<&'static str>> {
    let (workflow, rows) = workflow(harness, nodes).await;
    let mut model = Model::new();
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
    if left == Left::Unknown {
        return None;
    }
    for number in 0..rows.len() {
        if model.open.contains(&number) {
            continue;
        }
        let (was, should) =
            (results.remove(&number).unwrap_or_default(), model.results.remove(&number).unwrap_or_default());
        assert!(agree_on(&was, &should), "node {number}: {was:?}, but {should:?} in the model; {nodes:?}");
    }
    Some(model.met)
}

/// The same workflows in every run, so that a failure can be looked into.
fn workflows(count: usize) -> Vec<Vec<Tree>> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    (0..count).map(|_| line(3).new_tree(&mut runner).expect("a workflow").current()).collect()
}

/// Compares so many workflows; answers what they have come across.
async fn agree(count: usize, restarts: usize) -> BTreeSet<&'static str> {
    let mut harness = Harness::new().await;
    let (mut told, mut met) = (0, BTreeSet::new());
    for nodes in workflows(count) {
        if let Some(more) = compare(&mut harness, &nodes, restarts).await {
            told += 1;
            met.extend(more);
        }
    }
    assert!(told * 10 > count * 9, "the model could tell {told} of {count}");
    met
}

#[test_database::test]
async fn the_processor_agrees_with_the_model() {
    let all = ["all", "allSettled", "an end in a branch", "an end in a loop", "any", "race"];
    assert_eq!(agree(120, 0).await, BTreeSet::from(all), "the workflows do not show all there is");
}

#[test_database::test]
async fn it_still_agrees_when_it_is_cut_short() {
    agree(40, 3).await;
}
