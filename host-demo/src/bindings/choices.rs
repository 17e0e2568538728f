//! What may be bound to a button: the enabled workflows that fit it, each with the paths that lead to its collection.

use std::collections::{HashMap, VecDeque};

use plugin_api::{Cardinality, CollectionRef};
use serde::Serialize;
use store::{ButtonFacts, WorkflowRow};

use super::{Judge, Misfit, fitness::Place};
use crate::triggers;

/// Longest path that is offered; longer ones can be bound, but nobody finds theirs in a list of them.
const SEGMENTS_MAX: usize = 3;
/// Most paths that are looked at, the shortest first: a schema of many associations has more than a picker can show.
const PATHS_MAX: usize = 1_000;

/// A workflow that may be bound.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Choice {
    workflow_key: String,
    workflow_id: i64,
    title: Option<String>,
    #[serde(rename = "type")]
    trigger_type: String,
    sync: bool,
    /// The collection whose records it gets; `None` if it is about none.
    collection: Option<String>,
    /// The paths it may be bound with, shortest first.
    paths: Vec<PathChoice>,
}

/// A path that a workflow may be bound with.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct PathChoice {
    /// Empty for the record itself.
    path: String,
    /// Whether it leads to one record, or to many.
    cardinality: Cardinality,
}

/// Finds what may be bound to a button among the enabled workflows, in their order.
///
/// # Errors
///
/// The button itself makes no sense.
pub(crate) fn choices(
    judge: Judge<'_>,
    button: &ButtonFacts,
    enabled: Vec<WorkflowRow>,
) -> Result<Vec<Choice>, Misfit> {
    let offered = paths(judge.button(button)?);
    let source = CollectionRef::parse(&button.collection);
    let itself = [PathChoice { path: String::new(), cardinality: Cardinality::One }];
    let choices = enabled.into_iter().filter_map(|workflow| {
        let trigger = judge.trigger_for(button, &workflow).ok()?;
        let watched = triggers::watched(trigger, &workflow.config);
        let leading_there = match &watched {
            Some(watched) if watched.data_source() == source.data_source() => {
                offered.get(watched.name()).map(Vec::as_slice).unwrap_or_default()
            }
            Some(_) => &[],
            None => itself.as_slice(),
        };
        let fits = |choice: &&PathChoice| judge.binding(button, Some(&workflow), &workflow.key, &choice.path).is_ok();
        let paths: Vec<PathChoice> = leading_there.iter().filter(fits).cloned().collect();
        (!paths.is_empty()).then(|| Choice {
            workflow_key: workflow.key.clone(),
            workflow_id: workflow.id.0,
            title: workflow.title.clone(),
            trigger_type: workflow.trigger_type.clone(),
            sync: workflow.sync,
            collection: watched.map(|watched| watched.to_string()),
            paths,
        })
    });
    Ok(choices.collect())
}

/// The paths from a collection by the one they lead to, shortest first. None passes through a collection twice.
fn paths(from: Place<'_>) -> HashMap<String, Vec<PathChoice>> {
    let mut found: HashMap<String, Vec<PathChoice>> = HashMap::new();
    let start = PathChoice { path: String::new(), cardinality: Cardinality::One };
    let mut waiting = VecDeque::from([(start, vec![from.collection])]);
    let mut looked_at = 0;
    while let Some((path, passed)) = waiting.pop_front() {
        looked_at += 1;
        let Some(here) = passed.last().filter(|_| looked_at <= PATHS_MAX) else { break };
        found.entry(here.name.clone()).or_default().push(path.clone());
        let is_closed = passed.iter().filter(|collection| collection.name == here.name).count() > 1;
        if passed.len() > SEGMENTS_MAX || is_closed {
            continue;
        }
        for field in &here.fields {
            let Some(association) = field.association() else { continue };
            let Ok(target) = from.schema.collection(&association.target) else { continue };
            let longer =
                if path.path.is_empty() { field.name.clone() } else { format!("{}.{}", path.path, field.name) };
            let cardinality = if association.kind.is_to_one() { path.cardinality } else { Cardinality::Many };
            let mut passed = passed.clone();
            passed.push(target);
            waiting.push_back((PathChoice { path: longer, cardinality }, passed));
        }
    }
    found
}
