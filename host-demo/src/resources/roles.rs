//! `roles` and `roles/<name>/dataSourceResources`: roles and their rights per collection.

use std::sync::Arc;

use plugin_api::schema::MAIN_DATA_SOURCE;
use serde_json::{Value, json};
use store::{Filter, Record, StoreError, Tx, WriteOptions};

use super::{Call, name_of, read, read_all, required_text};
use crate::{
    access::{ROOT_ROLE, RequestContext},
    host::Host,
    http::{answer::Answer, error::ApiError},
};

/// Roles that the host relies on.
const KEPT: [&str; 3] = [ROOT_ROLE, "admin", "member"];
/// What a role's configuration of a collection may name.
const RIGHTS: [&str; 5] = ["view", "create", "update", "destroy", "trigger"];

pub(super) async fn answer(host: &Arc<Host>, context: &RequestContext, call: Call) -> Result<Answer, ApiError> {
    context.role().require_manager()?;
    match call.address.action.as_str() {
        "list" | "get" => read(context, call).await,
        "create" => {
            let mut values = call.values.into_object()?;
            required_text(&values, "name")?;
            check_role(&values)?;
            values.retain(|name, _| matches!(name.as_str(), "name" | "title" | "snippets" | "strategy" | "default"));
            let made = host
                .store
                .write::<_, ApiError, _>(move |tx| {
                    Box::pin(async move {
                        let roles = tx.schema().collection("roles")?.clone();
                        Ok(tx.create(&roles, values, &WriteOptions::default()).await?)
                    })
                })
                .await?;
            Ok(Answer::record(made))
        }
        "update" => {
            let key = call.key()?;
            if name_of(&key)? == ROOT_ROLE {
                return Err(ApiError::invalid("KEPT_ROLE", "the root role cannot be changed"));
            }
            let mut values = call.values.into_object()?;
            check_role(&values)?;
            values.retain(|name, _| matches!(name.as_str(), "title" | "snippets" | "strategy" | "default"));
            let changed = host
                .store
                .write::<_, ApiError, _>(move |tx| {
                    Box::pin(async move {
                        let roles = tx.schema().collection("roles")?.clone();
                        let filter = Filter::by_key(&roles, &key)?;
                        Ok(tx.update(&roles, &filter, values, &WriteOptions::default()).await?)
                    })
                })
                .await?;
            Ok(Answer::records(changed))
        }
        "destroy" => {
            let key = call.key()?;
            let name = name_of(&key)?;
            if KEPT.contains(&name) {
                return Err(ApiError::invalid("KEPT_ROLE", format!("role {name} cannot be deleted")));
            }
            destroy(host, "roles", key).await
        }
        _ => Err(call.unknown_action()),
    }
}

pub(super) async fn answer_resources(
    host: &Arc<Host>,
    context: &RequestContext,
    call: Call,
) -> Result<Answer, ApiError> {
    context.role().require_manager()?;
    let role = name_of(call.source_key()?)?.to_owned();
    match call.address.action.as_str() {
        "list" | "get" => {
            let mut conn = host.store.read().await?;
            let resources = conn.schema().collection("dataSourceResources")?.clone();
            let mut find = store::Find::all(resources.clone());
            find.filter = Filter::parse(conn.schema(), &resources, &json!({"roleName": {"$eq": role}}))?;
            if let Some(filter) = &call.params.filter {
                find.filter = find.filter.and(Filter::parse(conn.schema(), &resources, filter)?);
            }
            if call.address.action == "list" {
                return Ok(Answer::records(conn.find(&find).await?));
            }
            let keys = call.keys();
            if !keys.is_empty() {
                find.filter = find.filter.and(Filter::by_key(&resources, &Value::Array(keys))?);
            }
            conn.find(&find).await?.into_iter().next().map(Answer::record).ok_or_else(ApiError::no_record)
        }
        "create" => {
            let mut values = call.values.into_object()?;
            required_text(&values, "name")?;
            check_resource(host, &values).await?;
            values
                .retain(|name, _| matches!(name.as_str(), "dataSourceKey" | "name" | "usingActionsConfig" | "actions"));
            values.insert("roleName".to_owned(), role.clone().into());
            let made = host
                .store
                .write::<_, ApiError, _>(move |tx| {
                    Box::pin(async move {
                        role_exists(tx, &role).await?;
                        let resources = tx.schema().collection("dataSourceResources")?.clone();
                        Ok(tx.create(&resources, values, &WriteOptions::default()).await?)
                    })
                })
                .await?;
            Ok(Answer::record(made))
        }
        "update" | "destroy" => {
            let is_update = call.address.action == "update";
            let keys = call.keys();
            let filter = call.params.filter.clone();
            if keys.is_empty() && filter.is_none() {
                return Err(ApiError::invalid("FILTER_REQUIRED", "\"filterByTk\" or \"filter\" is required"));
            }
            let mut values = call.values.into_object()?;
            if is_update {
                check_resource(host, &values).await?;
            }
            values.retain(|name, _| matches!(name.as_str(), "usingActionsConfig" | "actions"));
            host.store
                .write::<_, ApiError, _>(move |tx| {
                    Box::pin(async move {
                        role_exists(tx, &role).await?;
                        let resources = tx.schema().collection("dataSourceResources")?.clone();
                        let mut meant = Filter::parse(tx.schema(), &resources, &json!({"roleName": {"$eq": role}}))?;
                        if !keys.is_empty() {
                            meant = meant.and(Filter::by_key(&resources, &Value::Array(keys))?);
                        }
                        if let Some(filter) = filter {
                            meant = meant.and(Filter::parse(tx.schema(), &resources, &filter)?);
                        }
                        if is_update {
                            let changed = tx.update(&resources, &meant, values, &WriteOptions::default()).await?;
                            return Ok(Answer::records(changed));
                        }
                        Ok(Answer::Data(json!(tx.destroy(&resources, &meant).await?.len())))
                    })
                })
                .await
        }
        _ => Err(call.unknown_action()),
    }
}

