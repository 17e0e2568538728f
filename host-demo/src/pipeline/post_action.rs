//! What a user's action starts: asks the plugins, loads the trigger data, and stores the executions, all in the action's
//! own transaction.
//!
//! ```text
//! Asker::decide ─ the plugins' plan, before anything is written ─ Decision
//! Decision::look_back ─ records as they are before the action, if a firing asks for them
//!     the action
//! Decision::starts ─ loads what is handed over, judges the terms ─ Starts ─ enqueue
//! ```
//!
//! A plugin that fails, names a workflow that is not enabled any more, or not its own, or a path that is not there, starts
//! nothing and harms nobody: the action and everybody else's workflows go on. Only a plugin that the host needs is waited for:
//! without its decision there is no action.

use std::{collections::HashSet, sync::Arc};

use plugin_api::{Action, AssociationPath, Batch, ExecutionMode, Firing, Phase, Previous};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{
    ClaimedBy, Collection, Conn, ExecutionId, Filter, Find, NewExecution, Record, Schema, Select, StoreError, Tx,
    WorkflowId, WorkflowRow,
};
use uuid::Uuid;

use super::{
    asker::{Asker, Curiosity, startable},
    explain::{self, Considered, Reason},
    terms::{Actor, BeforeByKey, Passed, Realm, Terms},
};
use crate::{
    http::error::ApiError,
    plugins::{CollectionName, FIRINGS_MAX, HookAnswer},
};

/// Most executions of one action, as many as a plan may have firings.
pub(super) const EXECUTIONS_MAX: usize = FIRINGS_MAX;

/// An action that was done, or, for deletions, is about to be.
pub(super) struct Event<'a> {
    /// To records of this collection.
    pub(super) collection: &'a Arc<Collection>,
    /// The records, whole, with the submitted associations, in order.
    pub(super) records: &'a [Record],
    /// The association paths that values were submitted for.
    pub(super) submitted: &'a [String],
}

/// What was thought about workflows that run before the action.
#[derive(Default)]
pub(super) struct Heard {
    /// About those that run, in their order.
    pub(super) wanted: Vec<Considered>,
    /// About those that do not.
    pub(super) skipped: Vec<Considered>,
}

impl Heard {
    /// Tells the operator.
    pub(super) fn trace(&self) {
        self.wanted.iter().chain(&self.skipped).for_each(Considered::trace);
    }

    /// One line for each workflow, those that run first.
    pub(super) fn into_lines(self) -> Vec<Considered> {
        self.wanted.into_iter().chain(self.skipped).collect()
    }
}

/// What the plugins want to start. By default, nothing.
#[derive(Default)]
pub(super) struct Decision {
    wanted: Vec<Wanted>,
    considered: Vec<Considered>,
}

/// One workflow that a plugin wants to start.
struct Wanted {
    firing: Firing,
    key: String,
    terms: Terms,
    before: BeforeByKey,
    /// Its line among those considered.
    line: usize,
}

/// One execution to be stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Start {
    pub(super) workflow: WorkflowId,
    pub(super) key: String,
    pub(super) mode: ExecutionMode,
    pub(super) context: Value,
    /// The executions that led to it.
    #[serde(default)]
    pub(super) stack: Vec<ExecutionId>,
}

/// What an action starts, and what was thought about it.
#[derive(Default)]
pub(super) struct Starts {
    /// In the order to start them, for each mode.
    pub(super) executions: Vec<Start>,
    /// In the same order, then what does not start.
    pub(super) considered: Vec<Considered>,
}

/// What was stored.
#[derive(Debug, Default)]
pub(super) struct Queued {
    /// To be run by this request, in order.
    pub(super) chain: Vec<ExecutionId>,
    /// Workflows with executions for the dispatcher.
    pub(super) background: Vec<WorkflowId>,
    /// What their executions share; empty if there are none.
    pub(super) event_key: String,
}

