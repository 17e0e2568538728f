//! The decision: which workflows one user action starts, and why the others that were named do not.
//!
//! A pure function of the action, the bindings in the request, the schema and one version of the index. Order: the
//! local workflows as bound, then the global ones by id; of that list, the synchronous ones first. What depends on the
//! records goes along as terms, which the host judges.
//!
//! Somebody who asks why gets the rest of the collection's workflows as well; only then are all enabled ones looked at.

use std::collections::HashSet;

use plugin_api::{ActionEvent, AssociationPath, Binding, Detail, ExecutionMode, Firing, Phase, Plan, Skip, SkipReason};

use crate::{
    config::{self, ActionType},
    index::{Enabled, Index},
};

/// Decides what an action starts. An action of a kind that fires no post-action event starts nothing.
pub(crate) fn select(index: &Index, event: &ActionEvent<'_>) -> Plan {
    let mut plan = Plan::default();
    if event.phase != Phase::After {
        return plan;
    }
    let Some(kind) = ActionType::of(event.action) else {
        plan.skips = not_of_this_kind(index, event);
        return plan;
    };

    let mut seen = HashSet::new();
    for binding in Binding::parse_all(event.bindings) {
        let verdict = if seen.insert(binding.key.clone()) {
            judge(index, event, kind, &binding)
        } else {
            Verdict::Skip(SkipReason::Repeated)
        };
        match verdict {
            Verdict::Fire(workflow) => plan.firings.push(firing(workflow, kind, binding.path)),
            Verdict::FiresAsGlobal => {}
            Verdict::Skip(reason) => plan.skips.push(Skip { key: binding.key, path: binding.path, reason }),
        }
    }
    let globals = index.globals(event.collection, kind);
    plan.firings.extend(globals.map(|workflow| firing(workflow, kind, AssociationPath::default())));
    plan.skips.extend(unnamed(index, event, Some(kind), &seen));

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

fn firing(workflow: &Enabled, kind: ActionType, path: AssociationPath) -> Firing {
    let config = &workflow.config;
    Firing {
        path,
        preloads: config.appends.clone(),
        condition: config.condition().cloned(),
        // Nothing can change but by an update.
        changed: if kind == ActionType::Update { config.changed.clone() } else { Vec::new() },
        previous: config.previous(),
        batch: config.batch.batch(),
        ..Firing::new(workflow.id, workflow.mode)
    }
}

/// Why nothing fires at an action that fires no post-action event, if that is asked.
fn not_of_this_kind(index: &Index, event: &ActionEvent<'_>) -> Vec<Skip> {
    if event.detail != Detail::Everything {
        return Vec::new();
    }
    let mut named = HashSet::new();
    let mut skips = Vec::new();
    for Binding { key, path } in Binding::parse_all(event.bindings) {
        let reason = match (named.insert(key.clone()), index.by_key(&key)) {
            (false, _) => SkipReason::Repeated,
            (true, Some(_)) => SkipReason::ActionNotChosen,
            (true, None) => SkipReason::NotEnabled,
        };
        skips.push(Skip { key, path, reason });
    }
    skips.extend(unnamed(index, event, None, &named));
    skips
}

/// Why the collection's workflows do not fire that the request did not name, if that is asked.
fn unnamed(index: &Index, event: &ActionEvent<'_>, kind: Option<ActionType>, named: &HashSet<String>) -> Vec<Skip> {
    if event.detail != Detail::Everything {
        return Vec::new();
    }
    let unnamed = index.watching(event.collection).into_iter().filter(|workflow| !named.contains(&workflow.key));
    unnamed
        .filter_map(|workflow| {
            let reason = match kind {
                Some(kind) if workflow.config.global && workflow.config.actions.contains(&kind) => return None,
                Some(_) if !workflow.config.global => SkipReason::NotBound,
                Some(_) | None => SkipReason::ActionNotChosen,
            };
            Some(Skip { key: workflow.key.clone(), path: AssociationPath::default(), reason })
        })
        .collect()
}

#[cfg(test)]
mod tests;
