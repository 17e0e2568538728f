//! Ready-made parts for trigger types whose workflows watch a collection, and are fired by actions on its records.
//!
//! A trigger type says with [`Watch`] what its configuration means, and [`register`] offers it; the rest is the same for all:
//!
//! ```text
//! workflow switched on ──▶ trigger ──▶ index ◀── snapshot ── hook ◀── user action
//!                                                             │
//!                                                           select ──▶ plan: which workflow, which path, sync or async
//! ```
//!
//! - [`fields`]: fields of a configuration, as the console's form wants them, and how they are checked
//! - `index`: the enabled workflows; `select`: the decision; `doors`: where the host comes in
//! - [`ManualInput`]: what a manual run is started with
//! - [`texts`]: what people read about all this
//!
//! It all runs in the plugin's library. Nothing here crosses the boundary, so it may change like any other code.

mod doors;
pub mod fields;
mod index;
mod manual;
mod select;
pub mod texts;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use manual::{ManualInput, record_or_key};

use crate::{
    action::{Action, Interest, Phase, When},
    error::PluginError,
    plan::Firing,
    plugin::Registrar,
    schema::{AssociationPath, CollectionRef, SchemaView},
    trigger::{ManualRun, TriggerInfo, Workflow},
};
use doors::{WatchHook, WatchTrigger};
use index::{Enabled, Index, SharedIndex};

/// The configuration of a workflow that watches a collection.
pub trait Watch: DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// Whether its workflows are started before the action, for what follows it, or for each change of records. The workflows
    /// of the last are all global: there is nothing that could name them.
    const PHASE: Phase;
    /// The kinds of action that can fire its workflows.
    const ACTIONS: &'static [Action];
    /// What becomes of bindings with a path.
    const PATHS: Paths;

    /// Describes the trigger type; the same at every call.
    fn info() -> TriggerInfo;

    /// Checks what a JSON Schema cannot say; see [`fields`].
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Invalid`] with a sentence for the person who configures.
    fn validate(&self, schema: &dyn SchemaView) -> Result<(), PluginError>;

    /// The collection of the records handed over; [`CollectionRef::none`] for a workflow that takes none.
    fn collection(&self) -> &CollectionRef;

    /// Whether the workflow fires without being named. Naming it then changes nothing.
    fn is_global(&self) -> bool {
        false
    }

    /// Whether a global workflow fires for this kind of action.
    fn chooses(&self, action: Action) -> bool {
        let _ = action;
        false
    }

    /// Says under which terms the workflow starts.
    fn firing(workflow: &Workflow<Self>, action: Action, path: AssociationPath) -> Firing;

    /// Reads the input of a manual run; see [`ManualInput`].
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Invalid`] with a sentence for the caller.
    fn manual(&self, input: Value) -> Result<ManualRun, PluginError>;
}

/// What becomes of a binding with a path, `key!category`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paths {
    /// The workflow gets the records at its end.
    Followed,
    /// It is skipped: the workflow is about the request, not about records.
    NotTaken,
}

/// Offers the trigger type, and the hook that answers for its workflows.
pub fn register<C: Watch>(registrar: &mut Registrar) {
    let index = SharedIndex::<C>::default();
    registrar.trigger(WatchTrigger(index.clone()));
    registrar.action_hook(bound_interests::<C>(), WatchHook(index));
}

/// What the hook waits for whatever is enabled: requests with bindings. A change of records is no request.
fn bound_interests<C: Watch>() -> Vec<Interest> {
    if C::PHASE == Phase::Changed {
        return Vec::new();
    }
    vec![Interest { phase: C::PHASE, actions: C::ACTIONS.to_vec(), collection: None, when: When::Bound }]
}

/// What an enabled workflow waits for beyond that: a global one, every chosen action on its collection.
fn global_interests<C: Watch>(config: &C) -> Vec<Interest> {
    let actions: Vec<Action> = chosen(config).collect();
    if actions.is_empty() {
        return Vec::new();
    }
    vec![Interest { phase: C::PHASE, actions, collection: Some(config.collection().clone()), when: When::Always }]
}

/// The kinds of action that fire a workflow without naming it.
fn chosen<C: Watch>(config: &C) -> impl Iterator<Item = Action> {
    C::ACTIONS.iter().copied().filter(|action| fires_unnamed(config, *action))
}

fn fires_unnamed<C: Watch>(config: &C, action: Action) -> bool {
    config.is_global() && config.chooses(action)
}

#[cfg(test)]
mod example;
#[cfg(test)]
mod tests;