impl Asker {
    /// [`Self::decide`] within the transaction of the action.
    pub(super) async fn decide_within(
        &self,
        tx: &mut Tx,
        action: Option<Action>,
        collection: &Collection,
        before: Heard,
    ) -> Result<Decision, ApiError> {
        let schema = Arc::clone(tx.schema());
        if self.source.is_main() {
            return self.decide(tx, &schema, action, collection, before).await;
        }
        let mut main = self.read_main().await?;
        self.decide(&mut main, &schema, action, collection, before).await
    }

    /// Asks the plugins what an action on a collection is to start. One that nobody waits for costs one lookup. What was thought
    /// before the action comes first in the explanation. Workflows are looked up in main, the collection is one of `schema`.
    pub(super) async fn decide(
        &self,
        main: &mut Conn,
        schema: &Arc<Schema>,
        action: Option<Action>,
        collection: &Collection,
        before: Heard,
    ) -> Result<Decision, ApiError> {
        let mut decision = Decision { wanted: Vec::new(), considered: before.wanted };
        let Some(action) = action else { return Ok(decision) };
        let bound = !self.bindings.is_empty();
        let name = CollectionName::new(self.source.key(), &collection.name);
        if self.curiosity == Curiosity::Silent && !self.plugins.waits_for(Phase::After, action, name, bound) {
            decision.considered.extend(self.withheld.iter().cloned());
            return Ok(decision);
        }
        let watched = self.source.reference(collection);
        let realm = self.realm(main.schema(), schema);
        let mut skips = Vec::new();
        for HookAnswer { plugin, result, .. } in self.ask(main, Phase::After, action, &watched)? {
            // Faults are logged where they happen.
            let Ok(plan) = result else { continue };
            for firing in plan.firings {
                if let Some(workflow) = startable(&self.plugins, main, &plugin, firing.workflow).await? {
                    decision.want(self, &realm, collection, &workflow, firing);
                }
            }
            skips.extend(plan.skips);
        }
        decision.considered.extend(before.skipped);
        decision.considered.extend(skips.into_iter().map(Considered::skipped));
        decision.considered.extend(self.withheld.iter().cloned());
        explain::settle(&mut decision.considered);
        if self.curiosity != Curiosity::Silent {
            explain::complete(main, &self.plugins, &watched, &mut decision.considered).await?;
        }
        Ok(decision)
    }
}

impl Decision {
    /// Takes in what a plugin wants to start, unless it cannot.
    fn want(&mut self, asker: &Asker, realm: &Realm, from: &Collection, workflow: &WorkflowRow, firing: Firing) {
        let mut considered = Considered::wanted(&workflow.key, workflow.id, workflow.title.clone(), &firing.path);
        let line = self.considered.len();
        match (asker.curiosity, end(realm.schema(), from, &firing.path)) {
            (Curiosity::WhyNotFromNodes, _) => considered.refuse(Reason::LoopGuard),
            (Curiosity::Silent | Curiosity::Why, None) => {
                tracing::warn!(workflow = %workflow.id, path = %firing.path, "leads nowhere, does not start");
                considered.refuse(Reason::UnknownPath);
            }
            (Curiosity::Silent | Curiosity::Why, Some(collection)) => match Terms::new(realm, collection, &firing) {
                Ok(terms) => {
                    let before = BeforeByKey::default();
                    self.wanted.push(Wanted { key: workflow.key.clone(), firing, terms, before, line });
                }
                Err(error) => {
                    tracing::warn!(workflow = %workflow.id, "its terms do not fit any more, does not start: {error}");
                    considered.refuse(Reason::TermsInvalid);
                }
            },
        }
        self.considered.push(considered);
    }

