//! What a plugin is and how it registers what it offers.

use std::fmt;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::{
    action::{ActionHook, Interest},
    clock::ClockHandler,
    erased::{ErasedClock, ErasedNode, ErasedTrigger, Typed, TypedClock, TypedNode},
    error::PluginError,
    node::{NodeInfo, TaskNode},
    route::RouteHandler,
    service::{Host, Service},
    trigger::{Trigger, TriggerInfo},
};

/// A trigger plugin. [`crate::export_plugin!`] exports it.
pub trait Plugin: Sized + 'static {
    /// The id in `plugin.toml`: lower-case letters, digits and `-`.
    const ID: &'static str;

    /// The plugin's own settings in `plugin.toml`; [`NoSettings`] if there are none.
    type Settings: DeserializeOwned + JsonSchema;

    /// The services of the host that it cannot do without, and the offers that have to be granted; it is not loaded unless the operator grants them. Since 1.2; hosts of
    /// 1.0 and 1.1 load it without asking, and have no services.
    const NEEDS: &'static [Service] = &[];

    /// Makes the plugin and registers what it offers. Nothing is kept if it fails.
    ///
    /// # Errors
    ///
    /// The plugin is reported as failed, with the message.
    fn register(settings: Self::Settings, registrar: &mut Registrar) -> Result<(), PluginError>;
}

/// The settings of a plugin that has none: anything in `plugin.toml` is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoSettings {}

/// Collects what a plugin offers. The host takes all of it, or, if [`Plugin::register`] fails, none.
pub struct Registrar {
    host: Host,
    triggers: Vec<Box<dyn ErasedTrigger>>,
    hooks: Vec<Hook>,
    nodes: Vec<Box<dyn ErasedNode>>,
    routes: Vec<(String, Box<dyn RouteHandler>)>,
    clocks: Vec<(String, Box<dyn ErasedClock>)>,
}

/// What was offered, in the order of each kind.
pub(crate) struct Parts {
    pub(crate) triggers: Vec<Box<dyn ErasedTrigger>>,
    pub(crate) hooks: Vec<Hook>,
    pub(crate) nodes: Vec<Box<dyn ErasedNode>>,
    pub(crate) routes: Vec<(String, Box<dyn RouteHandler>)>,
    pub(crate) clocks: Vec<(String, Box<dyn ErasedClock>)>,
}

/// A hook with the actions it is always asked about.
pub(crate) struct Hook {
    pub(crate) interests: Vec<Interest>,
    pub(crate) hook: Box<dyn ActionHook>,
}

impl Default for Registrar {
    /// Collects for a host without services.
    fn default() -> Self {
        Self::new(Host::without_services())
    }
}

impl Registrar {
    /// Collects for a host.
    pub fn new(host: Host) -> Self {
        let (triggers, hooks, nodes) = (Vec::new(), Vec::new(), Vec::new());
        Self { host, triggers, hooks, nodes, routes: Vec::new(), clocks: Vec::new() }
    }

    /// The host's services, to be kept for the plugin's own threads. They can be called once the host runs and the plugin is in
    /// service, which is after it has registered; until then calls are [unavailable](crate::ErrorKind::Unavailable), and again
    /// when another version has taken over.
    pub fn host(&self) -> Host {
        self.host.clone()
    }

    /// Offers a trigger type.
    pub fn trigger<T: Trigger>(&mut self, trigger: T) {
        self.triggers.push(Box::new(Typed(trigger)));
    }

    /// Offers a hook that is asked about the actions of `interests`, and about those that the plugin's triggers
    /// declare for their enabled workflows.
    pub fn action_hook<H: ActionHook>(&mut self, interests: Vec<Interest>, hook: H) {
        self.hooks.push(Hook { interests, hook: Box::new(hook) });
    }

    /// Offers a node type. Since 1.2; a host before it refuses the plugin.
    pub fn node<T: TaskNode>(&mut self, node: T) {
        self.nodes.push(Box::new(TypedNode(node)));
    }

    /// Describes the node types offered so far, in their order.
    pub fn node_infos(&self) -> Vec<NodeInfo> {
        self.nodes.iter().map(|node| node.info()).collect()
    }

    /// Offers a route: the host asks `handler` about requests to `/api/<name>/…` whose path has no `:`. The name is made of lower-case
    /// letters, digits and `-`. The operator grants it: see [`Service::Routes`]. Since 1.2; a host before it does not load a plugin
    /// with routes.
    pub fn route<H: RouteHandler>(&mut self, name: &str, handler: H) {
        self.routes.push((name.to_owned(), Box::new(handler)));
    }

    /// Offers to say when workflows of a trigger type, which the plugin offers too, are due. The operator grants it: see
    /// [`Service::Clock`]. Since 1.3; a host before it does not load a plugin with clocks.
    pub fn clock<H: ClockHandler>(&mut self, trigger: &str, handler: H) {
        self.clocks.push((trigger.to_owned(), Box::new(TypedClock(handler))));
    }

    /// Describes the trigger types offered so far, in their order.
    pub fn trigger_infos(&self) -> Vec<TriggerInfo> {
        self.triggers.iter().map(|trigger| trigger.info()).collect()
    }

    /// The interests of the hooks offered so far, in their order.
    pub fn hook_interests(&self) -> impl Iterator<Item = &[Interest]> {
        self.hooks.iter().map(|hook| hook.interests.as_slice())
    }

    pub(crate) fn into_parts(self) -> Parts {
        let Self { triggers, hooks, nodes, routes, clocks, .. } = self;
        Parts { triggers, hooks, nodes, routes, clocks }
    }
}

impl fmt::Debug for Registrar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registrar")
            .field("triggers", &self.triggers.len())
            .field("hooks", &self.hooks.len())
            .field("nodes", &self.nodes.len())
            .field("routes", &self.routes.len())
            .field("clocks", &self.clocks.len())
            .finish()
    }
}
