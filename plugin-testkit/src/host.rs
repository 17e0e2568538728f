//! The scripted host.

use std::collections::BTreeMap;

use plugin_api::{
    ActionEvent, ActionHook as _, ExecutionMode, Interest, ManualRun, NodeInfo, Plan, PluginError, RouteAnswer,
    RouteHandler as _, RouteStart, TriggerInfo, When, Workflow, WorkflowId,
};
use plugin_loader::{Clock, OfferedTrigger};
use serde_json::Value;

use crate::{
    NodeJob, NodeStart, OpenError, PluginUnderTest, Request, Schema, UserAction, inside::calling, subject::Made,
};

/// A host with one plugin. Dropping it drops what the plugin offers, and ends its services.
pub struct TestHost {
    /// The schema; change it as people do while workflows are enabled.
    pub schema: Schema,
    plugin: Made,
    enabled: BTreeMap<WorkflowId, Enabled>,
    next: i64,
}

struct Enabled {
    key: String,
    trigger: String,
    config: Value,
    interests: Vec<Interest>,
}

/// What an action starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// How many of the plugin's hooks were asked; none of them if nothing waits for the action.
    pub asked: usize,
    /// Their plans, one after the other.
    pub plan: Plan,
    fired: Vec<String>,
}

impl Decision {
    /// What starts, in order: the keys, with the path to the record that is handed over, as in `triggerWorkflows`.
    pub fn fired(&self) -> &[String] {
        &self.fired
    }
}

