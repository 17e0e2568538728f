//! The webhook: starts workflows when another system sends an HTTP request.
//!
//! A workflow of type `webhook` is reached at `/api/webhooks/<key of the workflow>`. Nobody signs in: the request proves itself by a
//! signature, a token, or by knowing the key.
//!
//! ```text
//! workflow switched on ──▶ trigger ──▶ hooks by key ◀── route ◀── request
//!                                                      │
//!                                     proof, then body ┴──▶ answer: start with headers, query and body, or refuse
//! ```
//!
//! The plugin only decides. It runs nothing and stores nothing.
//!
//! Reading order: [`config`] (what people configure), `route` (what becomes of a request), `proof` (signature and token), `content`
//! (what the workflow gets), `locales` (what people read).

pub mod config;
mod content;
mod locales;
mod proof;
mod route;

use plugin_api::{NoSettings, Plugin, PluginError, Registrar, Service};

use crate::route::{Enabled, WebhookRoute, WebhookTrigger};

/// The plugin: one trigger type, `webhook`, and the route `webhooks`.
#[derive(Debug)]
pub struct WebhookTriggerPlugin;

impl Plugin for WebhookTriggerPlugin {
    const ID: &'static str = "workflow-webhook-trigger";

    type Settings = NoSettings;

    const NEEDS: &'static [Service] = &[Service::Routes];

    fn register(_settings: NoSettings, registrar: &mut Registrar) -> Result<(), PluginError> {
        let enabled = Enabled::default();
        registrar.trigger(WebhookTrigger(enabled.clone()));
        registrar.route("webhooks", WebhookRoute(enabled));
        Ok(())
    }
}

plugin_api::export_plugin!(WebhookTriggerPlugin);
