//! The plugins of a running host: their trigger types and hooks, and who waits for what.

use std::{
    collections::HashMap,
    ops::Range,
    sync::{Arc, Weak},
};

use plugin_api::{
    Action, ActionEvent, ActionHook, CollectionRef, Detail, ErrorKind, ManualRun, Phase, Plan, PluginError, SchemaView,
    TriggerInfo, Workflow, WorkflowId,
};
use serde_json::Value;
use tokio_util::task::TaskTracker;

use super::{
    bridge::{Hook, Trigger},
    error::{LoadProblem, PluginHostError},
    image::Images,
    interests::Interests,
    loader::{self, Candidate},
    manifest::{Manifest, is_id},
    report::{HookReport, PluginReport, TriggerReport},
    services::{Backend, Door, Session},
};

/// All plugins of a manifest: loaded, failed or switched off.
pub struct Plugins {
    registry: Registry,
    reports: Vec<PluginReport>,
    /// Through which the plugins call the host.
    door: Arc<Door>,
    /// Private copies of the libraries, for debuggers; they go with this value.
    _images: Option<Images>,
}

/// A hook's answer about one action.
#[derive(Debug)]
pub struct HookAnswer {
    /// The plugin asked.
    pub plugin: Arc<str>,
    /// Its decision, or why there is none.
    pub result: Result<Plan, PluginError>,
}

impl Plugins {
    /// Loads the plugins in the manifest's order. One that fails is reported, and the others go on.
    ///
    /// # Errors
    ///
    /// A required plugin failed, or the manifest lists an id twice.
    pub fn load(manifest: &Manifest) -> Result<Self, PluginHostError> {
        manifest.check()?;
        let mut registry = Registry::default();
        let mut reports = Vec::with_capacity(manifest.plugins.len());
        let mut images = None;
        let door = Arc::new(Door::default());
        for entry in &manifest.plugins {
            let mut report = PluginReport::new(entry);
            if entry.enabled {
                let outcome = take_images(&mut images)
                    .and_then(|images| loader::load(entry, images, &door, &mut report))
                    .and_then(|candidate| registry.admit(candidate, &mut report));
                report.finish(outcome.as_ref().err());
                match (outcome, &report.error) {
                    (Err(problem), _) if entry.required => {
                        return Err(PluginHostError::Required { id: entry.id.clone(), problem });
                    }
                    (Err(_), Some(line)) => tracing::error!(plugin = entry.id, "{line}"),
                    _ => tracing::info!(plugin = entry.id, version = report.version, "plugin loaded"),
                }
            }
            reports.push(report);
        }
        Ok(Self { registry, reports, door, _images: images })
    }

    /// No plugins at all.
    pub fn none() -> Self {
        Self { registry: Registry::default(), reports: Vec::new(), door: Arc::default(), _images: None }
    }

    /// Lets the plugins call services from now on, which run on this runtime, among `tasks`.
    pub(crate) fn open_services(&self, backend: Weak<dyn Backend>, tasks: TaskTracker) {
        self.door.open(backend, tasks);
    }

    /// Lets the plugins call no services any more.
    pub(crate) fn close_services(&self) {
        self.door.close();
    }

    /// What became of each plugin, in the manifest's order.
    pub fn reports(&self) -> &[PluginReport] {
        &self.reports
    }

    /// The trigger type with this id.
    pub fn trigger(&self, type_id: &str) -> Option<&LoadedTrigger> {
        self.registry.by_type.get(type_id).and_then(|position| self.registry.triggers.get(*position))
    }

    /// All trigger types, in the order of the manifest and of their registration.
    pub fn triggers(&self) -> impl Iterator<Item = &LoadedTrigger> {
        self.registry.triggers.iter()
    }

    /// Says whether any hook waits for such an action: one hash lookup, no plugin is entered. `bound` says whether the
    /// request has bindings, be they right or wrong.
    pub fn waits_for(&self, phase: Phase, action: Action, collection: &CollectionRef, bound: bool) -> bool {
        self.registry.interests.waits_for(phase, action, collection, bound)
    }

    /// Asks every hook that waits for the action, in the manifest's order. A fault of one is logged and answered, and
    /// the others are still asked.
    pub fn plan(&self, event: &ActionEvent<'_>) -> Vec<HookAnswer> {
        let bound = !event.bindings.is_empty();
        let waiting = self.registry.interests.hooks(event.phase, event.action, event.collection, bound);
        waiting
            .into_iter()
            .filter_map(|position| self.registry.hooks.get(position))
            .map(|(plugin, hook)| {
                let result = hook.plan(event);
                if let Err(error) = &result {
                    count(plugin, error);
                    tracing::error!(plugin = &**plugin, %error, "a hook failed");
                }
                HookAnswer { plugin: Arc::clone(plugin), result }
            })
            .collect()
    }

    /// Asks every hook, also those that do not wait for the action, for all it can tell about it. What the ones that do not
    /// wait would start is left out: it does not start.
    pub fn explain(&self, event: &ActionEvent<'_>) -> Vec<HookAnswer> {
        let bound = !event.bindings.is_empty();
        let waiting = self.registry.interests.hooks(event.phase, event.action, event.collection, bound);
        let mut event = *event;
        event.detail = Detail::Everything;
        let hooks = self.registry.hooks.iter().enumerate();
        hooks
            .map(|(position, (plugin, hook))| {
                let mut result = hook.plan(&event);
                match &mut result {
                    Ok(plan) if !waiting.contains(&position) => plan.firings.clear(),
                    Ok(_) => {}
                    Err(error) => tracing::error!(plugin = &**plugin, %error, "a hook failed"),
                }
                HookAnswer { plugin: Arc::clone(plugin), result }
            })
            .collect()
    }
}