    /// Reads the records that an action is about as they are before it, for the firings that ask for them.
    pub(super) async fn look_back(
        &mut self,
        conn: &mut Conn,
        collection: &Arc<Collection>,
        filter: &Filter,
    ) -> Result<(), ApiError> {
        if !self.wanted.iter().any(|wanted| wanted.terms.look_back()) {
            return Ok(());
        }
        let records = conn.find(&Find { filter: filter.clone(), ..Find::all(Arc::clone(collection)) }).await?;
        let event = Event { collection, records: &records, submitted: &[] };
        for wanted in self.wanted.iter_mut().filter(|wanted| wanted.terms.look_back()) {
            let records = load(conn, &event, &wanted.firing).await?;
            wanted.before = wanted.terms.remember(conn, records).await?;
        }
        Ok(())
    }

    /// Loads the data of what starts.
    pub(super) async fn starts(
        mut self,
        conn: &mut Conn,
        asker: &Asker,
        event: &Event<'_>,
    ) -> Result<Starts, ApiError> {
        let mut starts = Starts::default();
        let actor = Actor { user: Some(&asker.user), role: Some(&asker.role) };
        for Wanted { firing, key, terms, before, line } in self.wanted {
            let considered = &mut self.considered[line];
            let loaded = match load(conn, event, &firing).await {
                Ok(records) => records,
                Err(StoreError::Invalid { message, .. }) => {
                    let workflow = firing.workflow.0;
                    tracing::warn!(workflow, path = %firing.path, "cannot be loaded, does not start: {message}");
                    considered.refuse(Reason::UnknownPath);
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            if loaded.is_empty() {
                considered.refuse(if event.records.is_empty() { Reason::NoRecord } else { Reason::AssociationEmpty });
                continue;
            }
            let count = loaded.len();
            let passed = terms.pass(conn, loaded, before, &actor).await?;
            if passed.records.is_empty() {
                let unchanged = passed.unchanged == count;
                considered.refuse(if unchanged { Reason::Unchanged } else { Reason::ConditionFalse });
                continue;
            }
            let contexts = contexts(asker, &firing, passed);
            considered.fire(contexts.len());
            starts.executions.extend(contexts.into_iter().map(|context| Start {
                workflow: WorkflowId(firing.workflow.0),
                key: key.clone(),
                mode: firing.mode,
                context,
                stack: Vec::new(),
            }));
            if starts.executions.len() > EXECUTIONS_MAX {
                return Err(too_many());
            }
        }
        starts.considered = self.considered;
        starts.considered.iter().for_each(Considered::trace);
        Ok(starts)
    }

    /// What there is to say about an action that is refused: nothing that was wanted starts.
    pub(super) fn if_the_action_fails(&self) -> Vec<Considered> {
        let mut considered = self.considered.clone();
        for wanted in &self.wanted {
            considered[wanted.line].refuse(Reason::ActionFailed);
        }
        considered
    }

    /// Says as much as can be said without a record.
    pub(super) fn without_records(mut self) -> Vec<Considered> {
        for wanted in &self.wanted {
            let considered = &mut self.considered[wanted.line];
            if wanted.terms.are_none() && wanted.firing.path.is_empty() {
                considered.fire_for_any();
            } else {
                considered.leave_open();
            }
        }
        self.considered.iter().for_each(Considered::trace);
        self.considered
    }
}

/// Refuses an action that would start more than one may.
pub(super) fn too_many() -> ApiError {
    let message = format!("the action would start more than {EXECUTIONS_MAX} executions");
    ApiError::invalid("TOO_MANY_EXECUTIONS", message)
}

/// The collection at the end of a path; `None` if a segment is no association.
fn end<'s>(schema: &'s Schema, from: &Collection, path: &AssociationPath) -> Option<&'s Arc<Collection>> {
    let from = schema.collection(&from.name).ok()?;
    path.segments()
        .iter()
        .try_fold(from, |collection, segment| schema.collection(&collection.association(segment)?.target).ok())
}

