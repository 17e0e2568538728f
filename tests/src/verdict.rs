//! Compares what was promised with what is there.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    evidence::{Evidence, Execution},
    ledger::{Ledger, Promise},
    order::out_of_order,
};

/// The state of an execution that was ended from outside.
const ABORTED: i64 = -3;
/// Why, if its time was over.
const TIMEOUT: &str = "timeout";

/// Names each broken promise; empty if none is.
pub(crate) fn broken_promises(ledger: &Ledger, evidence: &Evidence) -> Vec<String> {
    let mut broken = ledger.surprises.clone();
    let mut found: BTreeMap<(i64, &str), usize> = BTreeMap::new();
    for execution in &evidence.executions {
        *found.entry((execution.workflow, &execution.mark)).or_default() += 1;
    }

    // What is not kept is known by its first step.
    let mut forgotten: Vec<(&Promise, &str)> = Vec::new();
    let begun: BTreeSet<(&str, &str)> =
        evidence.steps.keys().map(|(mark, step)| (mark.as_str(), step.as_str())).collect();
    let mut asked: BTreeSet<(i64, &str)> = BTreeSet::new();
    for action in &ledger.actions {
        let mut there = 0;
        for (workflow, mark) in &action.executions {
            asked.insert((*workflow, mark));
            let mut times = found.get(&(*workflow, mark.as_str())).copied().unwrap_or_default();
            let promise = ledger.promises.get(workflow).filter(|promise| !promise.kept && times == 0);
            let first = promise.and_then(|promise| promise.steps.first());
            if let (Some(promise), true) =
                (promise, first.is_some_and(|step| begun.contains(&(mark.as_str(), step.as_str()))))
            {
                forgotten.push((promise, mark));
                times = 1;
            }
            there += usize::from(times > 0);
            match times {
                0 if action.acknowledged => broken.push(format!("lost: {mark} of workflow {workflow}")),
                0 | 1 => {}
                _ => broken.push(format!("double: {mark} of workflow {workflow} is there {times} times")),
            }
        }
        if !action.acknowledged && there != 0 && there != action.executions.len() {
            broken.push(format!("half: {there} of {:?}", action.executions));
        }
    }
    for (workflow, mark) in found.keys() {
        if !asked.contains(&(*workflow, *mark)) {
            broken.push(format!("unasked: {mark:?} of workflow {workflow}"));
        }
    }

    let mut steps: BTreeMap<(&str, &str), usize> =
        evidence.steps.iter().map(|((mark, step), logged)| ((mark.as_str(), step.as_str()), logged.times)).collect();
    for execution in &evidence.executions {
        match ledger.promises.get(&execution.workflow) {
            Some(promise) => {
                let stopped = ledger.cancelled.get(&execution.id).copied();
                broken.extend(of_one(execution, promise, stopped, &mut steps));
            }
            None => broken.push(format!("unasked: execution {} of workflow {}", execution.id, execution.workflow)),
        }
    }
    for (promise, mark) in forgotten {
        for step in &promise.steps {
            match steps.remove(&(mark, step.as_str())) {
                Some(1) => {}
                Some(times) => broken.push(format!("repeated: {mark} has step {step} {times} times")),
                None => broken.push(format!("lost: {mark}, which is forgotten, lacks step {step}")),
            }
        }
    }
    broken.extend(steps.keys().map(|(mark, step)| format!("unasked: step {step} of {mark} without its execution")));
    broken.extend(out_of_order(ledger, evidence));
    broken
}

