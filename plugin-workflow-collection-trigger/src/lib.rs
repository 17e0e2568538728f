//! The collection event: starts workflows when records of a collection change, whoever changes them.
//!
//! A workflow of type `collection` watches one collection. It does not matter whether a user's action, a workflow's node or a value
//! nested in another record made, changed or deleted the record.
//!
//! The plugin only decides, with the parts in [`plugin_api::watch`]. It never sees a record, runs nothing and stores nothing.
//!
//! Reading order: [`config`] (what people configure, and what it means for a change), `locales` (what people read).

pub mod config;
mod locales;

use plugin_api::{NoSettings, Plugin, PluginError, Registrar, watch};

use crate::config::Config;

/// The plugin: one trigger type, `collection`, and one hook that is asked about changes of records.
#[derive(Debug)]
pub struct CollectionTriggerPlugin;

impl Plugin for CollectionTriggerPlugin {
    const ID: &'static str = "workflow-collection-trigger";

    type Settings = NoSettings;

    fn register(_settings: NoSettings, registrar: &mut Registrar) -> Result<(), PluginError> {
        watch::register::<Config>(registrar);
        Ok(())
    }
}

plugin_api::export_plugin!(CollectionTriggerPlugin);
