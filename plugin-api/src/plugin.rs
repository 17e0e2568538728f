//! What a plugin is and how it registers what it offers.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::{action::ActionHook, action::Interest, error::PluginError, trigger::Trigger};

/// A trigger plugin. [`crate::export_plugin!`] exports it.
pub trait Plugin: Sized {
    /// The id in `plugin.toml`: lower-case letters, digits and `-`.
    const ID: &'static str;

    /// The plugin's own settings in `plugin.toml`; `()`-like structs are fine.
    type Settings: DeserializeOwned + JsonSchema;

    /// Makes the plugin and registers what it offers. Nothing is kept if it fails.
    ///
    /// # Errors
    ///
    /// The plugin is reported as failed, with the message.
    fn register(settings: Self::Settings, registrar: &mut Registrar) -> Result<(), PluginError>;
}

/// Collects what a plugin offers.
#[derive(Default)]
pub struct Registrar {
    _private: (),
}

impl Registrar {
    /// Offers a trigger type.
    pub fn trigger<T: Trigger>(&mut self, trigger: T) {
        let _ = trigger;
    }

    /// Offers a hook that is asked about the actions of `interests`, and about those that the plugin's triggers
    /// declare for their enabled workflows.
    pub fn action_hook<H: ActionHook>(&mut self, interests: Vec<Interest>, hook: H) {
        let _ = (interests, hook);
    }
}
