//! Asks the plugins on behalf of one request, and says which of their workflows may start.

use std::sync::Arc;

use plugin_api::{Action, ActionEvent, CollectionRef, Phase, UserId};
use serde_json::Value;
use store::{Cause, Conn, Record, Schema, StoreError, WorkflowId, WorkflowRow};

use super::{button::Bound, explain::Considered, schema_view::CollectionsView, terms::Realm};
use crate::{
    access::RequestContext,
    data_sources::{DataSource, DataSources},
    host::Host,
    http::error::ApiError,
    plugins::{HookAnswer, Plugins},
};

/// Whether somebody asks why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Curiosity {
    /// What fires, fires.
    Silent,
    /// An administrator wants to know what fires, and why the rest does not.
    Why,
    /// The same, about a record that a workflow's node writes.
    WhyNotFromNodes,
}

impl Curiosity {
    /// What of the considerations is told.
    pub(super) fn told(self, considered: Vec<Considered>) -> Option<Vec<Considered>> {
        match self {
            Self::Silent => None,
            Self::Why | Self::WhyNotFromNodes => Some(considered),
        }
    }
}

/// Asks on behalf of one request.
#[derive(Clone)]
pub(super) struct Asker {
    /// Who is asked.
    pub(super) plugins: Arc<Plugins>,
    /// Where the records of the request are.
    pub(super) source: DataSource,
    sources: Arc<DataSources>,
    /// The bindings of the request, and of the button it names, as plugins read them.
    pub(super) bindings: String,
    /// What is bound to the button and cannot fire.
    pub(super) withheld: Vec<Considered>,
    /// Who acts.
    pub(super) user: Record,
    /// Their id.
    pub(super) user_id: UserId,
    /// In which role.
    pub(super) role: String,
    /// Whether the answer is wanted.
    pub(super) curiosity: Curiosity,
}

impl Asker {
    pub(super) fn new(host: &Host, bound: Bound, context: &RequestContext, curiosity: Curiosity) -> Self {
        Self {
            plugins: host.plugins.current(),
            source: context.source().clone(),
            sources: Arc::clone(&host.data_sources),
            bindings: bound.bindings,
            withheld: bound.withheld,
            user: context.actor().record.clone(),
            user_id: UserId(context.actor().id.0),
            role: context.role().name().to_owned(),
            curiosity,
        }
    }

    /// What goes on in the workflows that are started by the action's changes of records.
    pub(super) fn cause(&self) -> Cause {
        let user = ("user".to_owned(), Value::Object(self.user.clone()));
        let context = Record::from_iter([user, ("roleName".to_owned(), self.role.as_str().into())]);
        Cause { stack: Vec::new(), context }
    }

    /// Reads where workflows are, whatever the request is about.
    pub(super) async fn read_main(&self) -> Result<Conn, StoreError> {
        self.sources.main().read().await
    }

    /// What conditions can lead to, with this schema of main, and this one of the request's data source.
    pub(super) fn realm(&self, main: &Arc<Schema>, schema: &Arc<Schema>) -> Realm {
        Realm::new(if self.source.is_main() { schema } else { main }, schema)
    }

    /// Asks the plugins about an action, in one of its phases.
    ///
    /// # Errors
    ///
    /// [`ApiError::PluginUnavailable`] if a plugin that the host needs cannot answer; the faults of others are answers.
    pub(super) fn ask(
        &self,
        main: &Conn,
        phase: Phase,
        action: Action,
        collection: &CollectionRef,
    ) -> Result<Vec<HookAnswer>, ApiError> {
        let schemas = self.sources.schemas(main.schema());
        let view = CollectionsView(&schemas);
        let mut event = ActionEvent::new(phase, action, collection, &view);
        event.bindings = &self.bindings;
        event.actor = Some(self.user_id);
        event.role = &self.role;
        let answers = match self.curiosity {
            Curiosity::Silent => self.plugins.plan(&event),
            Curiosity::Why | Curiosity::WhyNotFromNodes => self.plugins.explain(&event),
        };
        match answers.iter().find(|answer| answer.required && answer.result.is_err()) {
            Some(needed) => Err(ApiError::PluginUnavailable { plugin: needed.plugin.to_string() }),
            None => Ok(answers),
        }
    }
}

/// The workflow that a plugin wants to start, if it is enabled, and of one of the plugin's own trigger types.
pub(super) async fn startable(
    plugins: &Plugins,
    conn: &mut Conn,
    plugin: &str,
    workflow: plugin_api::WorkflowId,
) -> Result<Option<WorkflowRow>, StoreError> {
    let id = WorkflowId(workflow.0);
    let Some(workflow) = conn.workflow(id).await?.filter(|workflow| workflow.enabled) else {
        tracing::debug!(workflow = %id, "not enabled any more, does not start");
        return Ok(None);
    };
    if plugins.trigger(&workflow.trigger_type).is_none_or(|trigger| trigger.plugin() != plugin) {
        tracing::warn!(workflow = %id, plugin, "is another plugin's workflow, does not start");
        return Ok(None);
    }
    Ok(Some(workflow))
}
