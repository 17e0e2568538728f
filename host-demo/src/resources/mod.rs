//! The management resources: schema, roles, users, workflows, buttons, executions, plugins, data sources; and what people have of their own:
//! tasks and notifications. Everything else is data.
//!
//! Reads of built-in collections go through the pipeline like any other; what writes to them has rules of its own, and is
//! for administrators.

mod approvals;
mod auth;
mod button_bindings;
mod buttons;
mod collections;
mod collections_elsewhere;
mod data_sources;
pub(crate) mod execution_stream;
mod executions;
mod nodes;
mod notifications;
mod own;
mod plugins;
mod roles;
mod tasks;
mod users;
mod workflow_runs;
mod workflows;

use std::sync::Arc;

use serde_json::Value;
use store::{Collection, Conn, Filter, Find, Record, Select, WorkflowId};

use crate::{
    access::RequestContext,
    host::Host,
    http::{
        address::Address,
        answer::{Answer, Reply},
        body::Values,
        error::ApiError,
        params::Params,
    },
    pipeline,
};

/// One request, read but not yet looked up.
pub(crate) struct Call {
    /// Which action, on what.
    pub(crate) address: Address,
    /// The query.
    pub(crate) params: Params,
    /// The body.
    pub(crate) values: Values,
}

/// Answers a request.
///
/// # Errors
///
/// Everything an [`ApiError`] can say.
pub(crate) async fn dispatch(host: &Arc<Host>, context: &RequestContext, call: Call) -> Result<Reply, ApiError> {
    let source = call.address.source.as_ref().map(|source| source.resource.as_str());
    if !context.source().is_main() {
        return dispatch_elsewhere(host, context, call).await;
    }
    let answer = match (source, call.address.resource.as_str()) {
        (None, "auth") => auth::answer(context, &call)?,
        (None, "collections") => collections::answer(host, context, call).await?,
        (Some("collections"), "fields") => collections::answer_fields(host, context, call).await?,
        (None, "roles") => roles::answer(host, context, call).await?,
        (Some("roles"), "dataSourceResources") => roles::answer_resources(host, context, call).await?,
        (None, "workflows") if call.address.action == "trigger" => {
            return pipeline::trigger_without_records(host, context, call.params, call.values).await;
        }
        (None, "workflows") => workflows::answer(host, context, call).await?,
        (Some("workflows"), "nodes") => nodes::answer_below_workflow(host, context, call).await?,
        (None, "flow_nodes") => nodes::answer(host, context, call).await?,
        (None, "buttons") => buttons::answer(host, context, call).await?,
        (Some("buttons"), "bindings") => button_bindings::answer(host, context, call).await?,
        (None, "executions") => executions::answer(host, context, call).await?,
        (None, "workflowTasks") => tasks::answer(host, context, call).await?,
        (None, "approvals") => approvals::answer(host, context, call).await?,
        (None, "notifications") => notifications::answer(host, context, call).await?,
        (None, "dataSources") => data_sources::answer(host, context, call).await?,
        (None, "plugins") => plugins::answer(host, context, call).await?,
        (None, "users") => return users::answer(host, context, call).await,
        _ => {
            let Call { address, params, values } = call;
            return pipeline::perform(host, context, &address, params, values).await;
        }
    };
    Ok(answer.into())
}

/// A further database has collections, and nothing else: what the host keeps for itself is in main.
async fn dispatch_elsewhere(host: &Arc<Host>, context: &RequestContext, call: Call) -> Result<Reply, ApiError> {
    let source = call.address.source.as_ref().map(|source| source.resource.as_str());
    Ok(match (source, call.address.resource.as_str()) {
        (None, "auth") => auth::answer(context, &call)?.into(),
        (None, "collections") => collections_elsewhere::answer(host, context, &call)?.into(),
        (Some("collections"), "fields") => collections_elsewhere::answer_fields(context, &call)?.into(),
        _ => {
            let Call { address, params, values } = call;
            pipeline::perform(host, context, &address, params, values).await?
        }
    })
}

impl Call {
    /// The one key that the request names.
    ///
    /// # Errors
    ///
    /// 400 without one, or with several.
    fn key(&self) -> Result<Value, ApiError> {
        let mut keys: Vec<Value> = self.keys();
        match (keys.pop(), keys.is_empty()) {
            (Some(key), true) => Ok(key),
            _ => Err(ApiError::invalid("FILTER_REQUIRED", "\"filterByTk\" has to name one record")),
        }
    }

