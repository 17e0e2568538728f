//! The decision: which workflows one user action starts, and why the others that were named do not.
//!
//! A pure function of the action, the bindings in the request, the schema and one version of the index. Order: the
//! local workflows as bound, then the global ones by id; of that list, the synchronous ones first. What depends on the
//! records goes along as terms, which the host judges.
//!
//! Somebody who asks why gets the rest of the collection's workflows as well; only then are all enabled ones looked at.

use std::collections::HashSet;

use super::{Enabled, Index, Paths, Watch, fires_unnamed};
use crate::{
    action::{Action, ActionEvent, Detail},
    binding::Binding,
    plan::{Plan, Skip, SkipReason},
    schema::AssociationPath,
    trigger::ExecutionMode,
};

/// Decides what an action starts. An action of another phase, or of a kind that never fires, starts nothing.
pub(super) fn select<C: Watch>(index: &Index<C>, event: &ActionEvent<'_>) -> Plan {
    let mut plan = Plan::default();
    if event.phase != C::PHASE {
        return plan;
    }
    let action = event.action;
    if !C::ACTIONS.contains(&action) {
        plan.skips = not_of_this_kind(index, event);
        return plan;
    }

    let mut seen = HashSet::new();
    for binding in Binding::parse_all(event.bindings) {
        // Of a key that is not known here nothing more can be said: it may be another plugin's.
        let verdict = if seen.insert(binding.key.clone()) || index.by_key(&binding.key).is_none() {
            judge(index, event, &binding)
        } else {
            Verdict::Skip(SkipReason::Repeated)
        };
        match verdict {
            Verdict::Fire(workflow) => plan.firings.push(C::firing(workflow, action, binding.path)),
            Verdict::FiresAsGlobal => {}
            Verdict::Skip(reason) => plan.skips.push(Skip { key: binding.key, path: binding.path, reason }),
        }
    }
    let globals = index.globals(event.collection, action);
    plan.firings.extend(globals.map(|workflow| C::firing(workflow, action, AssociationPath::default())));
    plan.skips.extend(unnamed(index, event, Some(action), &seen));

    // A stable sort: the order within each mode stays.
    plan.firings.sort_by_key(|firing| match firing.mode {
        ExecutionMode::Sync => 0,
        ExecutionMode::Async => 1,
    });
    plan
}

/// What becomes of one entry of the bindings.
enum Verdict<'a, C> {
    /// The workflow is local and fires here, in the order given.
    Fire(&'a Enabled<C>),
    /// The workflow is global: naming it neither adds to it nor moves it.
    FiresAsGlobal,
    /// It does not fire.
    Skip(SkipReason),
}

fn judge<'a, C: Watch>(index: &'a Index<C>, event: &ActionEvent<'_>, binding: &Binding) -> Verdict<'a, C> {
    let Some(workflow) = index.by_key(&binding.key) else { return Verdict::Skip(SkipReason::NotEnabled) };
    let config = &workflow.config;
    if config.is_global() {
        return match (config.collection() == event.collection, config.chooses(event.action)) {
            (true, true) => Verdict::FiresAsGlobal,
            (true, false) => Verdict::Skip(SkipReason::ActionNotChosen),
            (false, _) => Verdict::Skip(SkipReason::OtherCollection),
        };
    }
    if C::PATHS == Paths::NotTaken && !binding.path.is_empty() {
        return Verdict::Skip(SkipReason::PathNotTaken);
    }
    match binding.path.end(event.schema, event.collection) {
        None => Verdict::Skip(SkipReason::UnknownPath),
        Some(target) if target == *config.collection() => Verdict::Fire(workflow),
        Some(_) => Verdict::Skip(SkipReason::OtherCollection),
    }
}

/// Why nothing fires at an action of a kind that never fires, if that is asked.
fn not_of_this_kind<C: Watch>(index: &Index<C>, event: &ActionEvent<'_>) -> Vec<Skip> {
    if event.detail != Detail::Everything {
        return Vec::new();
    }
    let mut named = HashSet::new();
    let mut skips = Vec::new();
    for Binding { key, path } in Binding::parse_all(event.bindings) {
        let reason = match (named.insert(key.clone()), index.by_key(&key)) {
            (_, None) => SkipReason::NotEnabled,
            (false, Some(_)) => SkipReason::Repeated,
            (true, Some(_)) => SkipReason::ActionNotChosen,
        };
        skips.push(Skip { key, path, reason });
    }
    skips.extend(unnamed(index, event, None, &named));
    skips
}

/// Why the collection's workflows do not fire that the request did not name, if that is asked.
fn unnamed<C: Watch>(
    index: &Index<C>,
    event: &ActionEvent<'_>,
    action: Option<Action>,
    named: &HashSet<String>,
) -> Vec<Skip> {
    if event.detail != Detail::Everything {
        return Vec::new();
    }
    let unnamed = index.watching(event.collection).into_iter().filter(|workflow| !named.contains(&workflow.key));
    unnamed
        .filter_map(|workflow| {
            let reason = match action {
                Some(action) if fires_unnamed(&workflow.config, action) => return None,
                Some(_) if !workflow.config.is_global() => SkipReason::NotBound,
                Some(_) | None => SkipReason::ActionNotChosen,
            };
            Some(Skip { key: workflow.key.clone(), path: AssociationPath::default(), reason })
        })
        .collect()
}

#[cfg(test)]
mod tests;
