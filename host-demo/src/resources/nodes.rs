//! `workflows/<id>/nodes` and `flow_nodes`: the nodes of a workflow version, and trying one out.

use std::sync::Arc;

use serde_json::{Value, json};
use store::{NodeId, Record, WorkflowId, WorkflowRow, workflows::NewNode};
use workflow::Trial;

use super::{Call, id_of, read, read_all, read_one, text};
use crate::{
    access::RequestContext,
    host::Host,
    http::{answer::Answer, error::ApiError},
    plugins::Plugins,
    triggers,
};

pub(super) async fn answer_below_workflow(
    host: &Arc<Host>,
    context: &RequestContext,
    call: Call,
) -> Result<Answer, ApiError> {
    match call.address.action.as_str() {
        "list" | "get" => read(context, call).await,
        "create" => {
            context.role().require_manager()?;
            let workflow = WorkflowId(id_of(call.source_key()?)?);
            let node = new_node(&call.values.into_object()?)?;
            host.engine.check_node(&node.node_type, &node.config)?;
            let fitting = Fitting::of(host, &node.node_type, &node.config);
            let made = host
                .store
                .write::<_, ApiError, _>(move |tx| {
                    Box::pin(async move {
                        fitting.check(&tx.workflow(workflow).await?.ok_or_else(no_workflow)?)?;
                        Ok(tx.create_node(workflow, node).await?)
                    })
                })
                .await?;
            Ok(Answer::record(read_one(host, "flow_nodes", json!(made.id.0), &[]).await?))
        }
        _ => Err(call.unknown_action()),
    }
}

pub(super) async fn answer(host: &Arc<Host>, context: &RequestContext, call: Call) -> Result<Answer, ApiError> {
    match call.address.action.as_str() {
        "list" | "get" => read(context, call).await,
        "update" => {
            context.role().require_manager()?;
            let id = NodeId(id_of(&call.key()?)?);
            let mut values = call.values.into_object()?;
            values.retain(|name, _| matches!(name.as_str(), "title" | "config"));
            text(&values, "title")?;
            if let Some(config) = values.get("config") {
                let node = read_one(host, "flow_nodes", json!(id.0), &[]).await?;
                let node_type = node.get("type").and_then(Value::as_str).unwrap_or_default();
                host.engine.check_node(node_type, config)?;
                let workflow = WorkflowId(node.get("workflowId").map_or(Ok(0), id_of)?);
                let workflow = host.store.read().await?.workflow(workflow).await?.ok_or_else(no_workflow)?;
                Fitting::of(host, node_type, config).check(&workflow)?;
            }
            let changed = host
                .store
                .write::<_, ApiError, _>(move |tx| {
                    Box::pin(async move {
                        tx.update_node(id, values).await?;
                        read_all(tx, "flow_nodes", &json!(id.0), &[]).await
                    })
                })
                .await?;
            Ok(Answer::records(changed))
        }
        "destroy" => {
            context.role().require_manager()?;
            let id = NodeId(id_of(&call.key()?)?);
            host.store
                .write::<_, ApiError, _>(move |tx| Box::pin(async move { Ok(tx.destroy_node(id).await?) }))
                .await?;
            Ok(Answer::Data(json!(1)))
        }
        "test" => {
            context.role().require_manager()?;
            let tried = host.engine.try_node(trial(&call.values.into_object()?)?).await?;
            Ok(Answer::Data(json!({"status": tried.status.code(), "result": tried.result})))
        }
        _ => Err(call.unknown_action()),
    }
}

/// Whether a node fits into workflows that are part of a transaction.
struct Fitting {
    plugins: Arc<Plugins>,
    obstacle: Option<String>,
}

impl Fitting {
    fn of(host: &Host, node_type: &str, config: &Value) -> Self {
        Self { plugins: host.plugins.current(), obstacle: host.engine.obstacle_within(node_type, config) }
    }

    /// Refuses the node in a workflow that it does not fit into.
    fn check(self, workflow: &WorkflowRow) -> Result<(), ApiError> {
        match self.obstacle {
            Some(obstacle) if triggers::runs_within(&self.plugins, workflow) => Err(ApiError::Refused(obstacle)),
            Some(_) | None => Ok(()),
        }
    }
}

pub(super) fn no_workflow() -> ApiError {
    ApiError::NotFound { code: "NOT_FOUND", what: "workflow".to_owned() }
}

/// A node that is not stored, with what its variables see.
fn trial(values: &Record) -> Result<Trial, ApiError> {
    let object = |name: &str| match values.get(name) {
        None | Some(Value::Null) => Ok(Record::new()),
        Some(Value::Object(members)) => Ok(members.clone()),
        Some(_) => Err(ApiError::invalid("INVALID_VALUE", format!("\"{name}\" must be an object"))),
    };
    Ok(Trial {
        node_type: node_type(values)?,
        config: Value::Object(object("config")?),
        context: Value::Object(object("context")?),
        jobs: object("jobs")?,
        scopes: object("scopes")?,
    })
}

fn node_type(values: &Record) -> Result<String, ApiError> {
    let name = text(values, "type")?.filter(|name| !name.is_empty());
    name.ok_or_else(|| ApiError::Refused("Node type is required".to_owned()))
}

fn new_node(values: &Record) -> Result<NewNode, ApiError> {
    let number = |name: &str| match values.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => id_of(value).map(Some),
    };
    Ok(NewNode {
        node_type: node_type(values)?,
        title: text(values, "title")?,
        config: values.get("config").filter(|config| !config.is_null()).cloned().unwrap_or_else(|| json!({})),
        upstream_id: number("upstreamId")?.map(NodeId),
        branch_index: number("branchIndex")?,
    })
}
