//! The before-action event: runs workflows before a user's action, which may refuse it, leave it out or change its values.
//!
//! A workflow of type `request-interception` watches one collection. In *local* mode it is asked about the requests that name
//! its key in `triggerWorkflows`; in *global* mode about every action of the chosen kinds on its collection.
//!
//! The plugin only decides who is asked, with the parts in [`plugin_api::watch`]. It never sees a request's values, runs
//! nothing and stores nothing: the host runs the workflows, one after the other, and does what they say.
//!
//! Reading order: [`config`] (what people configure, and what it means for an action), `locales` (what people read).

pub mod config;
mod locales;

use plugin_api::{NoSettings, Plugin, PluginError, Registrar, watch};

use crate::config::Config;

/// The plugin: one trigger type, `request-interception`, and one hook that is asked before create, update,
/// updateOrCreate and destroy.
#[derive(Debug)]
pub struct RequestInterceptorPlugin;

impl Plugin for RequestInterceptorPlugin {
    const ID: &'static str = "workflow-request-interceptor";

    type Settings = NoSettings;

    fn register(_settings: NoSettings, registrar: &mut Registrar) -> Result<(), PluginError> {
        watch::register::<Config>(registrar);
        Ok(())
    }
}

plugin_api::export_plugin!(RequestInterceptorPlugin);
