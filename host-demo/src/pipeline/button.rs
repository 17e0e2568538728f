//! The button that a request names: what is bound to it goes to the plugins in the same way as what the request binds itself.
//!
//! The button's bindings come first, in their order; then what the request names in `triggerWorkflows`. Bindings that make no
//! sense any more are withheld from the plugins, and explained to those who ask.

use std::collections::HashMap;

use plugin_api::{Binding, CollectionRef};
use serde_json::json;
use store::{Button, WorkflowRow};

use super::{
    action::{Write, WriteAction},
    explain::Considered,
};
use crate::{
    bindings::{Grounds, Judge, Strictness, actions, kind},
    data_sources::DataSource,
    host::Host,
    http::error::ApiError,
};

/// What is bound to one request.
#[derive(Debug, Clone, Default)]
pub(super) struct Bound {
    /// For the plugins, as in `triggerWorkflows`.
    pub(super) bindings: String,
    /// What is bound to the button and cannot fire.
    pub(super) withheld: Vec<Considered>,
}

impl Bound {
    /// What a request binds itself.
    pub(super) fn to_request(bindings: String) -> Self {
        Self { bindings, withheld: Vec::new() }
    }

    /// Adds what is bound to the button that the request names, if it names one.
    ///
    /// # Errors
    ///
    /// 400 for a button that is not there or is for something else; where bindings are strict, also for a request that
    /// names a workflow, or a path, that is not bound to its button.
    pub(super) async fn of(
        host: &Host,
        button: Option<String>,
        collection: &CollectionRef,
        action: WriteAction,
        own: String,
    ) -> Result<Self, ApiError> {
        let Some(key) = button else { return Ok(Self::to_request(own)) };
        let mut conn = host.store.read().await?;
        let button = conn
            .button(&key)
            .await?
            .ok_or_else(|| ApiError::invalid("UNKNOWN_BUTTON", format!("there is no button \"{key}\"")))?;
        check_use(&button, collection, action)?;
        let own = match host.strictness {
            Strictness::Lenient => own,
            Strictness::Strict => {
                check_bound(&button, &own)?;
                String::new()
            }
        };
        let keys: Vec<&str> = button.bindings.iter().map(|binding| binding.workflow_key.as_str()).collect();
        let workflows = conn.workflows_by_key(&keys).await?;
        let grounds = Grounds::of(host);
        let schemas = grounds.schemas(conn.schema());
        let judge = Judge { plugins: &grounds.plugins, schemas: &schemas };
        let mut bound = resolve(judge, &button, &workflows);
        if !own.is_empty() {
            bound.bindings = if bound.bindings.is_empty() { own } else { format!("{},{own}", bound.bindings) };
        }
        Ok(bound)
    }
}

impl Write {
    /// Takes in what is bound to the button that the request names, if it names one.
    ///
    /// # Errors
    ///
    /// Those of [`Bound::of`].
    pub(crate) async fn press(
        &mut self,
        host: &Host,
        source: &DataSource,
        button: Option<String>,
    ) -> Result<(), ApiError> {
        let own = std::mem::take(&mut self.bound.bindings);
        self.bound = Bound::of(host, button, &source.reference(&self.resource.collection), self.action, own).await?;
        Ok(())
    }
}

/// A button fires what is bound to it for the actions behind it only: elsewhere it would be a mistake that nobody notices.
fn check_use(button: &Button, collection: &CollectionRef, action: WriteAction) -> Result<(), ApiError> {
    let actions = kind(&button.facts.button_type).map(actions).unwrap_or_default();
    let is_meant = action.event().is_some_and(|action| actions.contains(&action));
    if is_meant && CollectionRef::parse(&button.facts.collection) == *collection {
        return Ok(());
    }
    let names: Vec<String> =
        actions.iter().map(|action| json!(action).as_str().unwrap_or_default().to_owned()).collect();
    Err(ApiError::invalid(
        "WRONG_BUTTON",
        format!(
            "the button \"{}\" is for {} of \"{}\", and this request does something else",
            button.key,
            names.join(", "),
            button.facts.collection
        ),
    ))
}

fn check_bound(button: &Button, own: &str) -> Result<(), ApiError> {
    let is_bound = |entry: &Binding| {
        let path = entry.path.to_string();
        button.bindings.iter().any(|binding| binding.workflow_key == entry.key && binding.path == path)
    };
    match Binding::parse_all(own).into_iter().find(|entry| !is_bound(entry)) {
        None => Ok(()),
        Some(Binding { key, path }) => Err(ApiError::invalid(
            "NOT_BOUND",
            format!("\"{}\" is not bound to the button \"{}\"", written(&key, &path.to_string()), button.key),
        )),
    }
}

fn resolve(judge: Judge<'_>, button: &Button, workflows: &HashMap<String, WorkflowRow>) -> Bound {
    let (mut entries, mut withheld) = (Vec::new(), Vec::new());
    for binding in &button.bindings {
        let workflow = workflows.get(&binding.workflow_key);
        match judge.binding(&button.facts, workflow, &binding.workflow_key, &binding.path) {
            Ok(()) => entries.push(written(&binding.workflow_key, &binding.path)),
            Err(misfit) => {
                tracing::debug!(button = button.key, workflow = binding.workflow_key, "bound, but broken: {misfit}");
                withheld.push(Considered::withheld(binding, workflow, misfit.reason()));
            }
        }
    }
    Bound { bindings: entries.join(","), withheld }
}

/// An entry of `triggerWorkflows`.
fn written(key: &str, path: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{key}!{path}") }
}
