//! Does wrong what its settings say, and works everywhere else.
//!
//! It uses what authors use: wrong answers that the types of plugin-api do not let through come from `fixture-garbage`.

mod caller;
mod clock;
mod hook;
mod node;
mod settings;
mod trigger;

use plugin_api::{Action, Interest, Plugin, PluginError, Registrar, When};

use crate::{
    caller::Caller,
    clock::MisbehavingClock,
    hook::MisbehavingHook,
    node::MisbehavingNode,
    settings::{Place, Settings},
    trigger::MisbehavingTrigger,
};

/// The plugin.
#[derive(Debug)]
pub struct Misbehaving;

impl Plugin for Misbehaving {
    const ID: &'static str = "plugin-misbehaving";
    // It calls services all the same: `NEEDS` stays empty.
    type Settings = Settings;

    fn register(settings: Settings, registrar: &mut Registrar) -> Result<(), PluginError> {
        let caller = Caller::new(settings, registrar.host());
        registrar.trigger(MisbehavingTrigger(caller.clone()));
        if caller.settings.offers_twice {
            registrar.trigger(MisbehavingTrigger(caller.clone()));
        }
        let phase = caller.settings.phase.into();
        let creates = Interest { phase, actions: vec![Action::Create], collection: None, when: When::Always };
        registrar.action_hook(vec![creates], MisbehavingHook(caller.clone()));
        if let Some(node) = caller.settings.node.clone() {
            registrar.node(MisbehavingNode(node));
        }
        if let Some(fails_while) = caller.settings.clock_fails_while.clone() {
            let tells = caller.settings.clock_tells;
            registrar.clock("misbehaving", MisbehavingClock { fails_while, tells });
        }
        caller.reach(Place::Register);
        caller.start_threads();
        Ok(())
    }
}

plugin_api::export_plugin!(Misbehaving);