fn take_images(images: &mut Option<Images>) -> Result<&mut Images, LoadProblem> {
    match images {
        Some(images) => Ok(images),
        None => Ok(images.insert(Images::new()?)),
    }
}

/// What the plugins registered.
#[derive(Default)]
pub(super) struct Registry {
    triggers: Vec<LoadedTrigger>,
    by_type: HashMap<String, usize>,
    hooks: Vec<(Arc<str>, Hook)>,
    interests: Arc<Interests>,
    /// What the plugins' calls to services stand on.
    sessions: Vec<Arc<Session>>,
}

impl Registry {
    /// Takes everything the plugin offers, or nothing.
    pub(super) fn admit(&mut self, candidate: Candidate, report: &mut PluginReport) -> Result<(), LoadProblem> {
        let mut offered: HashMap<&str, &str> = HashMap::new();
        for trigger in &candidate.triggers {
            let id = trigger.info.id.as_str();
            if !is_id(id) {
                return Err(LoadProblem::BadId { id: id.to_owned() });
            }
            let admitted = self.by_type.get(id).and_then(|position| self.triggers.get(*position));
            let owner = admitted.map(LoadedTrigger::plugin).or_else(|| offered.insert(id, &candidate.id));
            if let Some(owner) = owner {
                return Err(LoadProblem::DuplicateTrigger { trigger: id.to_owned(), owner: owner.to_owned() });
            }
        }

        // Nothing below can fail.
        let plugin: Arc<str> = candidate.id.into();
        self.sessions.push(candidate.session);
        let hooks = self.hooks.len()..self.hooks.len() + candidate.hooks.len();
        for (position, (interests, hook)) in hooks.clone().zip(candidate.hooks) {
            self.interests.declare(position, &interests);
            report.hooks.push(HookReport { interests });
            self.hooks.push((Arc::clone(&plugin), hook));
        }
        for offered in candidate.triggers {
            let info = offered.info;
            report.triggers.push(TriggerReport {
                id: info.id.clone(),
                title: info.title.clone(),
                buttons: info.binding.buttons.clone(),
                modes: info.binding.modes.clone(),
            });
            self.by_type.insert(info.id.clone(), self.triggers.len());
            self.triggers.push(LoadedTrigger {
                plugin: Arc::clone(&plugin),
                trigger: offered.trigger,
                info,
                config_schema: offered.config_schema,
                hooks: hooks.clone(),
                interests: Arc::clone(&self.interests),
            });
        }
        Ok(())
    }
}

/// A trigger type of a loaded plugin.
pub struct LoadedTrigger {
    plugin: Arc<str>,
    trigger: Trigger,
    info: TriggerInfo,
    config_schema: Value,
    /// The plugin's hooks, which wait on behalf of its workflows.
    hooks: Range<usize>,
    interests: Arc<Interests>,
}

impl LoadedTrigger {
    /// The plugin's id.
    pub fn plugin(&self) -> &str {
        &self.plugin
    }

    /// What the type says about itself.
    pub fn info(&self) -> &TriggerInfo {
        &self.info
    }

    /// The JSON Schema of its configuration.
    pub fn config_schema(&self) -> &Value {
        &self.config_schema
    }

    /// Checks what the JSON Schema cannot say.
    ///
    /// # Errors
    ///
    /// The configuration is wrong, or the plugin is at fault.
    pub fn validate(&self, config: &Value, schema: &dyn SchemaView) -> Result<(), PluginError> {
        self.trigger.validate(config, schema).inspect_err(|error| self.log(error))
    }

    /// Tells the plugin of an enabled workflow, and waits for its actions from now on. Calls about one workflow must
    /// not overlap: whoever switches workflows puts them in order.
    ///
    /// # Errors
    ///
    /// The plugin does not take the workflow, or is at fault; the workflow then fires nothing.
    pub fn enable(&self, workflow: &Workflow<Value>) -> Result<(), PluginError> {
        match self.trigger.enable(workflow) {
            Ok(interests) => {
                self.interests.set(workflow.id, self.hooks.clone(), interests);
                Ok(())
            }
            Err(error) => {
                self.log(&error);
                // An earlier configuration may still be known.
                self.disable(workflow.id);
                Err(error)
            }
        }
    }

    /// Tells the plugin that a workflow is switched off or deleted.
    pub fn disable(&self, workflow: WorkflowId) {
        self.interests.forget(workflow);
        if let Err(error) = self.trigger.disable(workflow) {
            self.log(&error);
        }
    }

    /// Reads the input of a manual run.
    ///
    /// # Errors
    ///
    /// The input is wrong, or the plugin is at fault.
    pub fn manual(&self, config: &Value, input: &Value) -> Result<ManualRun, PluginError> {
        self.trigger.manual(config, input).inspect_err(|error| self.log(error))
    }

    /// What the caller did wrong is the caller's to know; the rest is the operator's.
    fn log(&self, error: &PluginError) {
        if error.kind != ErrorKind::Invalid {
            count(&self.plugin, error);
            tracing::error!(plugin = &*self.plugin, trigger = self.info.id, %error, "a trigger failed");
        }
    }
}

/// Counts a call that failed; the plugins of a manifest are few.
fn count(plugin: &str, error: &PluginError) {
    let kind = match error.kind {
        ErrorKind::Invalid => "invalid",
        ErrorKind::Unavailable => "unavailable",
        // Plugins of later versions may know more kinds.
        _ => "fault",
    };
    metrics::counter!("plugin_faults_total", "plugin" => plugin.to_owned(), "kind" => kind).increment(1);
}
