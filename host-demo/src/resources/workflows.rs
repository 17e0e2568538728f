//! `workflows`: making, changing, switching and copying workflow versions; what triggers and nodes there are.

use std::{collections::HashMap, sync::Arc};

use plugin_api::{ExecutionMode, schema::MAIN_DATA_SOURCE};
use serde_json::{Value, json};
use store::{Record, Schema, StoreError, UserId, WorkflowId, WorkflowRow, workflows::Revision};
use workflow::WorkflowOptions;

use super::{Call, id_of, named_workflows, nodes::no_workflow, read, read_all, read_one, text, workflow_runs};
use crate::{
    access::RequestContext,
    host::Host,
    http::{answer::Answer, error::ApiError},
    pipeline,
    plugins::{LoadedTrigger, Plugins},
    triggers::{self, secrets},
};

pub(super) async fn answer(host: &Arc<Host>, context: &RequestContext, call: Call) -> Result<Answer, ApiError> {
    if matches!(call.address.action.as_str(), "list" | "get") {
        return Ok(with_obstacles(&host.plugins.current(), read(context, call).await?));
    }
    context.role().require_manager()?;
    let author = UserId(context.actor().id.0);
    match call.address.action.as_str() {
        "create" => create(host, author, call.values.into_object()?).await,
        "update" => {
            let ids = named_workflows(host, &call).await?;
            update(host, author, ids, call.values.into_object()?).await
        }
        "destroy" => {
            let ids = named_workflows(host, &call).await?;
            destroy(host, ids).await
        }
        "revision" => revise(host, &call).await,
        "execute" => workflow_runs::execute(host, author, call).await,
        "explain" => Ok(Answer::Data(json!(pipeline::foresee(host, context, call.params, call.values).await?))),
        "triggers" => Ok(Answer::Data(trigger_types(host)?)),
        "nodeTypes" => Ok(Answer::Data(node_types(host))),
        _ => Err(call.unknown_action()),
    }
}

/// Adds to each workflow that its trigger's plugin keeps from firing why that is.
fn with_obstacles(plugins: &Plugins, mut answer: Answer) -> Answer {
    let tell = |workflow: &mut Record| {
        let type_id = workflow.get("type").and_then(Value::as_str);
        if let Some(obstacle) = type_id.and_then(|type_id| plugins.obstacle(type_id)) {
            workflow.insert("obstacle".to_owned(), obstacle.into());
        }
    };
    match &mut answer {
        Answer::List { records, .. } => records.iter_mut().for_each(tell),
        Answer::Data(Value::Array(records)) => records.iter_mut().filter_map(Value::as_object_mut).for_each(tell),
        Answer::Data(Value::Object(record)) => tell(record),
        Answer::Data(_) | Answer::Empty => {}
    }
    answer
}

async fn create(host: &Arc<Host>, author: UserId, mut values: Record) -> Result<Answer, ApiError> {
    values.retain(|name, _| {
        matches!(
            name.as_str(),
            "title" | "description" | "type" | "triggerTitle" | "sync" | "enabled" | "config" | "options"
        )
    });
    let type_id = text(&values, "type")?.filter(|name| !name.is_empty());
    let type_id = type_id.ok_or_else(|| ApiError::Refused("Trigger type is required".to_owned()))?;
    let plugins = host.plugins.current();
    let trigger = triggers::trigger(&plugins, &type_id)?;
    check_shapes(&values)?;
    let config = values.get("config").cloned().unwrap_or_else(|| json!({}));
    let config = secrets::opened(trigger.config_schema(), &config, &Value::Null)?;
    check_config(host, trigger, &config, &host.store.schema()).await?;
    let given = config.clone();
    let (config, secrets) = secrets::sealed(trigger.config_schema(), config);
    values.extend([("config".to_owned(), config), ("secrets".to_owned(), secrets)]);
    let modes = &trigger.info().binding.modes;
    let mode = match values.get("sync").and_then(Value::as_bool) {
        Some(true) => ExecutionMode::Sync,
        Some(false) => ExecutionMode::Async,
        None => modes.first().copied().unwrap_or(ExecutionMode::Async),
    };
    if !modes.contains(&mode) {
        return Err(ApiError::Refused(format!("Trigger type \"{type_id}\" has no such execution mode")));
    }
    values.insert("sync".to_owned(), (mode == ExecutionMode::Sync).into());
    check_within(trigger, &given, mode == ExecutionMode::Sync)?;
    let row = host
        .store
        .write::<_, ApiError, _>(move |tx| Box::pin(async move { Ok(tx.create_workflow(values, Some(author)).await?) }))
        .await?;
    host.switch.follow(std::slice::from_ref(&row)).await?;
    Ok(Answer::record(read_one(host, "workflows", json!(row.id.0), &[]).await?))
}

