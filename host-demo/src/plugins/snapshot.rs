//! The plugins of a host at one moment. A request works with one snapshot from its decision to its end, whatever is enabled,
//! disabled or replaced meanwhile.

use std::sync::{Arc, Mutex, PoisonError};

use plugin_api::{
    Action, ActionEvent, ClockAnswer, ClockQuestion, ClockWatch, Detail, Phase, Plan, PluginError, RouteAnswer,
    RouteRequest, WorkflowId,
};
use plugin_loader::Images;
use serde_json::Value;

use super::{
    error::{LoadProblem, PluginHostError},
    interests::CollectionName,
    loaded_node::LoadedNode,
    loaded_trigger::LoadedTrigger,
    loader,
    manifest::{Manifest, ManifestEntry},
    member::Member,
    registry::Registry,
    report::{PluginDetails, PluginReport, PluginState, without_secrets},
    services::Door,
};

/// All plugins of a manifest: loaded, failed or switched off.
pub struct Plugins {
    pub(super) registry: Registry,
    reports: Vec<PluginReport>,
    /// The loaded plugin of each report.
    members: Vec<Option<Arc<Member>>>,
    /// Private copies of the libraries, for debuggers; they go with the last snapshot.
    images: Arc<Mutex<Images>>,
    /// Through which the plugins of all snapshots call the host.
    door: Arc<Door>,
}

/// A hook's answer about one action.
#[derive(Debug)]
pub struct HookAnswer {
    /// The plugin asked.
    pub plugin: Arc<str>,
    /// Whether the host needs it: without its decision there is no action.
    pub required: bool,
    /// Its decision, or why there is none.
    pub result: Result<Plan, PluginError>,
}

/// A route's answer to a request.
#[derive(Debug)]
pub struct RouteVerdict {
    /// The plugin asked.
    pub plugin: Arc<str>,
    /// What the request starts, or why there is no answer.
    pub result: Result<RouteAnswer, PluginError>,
}

/// What a snapshot is to have in one place.
pub(super) enum Slot {
    /// What the other snapshot has there.
    Kept(usize),
    /// What the manifest says, loaded now if it is enabled.
    Fresh(ManifestEntry),
    /// The same; if it cannot be loaded, that is only reported.
    Retried(ManifestEntry),
}