impl TestHost {
    /// Makes the plugin.
    ///
    /// # Panics
    ///
    /// There is no plugin; [`Self::try_new`] says why instead.
    #[track_caller]
    pub fn new(plugin: PluginUnderTest, schema: Schema) -> Self {
        Self::try_new(plugin, schema).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Makes the plugin.
    ///
    /// # Errors
    ///
    /// The library cannot be opened, or the plugin does not start.
    pub fn try_new(plugin: PluginUnderTest, schema: Schema) -> Result<Self, OpenError> {
        let plugin = plugin.make()?;
        if let Some(session) = &plugin.session {
            session.begin();
        }
        Ok(Self { schema, plugin, enabled: BTreeMap::new(), next: 1 })
    }

    /// What a trigger type says about itself.
    ///
    /// # Errors
    ///
    /// There is no such type, or the plugin is at fault.
    pub fn trigger(&self, trigger: &str) -> Result<TriggerInfo, PluginError> {
        Ok(self.find(trigger)?.info.clone())
    }

    /// The JSON Schema of a trigger type's configuration.
    ///
    /// # Errors
    ///
    /// There is no such type, or the plugin is at fault.
    pub fn config_schema(&self, trigger: &str) -> Result<Value, PluginError> {
        Ok(self.find(trigger)?.config_schema.clone())
    }

    /// Makes a workflow and switches it on, as somebody does who configures it: its configuration is validated first.
    ///
    /// # Errors
    ///
    /// There is no such trigger type, or the plugin does not take the workflow. Nothing is enabled then.
    pub fn enable(
        &mut self,
        key: &str,
        trigger: &str,
        mode: ExecutionMode,
        config: Value,
    ) -> Result<WorkflowId, PluginError> {
        let found = &self.find(trigger)?.trigger;
        let id = WorkflowId(self.next);
        let interests = calling(|| {
            found.validate(&config, &self.schema)?;
            found.enable(&Workflow { id, key: key.to_owned(), mode, config: config.clone() })
        })?;
        self.next += 1;
        if let Some(session) = &self.plugin.session {
            session.enable(id);
        }
        self.enabled.insert(id, Enabled { key: key.to_owned(), trigger: trigger.to_owned(), config, interests });
        Ok(id)
    }

    /// Switches a workflow off. One that is not on is left alone.
    ///
    /// # Errors
    ///
    /// The plugin is at fault; the workflow is off all the same.
    pub fn disable(&mut self, workflow: WorkflowId) -> Result<(), PluginError> {
        let Some(enabled) = self.enabled.remove(&workflow) else { return Ok(()) };
        if let Some(session) = &self.plugin.session {
            session.disable(workflow);
        }
        let found = &self.find(&enabled.trigger)?.trigger;
        calling(|| found.disable(workflow))
    }

    /// Lets a user act, and asks the hooks that wait for it. A hook that waits for nothing of the kind is not entered, as in a
    /// host.
    ///
    /// # Errors
    ///
    /// A hook failed, or wants to start a workflow that is not enabled.
    pub fn act(&self, action: &UserAction) -> Result<Decision, PluginError> {
        let mut event = ActionEvent::new(action.phase, action.action, &action.collection, &self.schema);
        event.bindings = &action.bindings;
        event.actor = action.actor;
        event.role = &action.role;
        event.detail = action.detail;

        let for_workflows = self.enabled.values().flat_map(|it| &it.interests).any(|it| waits_for(it, action));
        let mut decision = Decision { asked: 0, plan: Plan::default(), fired: Vec::new() };
        for (interests, hook) in &self.plugin.offered.hooks {
            if for_workflows || interests.iter().any(|it| waits_for(it, action)) {
                decision.asked += 1;
                let plan = calling(|| hook.plan(&event))?;
                decision.plan.firings.extend(plan.firings);
                decision.plan.skips.extend(plan.skips);
            }
        }
        for firing in &decision.plan.firings {
            let Some(enabled) = self.enabled.get(&firing.workflow) else {
                let WorkflowId(id) = firing.workflow;
                return Err(PluginError::fault(format!("the plan starts workflow {id}, which is not enabled")));
            };
            let path = if firing.path.is_empty() { String::new() } else { format!("!{}", firing.path) };
            decision.fired.push(format!("{}{path}", enabled.key));
        }
        Ok(decision)
    }

    /// Reads the input of a manual run.
    ///
    /// # Errors
    ///
    /// There is no such trigger type, the input is wrong, or the plugin is at fault.
    pub fn manual(&self, trigger: &str, config: &Value, input: &Value) -> Result<ManualRun, PluginError> {
        let found = &self.find(trigger)?.trigger;
        calling(|| found.manual(config, input))
    }

    /// What a node type says about itself.
    ///
    /// # Errors
    ///
    /// There is no such type.
    pub fn node(&self, node: &str) -> Result<NodeInfo, PluginError> {
        Ok(self.plugin.offered.nodes[self.find_node(node)?].info.clone())
    }

    /// Checks the configuration of a node, as when somebody configures it: variables may stand in it.
    ///
    /// # Errors
    ///
    /// There is no such type, the configuration is wrong, or the plugin is at fault.
    pub fn check_node(&self, node: &str, config: &Value) -> Result<(), PluginError> {
        let found = &self.plugin.offered.nodes[self.find_node(node)?].node;
        calling(|| found.check(config))
    }

    /// Lets an execution come to a node: it says who is meant, and asks them or ends.
    ///
    /// # Errors
    ///
    /// There is no such type, the configuration is wrong or means nobody, or the plugin is at fault. In a host the job of the node
    /// would end in error.
    pub fn begin(&self, start: &NodeStart) -> Result<NodeJob, PluginError> {
        NodeJob::begin(&self.plugin.offered, self.find_node(&start.node)?, start)
    }

    /// Sends a request to a route. A refusal is an answer, too.
    ///
    /// # Errors
    ///
    /// There is no such route, the plugin is at fault, or it starts a workflow that is not enabled.
    pub fn request(&self, request: &Request) -> Result<RouteAnswer, PluginError> {
        let routes = &self.plugin.offered.routes;
        let (_, route) = routes.iter().find(|(name, _)| *name == request.route).ok_or_else(|| {
            let known = routes.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
            PluginError::invalid(format!("no route {}; there is: {known}", request.route))
        })?;
        let answer = calling(|| route.answer(&request.as_route_request()))?;
        match answer {
            RouteAnswer::Start(RouteStart { workflow: WorkflowId(id), .. })
                if !self.enabled.contains_key(&WorkflowId(id)) =>
            {
                Err(PluginError::fault(format!("the route starts workflow {id}, which is not enabled")))
            }
            // What a host makes of other statuses.
            RouteAnswer::Refuse(refusal) if !(400..500).contains(&refusal.status) => {
                Ok(RouteAnswer::refuse(400, refusal.message))
            }
            answer => Ok(answer),
        }
    }

    /// The clock of an enabled workflow, with the workflow's configuration.
    pub(crate) fn clock(&self, workflow: WorkflowId) -> Result<(&Clock, &Value), PluginError> {
        let WorkflowId(id) = workflow;
        let not_enabled = || PluginError::invalid(format!("workflow {id} is not enabled"));
        let Enabled { trigger, config, .. } = self.enabled.get(&workflow).ok_or_else(not_enabled)?;
        let found = self.plugin.offered.clocks.iter().find(|(it, _)| it == trigger);
        let (_, clock) = found.ok_or_else(|| PluginError::invalid(format!("nothing keeps the time of {trigger}")))?;
        Ok((clock, config))
    }

    fn find_node(&self, node: &str) -> Result<usize, PluginError> {
        let nodes = &self.plugin.offered.nodes;
        let known = || nodes.iter().map(|it| it.info.id.as_str()).collect::<Vec<_>>().join(", ");
        let found = nodes.iter().position(|it| it.info.id == node);
        found.ok_or_else(|| PluginError::invalid(format!("no node type {node}; there is: {}", known())))
    }

    fn find(&self, trigger: &str) -> Result<&OfferedTrigger, PluginError> {
        let triggers = &self.plugin.offered.triggers;
        let known = || triggers.iter().map(|it| it.info.id.as_str()).collect::<Vec<_>>().join(", ");
        let found = triggers.iter().find(|it| it.info.id == trigger);
        found.ok_or_else(|| PluginError::invalid(format!("no trigger type {trigger}; there is: {}", known())))
    }
}

impl Drop for TestHost {
    fn drop(&mut self) {
        if let Some(session) = &self.plugin.session {
            session.end();
        }
    }
}

fn waits_for(interest: &Interest, action: &UserAction) -> bool {
    interest.phase == action.phase
        && interest.actions.contains(&action.action)
        && interest.collection.as_ref().is_none_or(|collection| *collection == action.collection)
        && (interest.when == When::Always || !action.bindings.is_empty())
}