async fn update(
    host: &Arc<Host>,
    author: UserId,
    ids: Vec<WorkflowId>,
    mut values: Record,
) -> Result<Answer, ApiError> {
    // `sync`, `type` and `key` are fixed when a workflow is made.
    values.retain(|name, _| {
        matches!(name.as_str(), "title" | "description" | "triggerTitle" | "enabled" | "config" | "options" | "current")
    });
    check_shapes(&values)?;
    let config = values.get("config").cloned();
    let mut configs: HashMap<WorkflowId, Record> = HashMap::new();
    let enables = values.get("enabled") == Some(&Value::Bool(true));
    if config.is_some() || enables {
        let plugins = host.plugins.current();
        let mut conn = host.store.read().await?;
        for id in &ids {
            let Some(row) = conn.workflow(*id).await? else { continue };
            let trigger = triggers::trigger(&plugins, &row.trigger_type)?;
            if enables && triggers::runs_within(&plugins, &row) {
                let obstacle = host.engine.obstacles_within(&mut conn, row.id).await?;
                obstacle.map_or(Ok(()), |obstacle| Err(ApiError::Refused(obstacle)))?;
            }
            if let Some(config) = &config {
                let config = secrets::opened(trigger.config_schema(), config, &row.secrets)?;
                check_config(host, trigger, &config, conn.schema()).await?;
                check_within(trigger, &config, row.sync)?;
                let (config, secrets) = secrets::sealed(trigger.config_schema(), config);
                configs
                    .insert(*id, Record::from_iter([("config".to_owned(), config), ("secrets".to_owned(), secrets)]));
            }
        }
    }
    let (changed, records) = host
        .store
        .write::<_, ApiError, _>(move |tx| {
            Box::pin(async move {
                let mut changed: Vec<WorkflowRow> = Vec::new();
                for id in &ids {
                    let mut values = values.clone();
                    values.extend(configs.remove(id).unwrap_or_default());
                    changed.extend(tx.update_workflow(*id, values, Some(author)).await?);
                }
                let keys: Value = ids.iter().map(|id| id.0).collect();
                Ok((changed, read_all(tx, "workflows", &keys, &[]).await?))
            })
        })
        .await?;
    host.switch.follow(&changed).await?;
    Ok(Answer::records(records))
}

async fn destroy(host: &Arc<Host>, ids: Vec<WorkflowId>) -> Result<Answer, ApiError> {
    let gone = host
        .store
        .write::<_, ApiError, _>(move |tx| {
            Box::pin(async move {
                let mut gone: Vec<WorkflowRow> = Vec::new();
                for id in ids {
                    // The current version takes the other versions of its key with it, which may have been named too.
                    if tx.workflow(id).await?.is_some() {
                        gone.extend(tx.destroy_workflow(id).await?);
                    }
                }
                Ok(gone)
            })
        })
        .await?;
    host.switch.follow(&gone).await?;
    Ok(Answer::Data(json!(gone.len())))
}

async fn revise(host: &Arc<Host>, call: &Call) -> Result<Answer, ApiError> {
    let id = WorkflowId(id_of(&call.key()?)?);
    let wanted = call.params.filter.as_ref().and_then(|filter| filter.get("key")).cloned();
    let row = host
        .store
        .write::<_, ApiError, _>(move |tx| {
            Box::pin(async move {
                let workflow = tx.workflow(id).await?.ok_or_else(no_workflow)?;
                let kind = match wanted {
                    None => Revision::Copy,
                    Some(key) if key == workflow.key.as_str() => Revision::NextVersion,
                    Some(_) => return Err(no_workflow()),
                };
                Ok(tx.revise_workflow(id, kind).await?)
            })
        })
        .await?;
    Ok(Answer::record(read_one(host, "workflows", json!(row.id.0), &[]).await?))
}

