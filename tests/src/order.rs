//! Looks whether the executions of each workflow began in the order in which they were triggered and ran one after the other, and their
//! nodes too: by the lines that they have left in the log.
//!
//! An execution behind a synchronous one of its request is in the queue when that one has resolved, which may be late if its host dies.
//! So it may begin at any time; but not in the middle of another one.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    evidence::{Evidence, Execution},
    ledger::{Ledger, Order, Promise},
};

/// Names each place where the order is another one; empty if it is kept.
pub(crate) fn out_of_order(ledger: &Ledger, evidence: &Evidence) -> Vec<String> {
    let chained = chained(ledger);
    let mut lanes: BTreeMap<i64, Vec<Trace<'_>>> = BTreeMap::new();
    let mut broken = Vec::new();
    for execution in &evidence.executions {
        let Some(promise) = ledger.promises.get(&execution.workflow) else { continue };
        let lines = lines(promise, &execution.mark, evidence);
        if !lines.is_sorted() {
            broken.push(format!(
                "out of order: the steps of {} (execution {}) are lines {lines:?}",
                execution.mark, execution.id
            ));
        }
        let (Some(first), Some(last)) = (lines.iter().min(), lines.iter().max()) else { continue };
        let is_chained = chained.contains(&(execution.workflow, execution.mark.as_str()));
        lanes.entry(execution.workflow).or_default().push(Trace { execution, first: *first, last: *last, is_chained });
    }
    for (workflow, mut traces) in lanes {
        let order = ledger.promises.get(&workflow).map_or(Order::Any, |promise| promise.order);
        if order == Order::Whole {
            traces.sort_unstable_by_key(|trace| trace.first);
            broken.extend(
                pairs(&traces)
                    .filter(|(one, next)| one.last > next.first)
                    .map(|(one, next)| format!("out of order: {next} began in the middle of {one}")),
            );
        }
        if order != Order::Any {
            traces.retain(|trace| !trace.is_chained);
            traces.sort_unstable_by_key(|trace| trace.execution.id);
            broken.extend(
                pairs(&traces)
                    .filter(|(one, next)| one.first > next.first)
                    .map(|(one, next)| format!("out of order: {next} began before {one}")),
            );
        }
    }
    broken
}

/// Where an execution is in the log.
struct Trace<'e> {
    execution: &'e Execution,
    first: i64,
    last: i64,
    is_chained: bool,
}

impl std::fmt::Display for Trace<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { execution: Execution { id, workflow, mark, .. }, first, last, .. } = self;
        write!(f, "{mark} of workflow {workflow} (execution {id}, lines {first} to {last})")
    }
}

fn pairs<'t, 'e>(traces: &'t [Trace<'e>]) -> impl Iterator<Item = (&'t Trace<'e>, &'t Trace<'e>)> {
    traces.iter().zip(traces.iter().skip(1))
}

/// The executions behind a synchronous one of their request, by workflow and mark.
fn chained(ledger: &Ledger) -> BTreeSet<(i64, &str)> {
    let is_part = |workflow: &i64| ledger.promises.get(workflow).is_some_and(|promise| promise.order == Order::Any);
    let behind = ledger.actions.iter().filter(|action| action.executions.iter().any(|(workflow, _)| is_part(workflow)));
    behind.flat_map(|action| &action.executions).map(|(workflow, mark)| (*workflow, mark.as_str())).collect()
}

/// The lines that an execution has left, in the order of its nodes.
fn lines(promise: &Promise, mark: &str, evidence: &Evidence) -> Vec<i64> {
    let line = |step: &String| evidence.steps.get(&(mark.to_owned(), step.clone())).map(|logged| logged.first);
    promise.steps.iter().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        evidence::{Jobs, Logged},
        ledger::Action,
    };

    /// Executions of workflow 1 with two steps each, by the lines of these. Workflow 2 is synchronous.
    #[track_caller]
    fn is(order: Order, executions: &[[i64; 2]], chained: Option<usize>, broken: usize) {
        let steps = vec!["a".to_owned(), "b".to_owned()];
        let promise = |order| Promise { nodes: 2, steps: steps.clone(), end: 1, kept: true, order };
        let mut ledger =
            Ledger { promises: [(1, promise(order)), (2, promise(Order::Any))].into(), ..Ledger::default() };
        if let Some(number) = chained {
            let mark = format!("m{number}");
            ledger.actions.push(Action { executions: vec![(2, mark.clone()), (1, mark)], acknowledged: true });
        }
        let mut evidence = Evidence::default();
        for (id, lines) in (0..).zip(executions) {
            let mark = format!("m{id}");
            for (step, first) in steps.iter().zip(lines) {
                evidence.steps.insert((mark.clone(), step.clone()), Logged { times: 1, first: *first });
            }
            let jobs = Jobs { stored: 2, nodes: 2, pending: 0 };
            evidence.executions.push(Execution { id, workflow: 1, mark, status: Some(1), reason: None, jobs });
        }
        let found = out_of_order(&ledger, &evidence);
        assert_eq!(found.len(), broken, "{found:?}");
    }

    #[test]
    fn what_is_in_order_is_fine() {
        is(Order::Whole, &[[1, 2], [3, 4], [7, 9]], None, 0);
        is(Order::Begin, &[[1, 5], [2, 3], [4, 6]], None, 0);
        is(Order::Any, &[[5, 6], [1, 2]], None, 0);
    }

    #[test]
    fn what_is_not_is_found() {
        is(Order::Whole, &[[1, 3], [2, 4]], None, 1);
        is(Order::Whole, &[[3, 4], [1, 2]], None, 1);
        is(Order::Begin, &[[2, 5], [1, 6], [3, 4]], None, 1);
        is(Order::Any, &[[2, 1], [3, 4]], None, 1);
    }

    #[test]
    fn what_is_behind_a_synchronous_one_may_be_late_but_disturbs_nobody() {
        is(Order::Whole, &[[5, 6], [1, 2], [3, 4]], Some(0), 0);
        is(Order::Whole, &[[2, 5], [1, 3], [6, 7]], Some(0), 1);
        is(Order::Whole, &[[5, 6], [3, 4], [1, 2]], Some(0), 1);
    }
}
