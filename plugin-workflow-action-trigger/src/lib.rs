//! The post-action event: starts workflows after a user's action has succeeded.
//!
//! A workflow of type `action` watches one collection. In *local* mode it fires for the requests that name its key in
//! `triggerWorkflows` (what a bound button sends); in *global* mode it fires for every action of the chosen kinds on
//! its collection.
//!
//! The plugin only decides, with the parts in [`plugin_api::watch`]. It never sees a record, runs nothing and stores nothing:
//! the host loads the data, writes the executions in the action's own transaction and runs them.
//!
//! Reading order: [`config`] (what people configure, and what it means for an action), `locales` (what people read).

pub mod config;
mod locales;

use plugin_api::{NoSettings, Plugin, PluginError, Registrar, watch};

use crate::config::Config;

/// The plugin: one trigger type, `action`, and one hook that is asked after create, update and destroy.
#[derive(Debug)]
pub struct ActionTriggerPlugin;

impl Plugin for ActionTriggerPlugin {
    const ID: &'static str = "workflow-action-trigger";

    type Settings = NoSettings;

    fn register(_settings: NoSettings, registrar: &mut Registrar) -> Result<(), PluginError> {
        watch::register::<Config>(registrar);
        Ok(())
    }
}

plugin_api::export_plugin!(ActionTriggerPlugin);