/// Checks a configuration, once the data source that it watches can be looked at.
async fn check_config(
    host: &Host,
    trigger: &LoadedTrigger,
    config: &Value,
    main: &Arc<Schema>,
) -> Result<(), ApiError> {
    if let Some(watched) = triggers::watched(trigger, config) {
        match host.data_sources.find(watched.data_source()).await {
            // The trigger has a sentence of its own for one that is not there.
            Ok(_) | Err(StoreError::Invalid { code: "UNKNOWN_DATA_SOURCE", .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    triggers::check_config(trigger, config, &host.data_sources.schemas(main))?;
    let plugins = host.plugins.current();
    if plugins.has_clock(&trigger.info().id)
        && let Some(watch) = plugins.watch(&trigger.info().id, config).map_err(triggers::refusal)?
        && watch.collection.data_source() != MAIN_DATA_SOURCE
    {
        let source = watch.collection.data_source();
        let message =
            format!("the dates of records in data source \"{source}\" cannot be waited for, only those in main");
        return Err(ApiError::Refused(message));
    }
    Ok(())
}

/// Refuses a workflow that would have to be part of a transaction of a further database.
fn check_within(trigger: &LoadedTrigger, config: &Value, sync: bool) -> Result<(), ApiError> {
    let watched = triggers::watched(trigger, config).filter(|watched| watched.data_source() != MAIN_DATA_SOURCE);
    match watched.filter(|_| sync && trigger.runs_within()) {
        None => Ok(()),
        Some(watched) => Err(ApiError::Refused(format!(
            "a workflow cannot be part of a change in data source \"{}\": it has to be asynchronous",
            watched.data_source()
        ))),
    }
}

/// The types of what the store takes as they are.
fn check_shapes(values: &Record) -> Result<(), ApiError> {
    let refuse = |name: &str, kind: &str| Err(ApiError::Refused(format!("\"{name}\" must be {kind}")));
    for name in ["sync", "enabled", "current"] {
        if values.get(name).is_some_and(|value| !value.is_boolean() && !value.is_null()) {
            return refuse(name, "a boolean");
        }
    }
    for name in ["title", "description", "triggerTitle"] {
        if values.get(name).is_some_and(|value| !value.is_string() && !value.is_null()) {
            return refuse(name, "a string");
        }
    }
    for name in ["config", "options"] {
        if values.get(name).is_some_and(|value| !value.is_object()) {
            return refuse(name, "an object");
        }
    }
    if let Some(options) = values.get("options") {
        WorkflowOptions::parse(options).map_err(ApiError::Refused)?;
    }
    Ok(())
}

/// What workflows can be started by: titles, the configuration's JSON Schema, and where they can be bound.
fn trigger_types(host: &Host) -> Result<Value, ApiError> {
    let plugins = host.plugins.current();
    plugins
        .triggers()
        .map(|trigger| {
            let mut described =
                serde_json::to_value(trigger.info()).map_err(|error| ApiError::Internal(error.to_string()))?;
            described["plugin"] = trigger.plugin().into();
            described["configSchema"] = trigger.config_schema().clone();
            Ok(described)
        })
        .collect()
}

/// What nodes there are; those of plugins with their titles and branches.
fn node_types(host: &Host) -> Value {
    let plugins = host.plugins.current();
    host.engine
        .node_types()
        .into_iter()
        .map(|node| {
            let mut described = json!({"type": node.name, "configSchema": node.config_schema});
            if let Some(offered) = plugins.node(&node.name) {
                let info = offered.info();
                described["plugin"] = offered.plugin().into();
                described["title"] = json!(info.title);
                described["description"] = json!(info.description);
                described["branches"] = json!(info.branches);
            }
            described
        })
        .collect()
}
