//! How a plugin's offers reach the host: the host lends a [`RegistrarObject`] for the time of one call.

use std::sync::Arc;

use abi_stable::{
    sabi_trait,
    sabi_trait::TD_Opaque,
    sabi_types::RMut,
    std_types::{RNone, ROption, RSome, RStr},
};

use super::{
    clock::{self, ClockClient, ClockObject},
    error::{AbiResult, answer, read, result, write},
    guard::guarded,
    hook::{self, HookClient, HookObject},
    host::{self, HostClient, HostObject},
    node::{self, NodeClient, NodeObject},
    route::{self, RouteClient, RouteObject},
    trigger::{self, TriggerClient, TriggerObject},
};
use crate::{
    action::Interest,
    error::PluginError,
    plugin::{Parts, Registrar},
    service::{Host, Services},
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
    /// The host's services. Since 1.2.
    fn host(&self) -> ROption<HostObject> {
        RNone
    }
    /// Takes a node type. Since 1.2; a host before it refuses.
    fn node(&mut self, node: NodeObject) -> AbiResult<()> {
        let _ = node;
        answer(Err(PluginError::unavailable("this host takes no node types: it needs plugin-api 1.2 or later")))
    }
    /// Takes a route with its name. Since 1.2.
    fn route(&mut self, _name: RStr<'_>, _route: RouteObject) -> AbiResult<()> {
        answer(Err(PluginError::unavailable("This host has no routes")))
    }
    /// Takes a clock with the trigger type whose workflows it is for. Since 1.3.
    fn clock(&mut self, _trigger: RStr<'_>, _clock: ClockObject) -> AbiResult<()> {
        answer(Err(PluginError::unavailable("This host starts nothing by the clock: it needs plugin-api 1.3 or later")))
    }
}

/// What a plugin handed over, as the host keeps it.
pub struct Offers {
    /// The trigger types in their order.
    pub triggers: Vec<TriggerClient>,
    /// The hooks in their order, with the actions they are always asked about.
    pub hooks: Vec<(Vec<Interest>, HookClient)>,
    /// The node types in their order.
    pub nodes: Vec<NodeClient>,
    /// The routes with their names, in their order.
    pub routes: Vec<(String, RouteClient)>,
    /// The clocks with their trigger types, in their order.
    pub clocks: Vec<(String, ClockClient)>,
    services: Arc<dyn Services>,
}

impl Offers {
    /// Nothing yet, from a plugin that may keep these services.
    pub(crate) fn new(services: Arc<dyn Services>) -> Self {
        let (triggers, hooks, nodes) = (Vec::new(), Vec::new(), Vec::new());
        Self { triggers, hooks, nodes, routes: Vec::new(), clocks: Vec::new(), services }
    }

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

    fn host(&self) -> ROption<HostObject> {
        RSome(host::provide(Arc::clone(&self.services)))
    }

    fn node(&mut self, node: NodeObject) -> AbiResult<()> {
        answer(guarded("the host's registrar", || {
            self.nodes.push(NodeClient::new(node));
            Ok(())
        }))
    }

    fn route(&mut self, name: RStr<'_>, route: RouteObject) -> AbiResult<()> {
        answer(guarded("the host's registrar", || {
            self.routes.push((name.into(), RouteClient::new(route)));
            Ok(())
        }))
    }

    fn clock(&mut self, trigger: RStr<'_>, clock: ClockObject) -> AbiResult<()> {
        answer(guarded("the host's registrar", || {
            self.clocks.push((trigger.into(), ClockClient::new(clock)));
            Ok(())
        }))
    }
}

/// The host behind the registrar, on the plugin's side.
pub(crate) fn host(registrar: &RegistrarObject<'_>) -> Host {
    match registrar.host() {
        RSome(object) => Host::new(HostClient(object)),
        RNone => Host::without_services(),
    }
}

/// Hands everything over, on the plugin's side.
pub(crate) fn hand_over(registrar: Registrar, mut host: RegistrarObject<'_>) -> Result<(), PluginError> {
    let Parts { triggers, hooks, nodes, routes, clocks } = registrar.into_parts();
    for trigger in triggers {
        result(host.trigger(trigger::provide(trigger)))?;
    }
    for offered in hooks {
        let interests = write("interests", &offered.interests)?;
        result(host.action_hook(interests.as_rstr(), hook::provide(offered.hook)))?;
    }
    for node in nodes {
        result(host.node(node::provide(node)))?;
    }
    for (name, handler) in routes {
        result(host.route(name.as_str().into(), route::provide(handler)))?;
    }
    for (trigger, handler) in clocks {
        result(host.clock(trigger.as_str().into(), clock::provide(handler)))?;
    }
    Ok(())
}
