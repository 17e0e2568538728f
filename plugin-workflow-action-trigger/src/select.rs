//! The decision: which workflows one user action starts, and why the others that were named do not.
//!
//! A pure function of the action, the bindings in the request, the schema and one version of the index. Order: the
//! local workflows as bound, then the global ones by id; of that list, the synchronous ones first.

use std::collections::HashSet;

use plugin_api::{ActionEvent, AssociationPath, Binding, ExecutionMode, Firing, Phase, Plan, Skip, SkipReason};

use crate::{
    config::{self, ActionType},
    index::{Enabled, Index},
};

/// Decides what an action starts. An action of a kind that fires no post-action event starts nothing.
pub(crate) fn select(index: &Index, event: &ActionEvent<'_>) -> Plan {
    let mut plan = Plan::default();
    let (Phase::After, Some(kind)) = (event.phase, ActionType::of(event.action)) else { return plan };

    let mut seen = HashSet::new();
    for binding in Binding::parse_all(event.bindings) {
        let verdict = if seen.insert(binding.key.clone()) {
            judge(index, event, kind, &binding)
        } else {
            Verdict::Skip(SkipReason::Repeated)
        };
        match verdict {
            Verdict::Fire(workflow) => plan.firings.push(firing(workflow, binding.path)),
            Verdict::FiresAsGlobal => {}
            Verdict::Skip(reason) => plan.skips.push(Skip { key: binding.key, path: binding.path, reason }),
        }
    }
    let globals = index.globals(event.collection, kind);
    plan.firings.extend(globals.map(|workflow| firing(workflow, AssociationPath::default())));

    // A stable sort: the order within each mode stays.
    plan.firings.sort_by_key(|firing| match firing.mode {
        ExecutionMode::Sync => 0,
        ExecutionMode::Async => 1,
    });
    plan
}

/// What becomes of one entry of the bindings.
enum Verdict<'a> {
    /// The workflow is local and fires here, in the order given.
    Fire(&'a Enabled),
    /// The workflow is global: naming it neither adds to it nor moves it.
    FiresAsGlobal,
    /// It does not fire.
    Skip(SkipReason),
}

fn judge<'a>(index: &'a Index, event: &ActionEvent<'_>, kind: ActionType, binding: &Binding) -> Verdict<'a> {
    let Some(workflow) = index.by_key(&binding.key) else { return Verdict::Skip(SkipReason::NotEnabled) };
    let config = &workflow.config;
    if config.global {
        return match (config.collection == *event.collection, config.actions.contains(&kind)) {
            (true, true) => Verdict::FiresAsGlobal,
            (true, false) => Verdict::Skip(SkipReason::ActionNotChosen),
            (false, _) => Verdict::Skip(SkipReason::OtherCollection),
        };
    }
    match config::target(event.schema, event.collection, &binding.path) {
        None => Verdict::Skip(SkipReason::UnknownPath),
        Some(target) if target == config.collection => Verdict::Fire(workflow),
        Some(_) => Verdict::Skip(SkipReason::OtherCollection),
    }
}

fn firing(workflow: &Enabled, path: AssociationPath) -> Firing {
    Firing { workflow: workflow.id, path, preloads: workflow.config.appends.clone(), mode: workflow.mode }
}

#[cfg(test)]
mod tests;