/// Looks at one execution, and takes its steps out of `steps`. `stopped`: whether it was told to stop, and said it has.
fn of_one<'run>(
    execution: &'run Execution,
    promise: &'run Promise,
    stopped: Option<bool>,
    steps: &mut BTreeMap<(&'run str, &'run str), usize>,
) -> Vec<String> {
    let Execution { id, mark, status, reason, jobs, .. } = execution;
    let mut broken = Vec::new();
    let aborted = *status == Some(ABORTED);
    match *status {
        None | Some(0) => broken.push(format!("stuck: {mark} (execution {id}) is {status:?}")),
        Some(end) if stopped == Some(true) && end != ABORTED => {
            broken.push(format!("not stopped: {mark} (execution {id}) ended as {end}"));
        }
        Some(end) if end != promise.end && !(aborted && stopped.is_some()) => {
            broken.push(format!("wrong end: {mark} (execution {id}) is {end}, not {}", promise.end));
        }
        Some(ABORTED) if stopped.is_none() && reason.as_deref() != Some(TIMEOUT) => {
            broken.push(format!("wrong end: {mark} (execution {id}) is aborted, nobody asked for it: {reason:?}"));
        }
        Some(_) => {}
    }
    if jobs.stored != jobs.nodes {
        broken.push(format!("repeated: {mark} (execution {id}) has {} jobs for {} nodes", jobs.stored, jobs.nodes));
    }
    if jobs.pending > 0 {
        broken.push(format!("stuck: {mark} (execution {id}) has a pending job"));
    }
    let complete = jobs.nodes == promise.nodes;
    if !complete && !aborted {
        broken.push(format!("unfinished: {mark} (execution {id}) ran {} of {} nodes", jobs.nodes, promise.nodes));
    }
    let mut begun = true;
    for step in &promise.steps {
        match steps.remove(&(mark.as_str(), step.as_str())) {
            Some(1) if begun => {}
            Some(1) => broken.push(format!("out of order: {mark} has step {step} without the one before")),
            Some(times) => broken.push(format!("repeated: {mark} has step {step} {times} times")),
            None if aborted && !complete => begun = false,
            None => broken.push(format!("lost: {mark} lacks step {step}")),
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::broken_promises;
    use crate::{
        evidence::{Evidence, Execution, Jobs, Logged},
        ledger::{Action, Ledger, Order, Promise},
    };

    fn ledger(acknowledged: bool) -> Ledger {
        let promise = |end| Promise { nodes: 1, steps: vec!["a".into()], end, kept: true, order: Order::Any };
        let action = Action { executions: vec![(1, "m".into()), (2, "n".into())], acknowledged };
        Ledger { promises: [(1, promise(1)), (2, promise(1))].into(), actions: vec![action], ..Ledger::default() }
    }

    fn execution(workflow: i64, mark: &str) -> Execution {
        let jobs = Jobs { stored: 1, nodes: 1, pending: 0 };
        Execution { id: workflow, workflow, mark: mark.into(), status: Some(1), reason: None, jobs }
    }

    fn evidence(executions: Vec<Execution>, steps: &[(&str, usize)]) -> Evidence {
        let logged = |times: usize| Logged { times, first: 1 };
        let steps = steps.iter().map(|(mark, times)| (((*mark).into(), "a".into()), logged(*times))).collect();
        Evidence { executions, steps }
    }

    #[track_caller]
    fn is(ledger: &Ledger, evidence: &Evidence, expected: &[&str]) {
        let kinds: Vec<String> = broken_promises(ledger, evidence)
            .iter()
            .map(|broken| broken.split(':').next().unwrap_or_default().to_owned())
            .collect();
        assert_eq!(kinds, expected);
    }

    #[test]
    fn what_is_kept_is_fine() {
        let kept = evidence(vec![execution(1, "m"), execution(2, "n")], &[("m", 1), ("n", 1)]);
        is(&ledger(true), &kept, &[]);
        is(&ledger(false), &kept, &[]);
        is(&ledger(false), &evidence(vec![], &[]), &[]);
    }

    #[test]
    fn what_is_lost_double_half_or_unasked_is_found() {
        let half = evidence(vec![execution(1, "m")], &[("m", 1)]);
        is(&ledger(true), &half, &["lost"]);
        is(&ledger(false), &half, &["half"]);
        let second = Execution { id: 9, ..execution(1, "m") };
        let double = evidence(vec![execution(1, "m"), second, execution(2, "n")], &[("m", 2), ("n", 1)]);
        is(&ledger(true), &double, &["double", "repeated", "lost"]);
        is(&Ledger::default(), &half, &["unasked", "unasked", "unasked"]);
    }

    #[test]
    fn what_is_stuck_repeated_or_ends_wrongly_is_found() {
        let one = |change: fn(&mut Execution), times| {
            let mut changed = execution(1, "m");
            change(&mut changed);
            evidence(vec![changed, execution(2, "n")], &[("m", times), ("n", 1)])
        };
        is(&ledger(true), &one(|it| it.status = None, 1), &["stuck"]);
        is(&ledger(true), &one(|it| it.status = Some(-1), 1), &["wrong end"]);
        is(&ledger(true), &one(|it| it.status = Some(-3), 1), &["wrong end"]);
        is(&ledger(true), &one(|it| it.jobs.stored = 2, 1), &["repeated"]);
        is(&ledger(true), &one(|it| it.jobs.pending = 1, 1), &["stuck"]);
        is(&ledger(true), &one(|_| {}, 2), &["repeated"]);
        is(&ledger(true), &one(|it| it.jobs = Jobs::default(), 1), &["unfinished"]);
    }

    #[test]
    fn what_is_forgotten_is_known_by_its_steps() {
        let mut forgetful = ledger(true);
        forgetful.promises.entry(1).and_modify(|promise| promise.kept = false);
        let gone = |times: &[(&str, usize)]| evidence(vec![execution(2, "n")], times);
        is(&forgetful, &gone(&[("m", 1), ("n", 1)]), &[]);
        is(&forgetful, &gone(&[("m", 2), ("n", 1)]), &["repeated"]);
        is(&forgetful, &gone(&[("n", 1)]), &["lost"]);
        forgetful.promises.entry(1).and_modify(|promise| promise.steps.push("b".into()));
        is(&forgetful, &gone(&[("m", 1), ("n", 1)]), &["lost"]);
    }

    #[test]
    fn what_nobody_stopped_ends_by_its_time_only() {
        let mut late = ledger(true);
        late.promises.entry(1).and_modify(|promise| promise.end = -3);
        let ended = |reason: Option<&str>| {
            let one = Execution { status: Some(-3), reason: reason.map(str::to_owned), ..execution(1, "m") };
            evidence(vec![one, execution(2, "n")], &[("m", 1), ("n", 1)])
        };
        is(&late, &ended(Some("timeout")), &[]);
        is(&late, &ended(None), &["wrong end"]);
    }

    #[test]
    fn what_was_cancelled_may_be_incomplete_but_not_go_on() {
        let mut cancelled = ledger(true);
        cancelled.cancelled.insert(1, true);
        let mut stopped = execution(1, "m");
        (stopped.status, stopped.jobs) = (Some(-3), Jobs::default());
        is(&cancelled, &evidence(vec![stopped, execution(2, "n")], &[("n", 1)]), &[]);
        is(&cancelled, &evidence(vec![execution(1, "m"), execution(2, "n")], &[("m", 1), ("n", 1)]), &["not stopped"]);
    }
}
