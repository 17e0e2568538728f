//! The scripted host.

use std::collections::BTreeMap;

use plugin_api::{
    ActionEvent, ActionHook, ExecutionMode, Interest, ManualRun, Plan, PluginError, TriggerInfo, When, Workflow,
    WorkflowId,
    abi::{hook::HookClient, trigger::TriggerClient},
};
use serde_json::Value;

use crate::{OpenError, PluginUnderTest, Schema, UserAction};

/// A host with one plugin. Dropping it drops the plugin's triggers and hooks.
pub struct TestHost {
    /// The schema; change it as people do while workflows are enabled.
    pub schema: Schema,
    triggers: BTreeMap<String, TriggerClient>,
    hooks: Vec<(Vec<Interest>, HookClient)>,
    enabled: BTreeMap<WorkflowId, Enabled>,
    next: i64,
}

struct Enabled {
    key: String,
    trigger: String,
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
        let offers = plugin.make()?;
        let mut triggers = BTreeMap::new();
        for trigger in offers.triggers {
            triggers.insert(trigger.info().map_err(OpenError::Register)?.id, trigger);
        }
        Ok(Self { schema, triggers, hooks: offers.hooks, enabled: BTreeMap::new(), next: 1 })
    }

    /// What a trigger type says about itself.
    ///
    /// # Errors
    ///
    /// There is no such type, or the plugin is at fault.
    pub fn trigger(&self, trigger: &str) -> Result<TriggerInfo, PluginError> {
        self.find(trigger)?.info()
    }

    /// The JSON Schema of a trigger type's configuration.
    ///
    /// # Errors
    ///
    /// There is no such type, or the plugin is at fault.
    pub fn config_schema(&self, trigger: &str) -> Result<Value, PluginError> {
        self.find(trigger)?.config_schema()
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
        let found = self.find(trigger)?;
        found.validate(&config, &self.schema)?;
        let id = WorkflowId(self.next);
        let interests = found.enable(&Workflow { id, key: key.to_owned(), mode, config })?;
        self.next += 1;
        self.enabled.insert(id, Enabled { key: key.to_owned(), trigger: trigger.to_owned(), interests });
        Ok(id)
    }

    /// Switches a workflow off. One that is not on is left alone.
    ///
    /// # Errors
    ///
    /// The plugin is at fault; the workflow is off all the same.
    pub fn disable(&mut self, workflow: WorkflowId) -> Result<(), PluginError> {
        match self.enabled.remove(&workflow) {
            Some(enabled) => self.find(&enabled.trigger)?.disable(workflow),
            None => Ok(()),
        }
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
        for (interests, hook) in &self.hooks {
            if for_workflows || interests.iter().any(|it| waits_for(it, action)) {
                decision.asked += 1;
                let plan = hook.plan(&event)?;
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
        self.find(trigger)?.manual(config, input)
    }

    fn find(&self, trigger: &str) -> Result<&TriggerClient, PluginError> {
        let known = || self.triggers.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let found = self.triggers.get(trigger);
        found.ok_or_else(|| PluginError::invalid(format!("no trigger type {trigger}; there is: {}", known())))
    }
}

fn waits_for(interest: &Interest, action: &UserAction) -> bool {
    interest.phase == action.phase
        && interest.actions.contains(&action.action)
        && interest.collection.as_ref().is_none_or(|collection| *collection == action.collection)
        && (interest.when == When::Always || !action.bindings.is_empty())
}
