//! The post-action event: starts workflows after a user's action has succeeded.
//!
//! A workflow of type `action` watches one collection. In *local* mode it fires for the requests that name its key in
//! `triggerWorkflows` (what a bound button sends); in *global* mode it fires for every action of the chosen kinds on
//! its collection.
//!
//! ```text
//! workflow switched on ──▶ trigger ──▶ index ◀── snapshot ── hook ◀── user action
//!                                                             │
//!                                                           select ──▶ plan: which workflow, which path, sync or async
//! ```
//!
//! The plugin only decides. It never sees a record, runs nothing and stores nothing: the host loads the data, writes
//! the executions in the action's own transaction and runs them.
//!
//! Reading order: [`config`] (what people configure), `index` (the enabled workflows), `select` (the decision), `hook`
//! and `trigger` (the two doors the host comes through), `locales` (what people read).

pub mod config;
mod hook;
mod index;
mod locales;
mod select;
mod trigger;

use std::sync::Arc;

use plugin_api::{NoSettings, Plugin, PluginError, Registrar};

use crate::{hook::PostActionHook, index::SharedIndex, trigger::PostActionTrigger};

/// The plugin: one trigger type, `action`, and one hook that is asked after create, update and destroy.
#[derive(Debug)]
pub struct ActionTriggerPlugin;

impl Plugin for ActionTriggerPlugin {
    const ID: &'static str = "workflow-action-trigger";

    type Settings = NoSettings;

    fn register(_settings: NoSettings, registrar: &mut Registrar) -> Result<(), PluginError> {
        let index = Arc::new(SharedIndex::default());
        registrar.trigger(PostActionTrigger::new(Arc::clone(&index)));
        registrar.action_hook(hook::interests(), PostActionHook::new(index));
        Ok(())
    }
}

plugin_api::export_plugin!(ActionTriggerPlugin);