    /// The request that reads what this one has changed.
    fn as_get(&self) -> Self {
        let address = Address { action: "get".to_owned(), ..self.address.clone() };
        Self { address, params: self.params.clone(), values: Values::Nothing }
    }

    /// The keys that the request names.
    fn keys(&self) -> Vec<Value> {
        let named = self.address.key.iter().chain(&self.params.filter_by_tk);
        named.flat_map(|key| if let Value::Array(keys) = key { keys.clone() } else { vec![key.clone()] }).collect()
    }

    /// The key of the source record.
    fn source_key(&self) -> Result<&Value, ApiError> {
        self.address.source.as_ref().map(|source| &source.key).ok_or_else(ApiError::unknown_path)
    }

    fn unknown_action(&self) -> ApiError {
        ApiError::unknown_action(&self.address.resource, &self.address.action)
    }
}

/// Reads a key as an id.
fn id_of(key: &Value) -> Result<i64, ApiError> {
    key.as_i64()
        .or_else(|| key.as_str()?.parse().ok())
        .ok_or_else(|| ApiError::invalid("INVALID_VALUE", "an id is a whole number"))
}

/// Reads a key as a name.
fn name_of(key: &Value) -> Result<&str, ApiError> {
    key.as_str().ok_or_else(|| ApiError::invalid("INVALID_VALUE", "a name is a text"))
}

/// Reads a text of the body; `null` is none.
fn text(values: &Record, name: &str) -> Result<Option<String>, ApiError> {
    match values.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(ApiError::invalid("INVALID_VALUE", format!("\"{name}\" must be a string"))),
    }
}

/// Reads a text of the body that has to be there.
fn required_text(values: &Record, name: &str) -> Result<String, ApiError> {
    text(values, name)?
        .filter(|text| !text.is_empty())
        .ok_or_else(|| ApiError::invalid("REQUIRED", format!("\"{name}\" is required")))
}

/// Reads records of a built-in collection.
async fn read_all(conn: &mut Conn, collection: &str, key: &Value, appends: &[&str]) -> Result<Vec<Record>, ApiError> {
    let collection: Arc<Collection> = conn.schema().collection(collection)?.clone();
    let filter = Filter::by_key(&collection, key)?;
    let select = Select { appends: appends.iter().map(|&path| path.to_owned()).collect(), ..Select::default() };
    Ok(conn.find(&Find { filter, select, ..Find::all(collection) }).await?)
}

/// Reads one record of a built-in collection.
async fn read_one(host: &Host, collection: &str, key: Value, appends: &[&str]) -> Result<Record, ApiError> {
    let mut conn = host.store.read().await?;
    read_all(&mut conn, collection, &key, appends).await?.into_iter().next().ok_or_else(ApiError::no_record)
}

/// Reads the workflow versions that a request names by key or filter.
async fn named_workflows(host: &Host, call: &Call) -> Result<Vec<WorkflowId>, ApiError> {
    let keys = call.keys();
    if keys.is_empty() && call.params.filter.is_none() {
        return Err(ApiError::invalid("FILTER_REQUIRED", "\"filterByTk\" or \"filter\" is required"));
    }
    let mut conn = host.store.read().await?;
    let workflows = conn.schema().collection("workflows")?.clone();
    let mut filter = Filter::default();
    if !keys.is_empty() {
        filter = filter.and(Filter::by_key(&workflows, &Value::Array(keys))?);
    }
    if let Some(wire) = &call.params.filter {
        filter = filter.and(Filter::parse(conn.schema(), &workflows, wire)?);
    }
    let select = Select { fields: vec!["id".to_owned()], ..Select::default() };
    let records = conn.find(&Find { filter, select, ..Find::all(workflows) }).await?;
    Ok(records.iter().filter_map(|record| record.get("id")?.as_i64().map(WorkflowId)).collect())
}

/// Reads with the pipeline's rules: rights, filter, sort, fields, page.
async fn read(context: &RequestContext, call: Call) -> Result<Answer, ApiError> {
    let Call { address, params, .. } = call;
    pipeline::read(context, &address, params).await
}