impl Plugins {
    /// Loads the plugins in the manifest's order. One that fails is reported, and the others go on.
    ///
    /// # Errors
    ///
    /// A required plugin failed, or the manifest lists an id twice.
    pub fn load(manifest: &Manifest) -> Result<Self, PluginHostError> {
        manifest.check()?;
        let mut plugins = Self::none();
        for entry in &manifest.plugins {
            match plugins.add(entry.clone()) {
                Err(problem) if entry.required => {
                    return Err(PluginHostError::Required { id: entry.id.clone(), problem });
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(plugins)
    }

    /// Loads the plugins in the manifest's order; also a required one that fails is only reported.
    ///
    /// # Errors
    ///
    /// The manifest lists an id twice.
    pub fn load_for_repair(manifest: &Manifest) -> Result<Self, PluginHostError> {
        manifest.check()?;
        let mut plugins = Self::none();
        for entry in &manifest.plugins {
            // Told in its report.
            let _ = plugins.add(entry.clone());
        }
        Ok(plugins)
    }

    /// No plugins at all.
    pub fn none() -> Self {
        Self {
            registry: Registry::default(),
            reports: Vec::new(),
            members: Vec::new(),
            images: Arc::default(),
            door: Arc::default(),
        }
    }

    /// Makes the snapshot that is to follow this one. Nothing of it is known to the workflows yet.
    ///
    /// # Errors
    ///
    /// The line about the first plugin that cannot be loaded, or be there beside the others.
    pub(super) fn next(&self, slots: Vec<Slot>) -> Result<Self, String> {
        let mut next = Self { images: Arc::clone(&self.images), door: Arc::clone(&self.door), ..Self::none() };
        for slot in slots {
            let added = match slot {
                Slot::Kept(position) => next.keep(&self.reports[position], self.members[position].as_ref()),
                Slot::Fresh(entry) => next.add(entry),
                Slot::Retried(entry) => {
                    // Told in its report.
                    let _ = next.add(entry);
                    Ok(())
                }
            };
            if added.is_err()
                && let Some(line) = next.reports.pop().and_then(|report| report.error)
            {
                return Err(line);
            }
        }
        Ok(next)
    }

    fn add(&mut self, entry: ManifestEntry) -> Result<(), LoadProblem> {
        let mut report = PluginReport::new(&entry);
        let mut outcome = Ok(());
        let mut member = None;
        if entry.enabled {
            let candidate = {
                let mut images = self.images.lock().unwrap_or_else(PoisonError::into_inner);
                loader::load(&entry, &mut images, &self.door, &mut report)
            };
            outcome = candidate.and_then(|candidate| {
                let loaded = Arc::new(Member::new(entry, candidate));
                self.registry.admit(&loaded)?;
                report.describe(&loaded);
                member = Some(loaded);
                Ok(())
            });
            report.finish(outcome.as_ref().err());
            match &report.error {
                Some(line) => tracing::error!(plugin = report.id, "{line}"),
                None => tracing::info!(plugin = report.id, version = report.version, "plugin loaded"),
            }
        }
        self.reports.push(report);
        self.members.push(member);
        outcome
    }

    fn keep(&mut self, report: &PluginReport, member: Option<&Arc<Member>>) -> Result<(), LoadProblem> {
        let mut report = report.clone();
        let outcome = member.map_or(Ok(()), |member| self.registry.admit(member));
        if outcome.is_err() {
            report.finish(outcome.as_ref().err());
        }
        self.reports.push(report);
        self.members.push(member.cloned());
        outcome
    }

    /// What became of each plugin when it was loaded, in the manifest's order.
    pub fn reports(&self) -> &[PluginReport] {
        &self.reports
    }

    /// How each plugin is doing now, in the manifest's order.
    pub fn status(&self) -> Vec<PluginReport> {
        self.reports.iter().zip(&self.members).map(|(report, member)| now(report, member.as_deref())).collect()
    }

    /// Everything about one plugin; reads its library, to tell its checksum.
    pub fn details(&self, id: &str) -> Option<PluginDetails> {
        let position = self.position(id)?;
        let (report, member) = (&self.reports[position], self.members[position].as_deref());
        let settings = member.and_then(|member| serde_json::to_value(&member.entry.settings).ok()).unwrap_or_default();
        let schema = member.map(Member::settings_schema);
        let offered = member.map(|member| &member.candidate.offered);
        let triggers = offered.into_iter().flat_map(|offered| &offered.triggers);
        let nodes = offered.into_iter().flat_map(|offered| &offered.nodes);
        Some(PluginDetails {
            report: now(report, member),
            sha256: member.and_then(|member| plugin_loader::sha256(member.image())),
            breaker: member.map(|member| member.entry.breaker).unwrap_or_default(),
            settings: schema.map_or(Value::Null, |schema| without_secrets(&settings, schema)),
            settings_schema: schema.cloned(),
            config_schemas: triggers.map(|it| (it.info.id.clone(), it.config_schema.clone())).collect(),
            node_schemas: nodes.map(|it| (it.info.id.clone(), it.config_schema.clone())).collect(),
            workflows: None,
        })
    }

    /// The trigger type with this id.
    pub fn trigger(&self, type_id: &str) -> Option<&LoadedTrigger> {
        self.registry.trigger(type_id)
    }

    /// The node type with this id.
    pub fn node(&self, type_id: &str) -> Option<&LoadedNode> {
        self.registry.nodes.get(type_id)
    }

    /// All node types of plugins, by id.
    pub fn nodes(&self) -> impl Iterator<Item = &LoadedNode> {
        self.registry.nodes.values()
    }

    /// All trigger types, in the order of the manifest and of their registration.
    pub fn triggers(&self) -> impl Iterator<Item = &LoadedTrigger> {
        self.registry.triggers.iter()
    }

    /// Says why no workflow of a trigger type can fire; `None` if they can.
    pub fn obstacle(&self, type_id: &str) -> Option<String> {
        match self.trigger(type_id) {
            None => Some(format!("no plugin offers the trigger type \"{type_id}\"")),
            Some(trigger) if trigger.is_suspended() => {
                Some(format!("plugin \"{}\" is out of service after too many faults", trigger.plugin()))
            }
            Some(_) => None,
        }
    }

    /// Says whether any hook waits for such an action: one hash lookup at most, no plugin is entered. `bound` says whether the
    /// request has bindings, be they right or wrong.
    pub fn waits_for<'n>(
        &self,
        phase: Phase,
        action: Action,
        collection: impl Into<CollectionName<'n>>,
        bound: bool,
    ) -> bool {
        self.registry.interests.waits_for(phase, action, collection.into(), bound)
    }

    /// Asks every hook that waits for the action, in the manifest's order. A fault of one is logged and answered, and
    /// the others are still asked.
    pub fn plan(&self, event: &ActionEvent<'_>) -> Vec<HookAnswer> {
        let bound = !event.bindings.is_empty();
        let waiting = self.registry.interests.hooks(event.phase, event.action, event.collection, bound);
        waiting.into_iter().filter_map(|position| self.ask(position, event)).collect()
    }

    /// Says whether a plugin has this route.
    pub fn has_route(&self, route: &str) -> bool {
        self.registry.route(route).is_some()
    }

    /// Asks the plugin that has this route; `None` if none has it.
    pub fn answer(&self, route: &str, request: &RouteRequest<'_>) -> Option<RouteVerdict> {
        let (member, index) = self.registry.route(route)?;
        Some(RouteVerdict { plugin: Arc::clone(&member.id), result: member.answer(*index, request) })
    }

    /// Says whether workflows of a trigger type start by the clock.
    pub fn has_clock(&self, type_id: &str) -> bool {
        self.registry.clock(type_id).is_some()
    }

    /// The trigger types whose workflows start by the clock.
    pub fn clock_types(&self) -> Vec<&str> {
        self.registry.clock_types().collect()
    }

    /// Asks which records a workflow of a trigger type with a clock waits with. The error of one without says so.
    ///
    /// # Errors
    ///
    /// The plugin's, logged and counted.
    pub fn watch(&self, type_id: &str, config: &Value) -> Result<Option<ClockWatch>, PluginError> {
        let (member, index) = self.registry.clock(type_id).ok_or_else(|| no_clock(type_id))?;
        member.watch(*index, config)
    }

    /// Asks what of a workflow of a trigger type with a clock is due. The error of one without says so.
    ///
    /// # Errors
    ///
    /// The plugin's, logged and counted.
    pub fn due(&self, type_id: &str, config: &Value, question: &ClockQuestion) -> Result<ClockAnswer, PluginError> {
        let (member, index) = self.registry.clock(type_id).ok_or_else(|| no_clock(type_id))?;
        member.due(*index, config, question)
    }

    /// Asks every hook, also those that do not wait for the action, for all it can tell about it. What the ones that do not
    /// wait would start is left out: it does not start.
    pub fn explain(&self, event: &ActionEvent<'_>) -> Vec<HookAnswer> {
        let bound = !event.bindings.is_empty();
        let waiting = self.registry.interests.hooks(event.phase, event.action, event.collection, bound);
        let mut event = *event;
        event.detail = Detail::Everything;
        (0..self.registry.hooks().len())
            .filter_map(|position| {
                let mut answer = self.ask(position, &event)?;
                if !waiting.contains(&position) {
                    // The action does not need an answer that it would not have asked for.
                    answer.required = false;
                    match &mut answer.result {
                        Ok(plan) => plan.firings.clear(),
                        Err(_) => answer.result = Ok(Plan::default()),
                    }
                }
                Some(answer)
            })
            .collect()
    }

    fn ask(&self, position: usize, event: &ActionEvent<'_>) -> Option<HookAnswer> {
        let (member, hook) = self.registry.hooks().get(position)?;
        let (plugin, required) = (Arc::clone(&member.id), member.entry.required);
        Some(HookAnswer { plugin, required, result: member.plan(*hook, event) })
    }

    /// Takes over what is known about the workflows of the plugins that both snapshots have.
    pub(super) fn carry_over(&self, earlier: &Self) {
        for member in self.members.iter().flatten().filter(|member| earlier.has(member)) {
            self.registry.carry_over(&earlier.registry, &member.id);
        }
    }

    /// Says whether a workflow was told to, and taken by, its trigger.
    pub(super) fn knows(&self, workflow: WorkflowId) -> bool {
        self.registry.interests.knows(workflow)
    }

    /// Says whether the very same plugin, not another version of it, is here.
    pub(super) fn has(&self, member: &Arc<Member>) -> bool {
        self.members.iter().flatten().any(|here| Arc::ptr_eq(here, member))
    }

    /// Through which its plugins call the host.
    pub(super) fn door(&self) -> &Door {
        &self.door
    }

    /// Puts its plugins in service, and those that only the earlier snapshot has out of it: they call no services any more.
    pub(super) fn follow(&self, earlier: &Self) {
        for member in earlier.members.iter().flatten().filter(|member| !self.has(member)) {
            member.candidate.session.end();
        }
        self.begin();
    }

    /// Puts its plugins in service: what they ask of the host from threads of their own is answered from now on.
    pub(super) fn begin(&self) {
        for member in self.members.iter().flatten() {
            member.candidate.session.begin();
        }
    }

    pub(super) fn position(&self, id: &str) -> Option<usize> {
        self.reports.iter().position(|report| report.id == id)
    }

    pub(super) fn member(&self, id: &str) -> Option<&Arc<Member>> {
        self.members.get(self.position(id)?)?.as_ref()
    }
}

fn no_clock(type_id: &str) -> PluginError {
    PluginError::unavailable(format!("no plugin keeps the time of \"{type_id}\""))
}

fn now(report: &PluginReport, member: Option<&Member>) -> PluginReport {
    let mut report = report.clone();
    if let Some(health) = member.map(Member::health) {
        (report.faults, report.last_fault) = (health.faults, health.last_fault);
        if health.is_suspended {
            report.state = PluginState::Suspended;
        }
    }
    report
}