async fn role_exists(tx: &mut Tx, role: &str) -> Result<(), ApiError> {
    let found = read_all(tx, "roles", &Value::from(role), &[]).await?;
    if found.is_empty() { Err(ApiError::NotFound { code: "NOT_FOUND", what: format!("role {role}") }) } else { Ok(()) }
}

async fn destroy(host: &Host, collection: &'static str, key: Value) -> Result<Answer, ApiError> {
    let gone = host
        .store
        .write::<_, StoreError, _>(move |tx| {
            Box::pin(async move {
                let collection = tx.schema().collection(collection)?.clone();
                let filter = Filter::by_key(&collection, &key)?;
                tx.destroy(&collection, &filter).await
            })
        })
        .await?;
    Ok(Answer::Data(json!(gone.len())))
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::invalid("INVALID_VALUE", message)
}

/// A misspelt right must not look like one that was given.
fn check_role(values: &Record) -> Result<(), ApiError> {
    let is_texts = |value: &Value| value.as_array().is_some_and(|items| items.iter().all(Value::is_string));
    if values.get("snippets").is_some_and(|snippets| !is_texts(snippets)) {
        return Err(invalid("\"snippets\" must be an array of strings"));
    }
    match values.get("strategy") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Object(strategy)) if strategy.get("actions").is_none_or(is_texts) => Ok(()),
        Some(_) => Err(invalid("\"strategy\" must be an object with \"actions\", an array of strings")),
    }
}

async fn check_resource(host: &Host, values: &Record) -> Result<(), ApiError> {
    let source = match values.get("dataSourceKey") {
        None => MAIN_DATA_SOURCE,
        Some(key) => name_of(key)?,
    };
    let schema = host.data_sources.find(source).await?.store().schema();
    let collection = match values.get("name") {
        Some(name) => Some(schema.collection(name_of(name)?)?),
        None => None,
    };
    let actions = match values.get("actions") {
        None => return Ok(()),
        Some(Value::Array(actions)) => actions,
        Some(_) => return Err(invalid("\"actions\" must be an array")),
    };
    for action in actions {
        let name = action.get("name").and_then(Value::as_str).unwrap_or_default();
        if !RIGHTS.contains(&name) {
            return Err(invalid(format!("\"actions\" may name {}, not \"{name}\"", RIGHTS.join(", "))));
        }
        if action.get("scope").or_else(|| action.get("scopeId")).is_some_and(|scope| !scope.is_null()) {
            return Err(invalid("scopes are not supported"));
        }
        let fields = match action.get("fields") {
            None => continue,
            Some(Value::Array(fields)) => fields,
            Some(_) => return Err(invalid("\"fields\" must be an array of names")),
        };
        for field in fields {
            let name = name_of(field)?;
            if let Some(collection) = collection {
                collection.field(name)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn role_shapes() {
        let check = |value: Value, want: bool| {
            let Value::Object(values) = value else { panic!("an object") };
            assert_eq!(check_role(&values).is_ok(), want, "{values:?}");
        };
        check(json!({"snippets": ["pm.*"], "strategy": {"actions": ["view"]}}), true);
        check(json!({"strategy": {}}), true);
        check(json!({"strategy": null}), true);
        check(json!({"snippets": "pm"}), false);
        check(json!({"strategy": {"actions": "view"}}), false);
        check(json!({"strategy": ["view"]}), false);
    }
}