/// What each execution gets.
fn contexts(asker: &Asker, firing: &Firing, passed: Passed) -> Vec<Value> {
    let context = |data: Value, previous: Value| {
        let mut context = json!({"data": data, "user": asker.user, "roleName": asker.role});
        if firing.previous == Previous::Included {
            context["previous"] = previous;
        }
        context
    };
    let pairs = passed.records.into_iter();
    let pairs = pairs.map(|(data, before)| (Value::Object(data), before.map_or(Value::Null, Value::Object)));
    match firing.batch {
        Batch::PerRecord => pairs.map(|(data, before)| context(data, before)).collect(),
        Batch::PerBatch => {
            let (data, before): (Vec<Value>, Vec<Value>) = pairs.unzip();
            vec![context(data.into(), before.into())]
        }
    }
}

/// Reads the records that a firing hands over.
async fn load(conn: &mut Conn, event: &Event<'_>, firing: &Firing) -> Result<Vec<Record>, StoreError> {
    let below = firing.path.to_string();
    let mut appends: Vec<String> = firing.preloads.iter().map(AssociationPath::to_string).collect();
    appends.extend(event.submitted.iter().filter_map(|path| strip(path, &below)).map(str::to_owned));
    let mut seen = HashSet::new();
    appends.retain(|path| seen.insert(path.clone()));

    let keys: Vec<Value> = event.records.iter().filter_map(|record| event.collection.key_of(record)).collect();
    if firing.path.is_empty() && (firing.preloads.is_empty() || keys.len() < event.records.len()) {
        return Ok(event.records.to_vec());
    }
    let select = Select { appends, ..Select::default() };
    conn.follow(event.collection, &keys, firing.path.segments(), &select).await
}

/// The part of a submitted path below another one.
fn strip<'p>(path: &'p str, below: &str) -> Option<&'p str> {
    if below.is_empty() { Some(path) } else { path.strip_prefix(below)?.strip_prefix('.') }
}

/// Stores the executions: the synchronous ones as a chain that this process runs under its claim, the others behind its end.
/// Without a claim all of them are left to the background, in the same order. They share the key of the event with what ran
/// before the action, if anything did.
pub(super) async fn enqueue(
    tx: &mut Tx,
    starts: Vec<Start>,
    claim: Option<&ClaimedBy>,
    event_key: Option<String>,
) -> Result<Queued, StoreError> {
    let mut queued = Queued::default();
    if starts.is_empty() {
        return Ok(queued);
    }
    let event_key = event_key.unwrap_or_else(|| Uuid::new_v4().to_string());
    let execution = |start: Start, claimed_by: Option<ClaimedBy>, waits_for: Option<ExecutionId>| {
        let new = NewExecution::new(start.workflow, start.key, start.context, event_key.clone());
        NewExecution { claimed_by, waits_for, stack: start.stack, ..new }
    };
    let (sync, background): (Vec<Start>, Vec<Start>) =
        starts.into_iter().partition(|start| start.mode == ExecutionMode::Sync);
    for start in sync {
        let waits_for = queued.chain.last().copied();
        if claim.is_none() {
            queued.background.push(start.workflow);
        }
        queued.chain.extend(tx.enqueue(vec![execution(start, claim.cloned(), waits_for)]).await?);
    }
    let last = queued.chain.last().copied();
    queued.background.extend(background.iter().map(|start| start.workflow));
    queued.background.dedup();
    if !background.is_empty() {
        tx.enqueue(background.into_iter().map(|start| execution(start, None, last)).collect()).await?;
    }
    queued.event_key = event_key;
    Ok(queued)
}

#[cfg(test)]
mod tests {
    use super::strip;

    #[test]
    fn submitted_paths_below_a_path() {
        let check = |path, below, want| assert_eq!(strip(path, below), want, "{path} below {below}");
        check("category", "", Some("category"));
        check("category", "category", None);
        check("category.owner", "category", Some("owner"));
        check("categoryX.owner", "category", None);
        check("post.category.owner", "post.category", Some("owner"));
    }
}
