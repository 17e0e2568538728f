//! What a plugin offers, with what each part says about itself.

use plugin_api::{
    Interest, NodeInfo, PluginError, TriggerInfo,
    abi::{hook::HookClient, node::NodeClient, registrar::Offers, route::RouteClient, trigger::TriggerClient},
};
use serde_json::Value;

use crate::clock::Clock;

/// A trigger type of a plugin.
pub type Trigger = TriggerClient;

/// A hook of a plugin; ask it as a [`plugin_api::ActionHook`].
pub type Hook = HookClient;

/// A node type of a plugin.
pub type NodeType = NodeClient;

/// A route of a plugin; ask it as a [`plugin_api::RouteHandler`].
pub type Route = RouteClient;

/// All that a plugin offers. Dropping it undoes what making the plugin did.
pub struct Offered {
    /// The trigger types, in the plugin's order.
    pub triggers: Vec<OfferedTrigger>,
    /// The hooks, with the actions they are always asked about.
    pub hooks: Vec<(Vec<Interest>, Hook)>,
    /// The node types.
    pub nodes: Vec<OfferedNode>,
    /// The routes, with their names.
    pub routes: Vec<(String, Route)>,
    /// The clocks, with the trigger types whose workflows they are for.
    pub clocks: Vec<(String, Clock)>,
}

/// A trigger type with what it says about itself.
pub struct OfferedTrigger {
    /// The type.
    pub trigger: Trigger,
    /// Its description.
    pub info: TriggerInfo,
    /// The JSON Schema of its configuration.
    pub config_schema: Value,
}

/// A node type with what it says about itself.
pub struct OfferedNode {
    /// The type.
    pub node: NodeType,
    /// Its description.
    pub info: NodeInfo,
    /// The JSON Schema of its configuration.
    pub config_schema: Value,
}

impl Offered {
    /// Asks everything that a plugin has handed over about itself.
    ///
    /// # Errors
    ///
    /// A fault of the plugin.
    pub fn read(offers: Offers) -> Result<Self, PluginError> {
        let trigger = |trigger: Trigger| {
            let (info, config_schema) = (trigger.info()?, trigger.config_schema()?);
            Ok(OfferedTrigger { trigger, info, config_schema })
        };
        let node = |node: NodeType| {
            let (info, config_schema) = (node.info()?, node.config_schema()?);
            Ok(OfferedNode { node, info, config_schema })
        };
        Ok(Self {
            triggers: offers.triggers.into_iter().map(trigger).collect::<Result<_, PluginError>>()?,
            hooks: offers.hooks,
            nodes: offers.nodes.into_iter().map(node).collect::<Result<_, PluginError>>()?,
            routes: offers.routes,
            clocks: offers.clocks.into_iter().map(|(trigger, clock)| (trigger, Clock(clock))).collect(),
        })
    }
}
