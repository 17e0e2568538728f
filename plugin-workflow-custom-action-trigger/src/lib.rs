//! The custom action: starts workflows when a user presses their button, which does nothing else.
//!
//! A workflow of type `custom-action` gets one record, several records, or no record but what the caller sends, and runs only
//! for requests that name its key in `triggerWorkflows`: `posts:trigger/1?triggerWorkflows=key`.
//!
//! The plugin only decides, with the parts in [`plugin_api::watch`]. It never sees a record, runs nothing and stores nothing.
//!
//! Reading order: [`config`] (what people configure, and what it means for an action), `locales` (what people read).

pub mod config;
mod locales;

use plugin_api::{NoSettings, Plugin, PluginError, Registrar, watch};

use crate::config::Config;

/// The plugin: one trigger type, `custom-action`, and one hook that is asked about trigger.
#[derive(Debug)]
pub struct CustomActionTriggerPlugin;

impl Plugin for CustomActionTriggerPlugin {
    const ID: &'static str = "workflow-custom-action-trigger";

    type Settings = NoSettings;

    fn register(_settings: NoSettings, registrar: &mut Registrar) -> Result<(), PluginError> {
        watch::register::<Config>(registrar);
        Ok(())
    }
}

plugin_api::export_plugin!(CustomActionTriggerPlugin);
