//! How a plugin's offers reach the host: the host lends a [`RegistrarObject`] for the time of one call.

use abi_stable::{sabi_trait, sabi_trait::TD_Opaque, sabi_types::RMut, std_types::RStr};

use super::{
    error::{AbiResult, answer, read, result, write},
    guard::guarded,
    hook::{self, HookClient, HookObject},
    route::{self, RouteClient, RouteObject},
    trigger::{self, TriggerClient, TriggerObject},
};
use crate::{
    action::Interest,
    error::PluginError,
    plugin::{Parts, Registrar},
};

/// The host's registrar for the time of a call.
pub type RegistrarObject<'a> = RawRegistrar_TO<'a, RMut<'a, ()>>;

/// The host's side of a [`Registrar`].
#[sabi_trait]
pub trait RawRegistrar {
    /// Takes a trigger type.
    fn trigger(&mut self, trigger: TriggerObject) -> AbiResult<()>;
    /// Takes a hook with its [`Interest`]s as JSON text. The frozen prefix ends here.
    #[sabi(last_prefix_field)]
    fn action_hook(&mut self, interests: RStr<'_>, hook: HookObject) -> AbiResult<()>;
    /// Takes a route with its name. Since 1.2.
    fn route(&mut self, _name: RStr<'_>, _route: RouteObject) -> AbiResult<()> {
        answer(Err(PluginError::unavailable("This host has no routes")))
    }
}

/// What a plugin handed over, as the host keeps it.
#[derive(Default)]
pub struct Offers {
    /// The trigger types in their order.
    pub triggers: Vec<TriggerClient>,
    /// The hooks in their order, with the actions they are always asked about.
    pub hooks: Vec<(Vec<Interest>, HookClient)>,
    /// The routes with their names, in their order.
    pub routes: Vec<(String, RouteClient)>,
}

impl Offers {
    /// The object to lend.
    pub(crate) fn object(&mut self) -> RegistrarObject<'_> {
        RawRegistrar_TO::from_ptr(RMut::new(self), TD_Opaque)
    }
}

impl RawRegistrar for Offers {
    fn trigger(&mut self, trigger: TriggerObject) -> AbiResult<()> {
        answer(guarded("the host's registrar", || {
            self.triggers.push(TriggerClient::new(trigger));
            Ok(())
        }))
    }

    fn action_hook(&mut self, interests: RStr<'_>, hook: HookObject) -> AbiResult<()> {
        answer(guarded("the host's registrar", || {
            self.hooks.push((read("interests", interests.as_str())?, HookClient::new(hook)));
            Ok(())
        }))
    }

    fn route(&mut self, name: RStr<'_>, route: RouteObject) -> AbiResult<()> {
        answer(guarded("the host's registrar", || {
            self.routes.push((name.into(), RouteClient::new(route)));
            Ok(())
        }))
    }
}

/// Hands everything over, on the plugin's side.
pub(crate) fn hand_over(registrar: Registrar, mut host: RegistrarObject<'_>) -> Result<(), PluginError> {
    let Parts { triggers, hooks, routes } = registrar.into_parts();
    for trigger in triggers {
        result(host.trigger(trigger::provide(trigger)))?;
    }
    for offered in hooks {
        let interests = write("interests", &offered.interests)?;
        result(host.action_hook(interests.as_rstr(), hook::provide(offered.hook)))?;
    }
    for (name, handler) in routes {
        result(host.route(name.as_str().into(), route::provide(handler)))?;
    }
    Ok(())
}
