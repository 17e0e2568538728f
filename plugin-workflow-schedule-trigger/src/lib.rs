//! The schedule: starts workflows at a time, again and again, or by the date fields of records.
//!
//! ```text
//! host: what time it is, what is settled, a record's dates ──▶ clock ──▶ occurrences ──▶ due now, and when to ask again
//! ```
//!
//! The plugin only calculates. It has no clock, keeps nothing between two questions, and starts nothing by itself.
//!
//! Reading order: [`config`] (what people configure), `occurrences` (the moments that a configuration means), `clock` (which of them are
//! due), `trigger` (the door for configuration), `locales` (what people read).

mod clock;
pub mod config;
mod fields;
mod locales;
mod occurrences;
mod trigger;

use plugin_api::{NoSettings, Plugin, PluginError, Registrar, Service};

use crate::{clock::ScheduleClock, trigger::ScheduleTrigger};

/// The plugin: one trigger type, `schedule`, and the clock for its workflows.
#[derive(Debug)]
pub struct ScheduleTriggerPlugin;

impl Plugin for ScheduleTriggerPlugin {
    const ID: &'static str = "workflow-schedule-trigger";

    type Settings = NoSettings;

    const NEEDS: &'static [Service] = &[Service::Clock];

    fn register(_settings: NoSettings, registrar: &mut Registrar) -> Result<(), PluginError> {
        registrar.trigger(ScheduleTrigger);
        registrar.clock(trigger::TYPE, ScheduleClock);
        Ok(())
    }
}

plugin_api::export_plugin!(ScheduleTriggerPlugin);
