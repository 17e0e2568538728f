//! The two doors the host comes through: one to configure, one with requests.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use plugin_api::{
    BindingInfo, ExecutionMode, Interest, ManualData, ManualRun, PluginError, RouteAnswer, RouteHandler, RouteRequest,
    RouteStart, SchemaView, Trigger, TriggerInfo, Variable, Workflow, WorkflowId, watch::ManualInput,
};
use serde_json::Value;

use crate::{config::Config, content, locales, proof};

/// The enabled workflows by their key. Held for a lookup alone.
#[derive(Clone, Default)]
pub(crate) struct Enabled(Arc<RwLock<BTreeMap<String, Arc<Workflow<Config>>>>>);

impl Enabled {
    fn find(&self, key: &str) -> Option<Arc<Workflow<Config>>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, Arc<Workflow<Config>>>)) {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }
}

/// The door for configuration.
pub(crate) struct WebhookTrigger(pub(crate) Enabled);

impl Trigger for WebhookTrigger {
    type Config = Config;

    fn info(&self) -> TriggerInfo {
        TriggerInfo {
            id: "webhook".to_owned(),
            title: locales::TITLE.text(),
            description: locales::DESCRIPTION.text(),
            binding: BindingInfo {
                buttons: Vec::new(),
                data: Vec::new(),
                variables: vec![
                    Variable::new("headers", &locales::HEADERS),
                    Variable::new("query", &locales::QUERY),
                    Variable::new("body", &locales::BODY),
                ],
                modes: vec![ExecutionMode::Async, ExecutionMode::Sync],
            },
        }
    }

    fn validate(&self, config: &Config, _: &dyn SchemaView) -> Result<(), PluginError> {
        config.check()
    }

    fn enable(&self, workflow: Workflow<Config>) -> Result<Vec<Interest>, PluginError> {
        // Another version of the key gives way.
        self.0.change(|enabled| drop(enabled.insert(workflow.key.clone(), Arc::new(workflow))));
        Ok(Vec::new())
    }

    fn disable(&self, workflow: WorkflowId) {
        self.0.change(|enabled| enabled.retain(|_, it| it.id != workflow));
    }

    fn manual(&self, _: &Config, input: Value) -> Result<ManualRun, PluginError> {
        let mut input = ManualInput::read(input)?;
        let body = input.required("body")?;
        Ok(ManualRun { variable: "body".to_owned(), ..input.run(ManualData::Given(body))? })
    }
}

/// The door for requests.
pub(crate) struct WebhookRoute(pub(crate) Enabled);

impl RouteHandler for WebhookRoute {
    /// A request proves itself before anything is said about its body.
    fn answer(&self, request: &RouteRequest<'_>) -> Result<RouteAnswer, PluginError> {
        let Some(workflow) = self.0.find(request.path) else {
            return Ok(RouteAnswer::refuse(404, "there is no webhook here, or it is switched off"));
        };
        let config = &workflow.config;
        if request.method != config.method.name() {
            return Ok(RouteAnswer::refuse(405, format!("this webhook takes {} requests", config.method.name())));
        }
        if !proof::holds(config, request) {
            return Ok(RouteAnswer::refuse(401, "the signature or the token is missing, wrong or too old"));
        }
        Ok(match content::context(config, request) {
            Ok(context) => RouteAnswer::Start(RouteStart { workflow: workflow.id, mode: workflow.mode, context }),
            Err(problem) => RouteAnswer::refuse(400, problem),
        })
    }
}

#[cfg(test)]
mod tests;
