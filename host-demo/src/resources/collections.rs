//! `collections` and `collections/<name>/fields`: the schema.

use std::sync::Arc;

use plugin_api::schema::MAIN_DATA_SOURCE;
use serde_json::{Value, json};
use store::{Collection, Field, Filter, Find, Record, Schema, Select, Sort, schema::Origin};

use super::{Call, name_of};
use crate::{
    access::RequestContext,
    host::Host,
    http::{answer::Answer, error::ApiError, params::Paging},
};

/// Resources that are no collections: one of their name could not be reached.
const RESOURCES: [&str; 2] = ["auth", "plugins"];

pub(super) async fn answer(host: &Arc<Host>, context: &RequestContext, call: Call) -> Result<Answer, ApiError> {
    context.role().require_manager()?;
    match call.address.action.as_str() {
        "list" => list(host, &call).await,
        "get" => {
            let schema = host.store.schema();
            Ok(Answer::record(describe(user_made(&schema, name_of(&call.key()?)?)?)))
        }
        "create" => {
            let definition = call.values.into_object()?;
            if let Some(name) = definition.get("name").and_then(Value::as_str).filter(|name| RESOURCES.contains(name)) {
                return Err(ApiError::invalid("RESERVED_NAME", format!("a collection cannot be called {name}")));
            }
            let fields = definition.get("fields").and_then(Value::as_array).into_iter().flatten();
            for field in fields.filter_map(Value::as_object) {
                check_association(&host.store.schema(), field)?;
            }
            let made = host
                .store
                .write::<_, ApiError, _>(move |tx| {
                    Box::pin(async move { Ok(tx.create_collection(&definition).await?) })
                })
                .await?;
            Ok(Answer::record(describe(&made)))
        }
        "update" => {
            let key = call.key()?;
            let name = user_made(&host.store.schema(), name_of(&key)?)?.name.clone();
            let options = call.values.into_object()?;
            let changed = host
                .store
                .write::<_, ApiError, _>(move |tx| {
                    Box::pin(async move { Ok(tx.update_collection(&name, &options).await?) })
                })
                .await?;
            Ok(Answer::records(vec![describe(&changed)]))
        }
        "destroy" => {
            let keys = call.keys();
            if keys.is_empty() {
                return Err(ApiError::invalid("FILTER_REQUIRED", "\"filterByTk\" is required"));
            }
            let names: Vec<String> =
                keys.iter().map(|key| name_of(key).map(str::to_owned)).collect::<Result<_, _>>()?;
            let count = names.len();
            host.store
                .write::<_, ApiError, _>(move |tx| {
                    Box::pin(async move {
                        let resources = tx.schema().collection("dataSourceResources")?.clone();
                        for name in names {
                            user_made(tx.schema(), &name)?;
                            tx.destroy_collection(&name).await?;
                            // Rights on it would come back with the next collection of this name.
                            let rights = json!({"dataSourceKey": MAIN_DATA_SOURCE, "name": {"$eq": name}});
                            let rights = Filter::parse(tx.schema(), &resources, &rights)?;
                            tx.destroy(&resources, &rights).await?;
                        }
                        Ok(())
                    })
                })
                .await?;
            Ok(Answer::Data(json!(count)))
        }
        _ => Err(call.unknown_action()),
    }
}

pub(super) async fn answer_fields(host: &Arc<Host>, context: &RequestContext, call: Call) -> Result<Answer, ApiError> {
    context.role().require_manager()?;
    let collection = {
        let schema = host.store.schema();
        user_made(&schema, name_of(call.source_key()?)?)?.clone()
    };
    match call.address.action.as_str() {
        "list" => {
            Ok(Answer::records(collection.fields.iter().filter(|field| !field.hidden).map(describe_field).collect()))
        }
        "get" => Ok(Answer::record(describe_field(collection.field(name_of(&call.key()?)?)?))),
        "create" => {
            let definition = call.values.into_object()?;
            check_association(&host.store.schema(), &definition)?;
            let made = host
                .store
                .write::<_, ApiError, _>(move |tx| {
                    Box::pin(async move { Ok(tx.create_field(&collection.name, &definition).await?) })
                })
                .await?;
            Ok(Answer::record(describe_field(&made)))
        }
        "destroy" => {
            let name = name_of(&call.key()?)?.to_owned();
            host.store
                .write::<_, ApiError, _>(move |tx| {
                    Box::pin(async move { Ok(tx.destroy_field(&collection.name, &name).await?) })
                })
                .await?;
            Ok(Answer::Data(json!(1)))
        }
        _ => Err(call.unknown_action()),
    }
}

fn user_made<'s>(schema: &'s Schema, name: &str) -> Result<&'s Arc<Collection>, ApiError> {
    match schema.collection(name) {
        Ok(collection) if collection.origin == Origin::User => Ok(collection),
        Ok(_) => Err(ApiError::invalid(
            "BUILT_IN_COLLECTION",
            format!("collection {name} is built in and cannot be changed"),
        )),
        Err(_) => Err(ApiError::NotFound { code: "UNKNOWN_COLLECTION", what: format!("collection {name}") }),
    }
}

/// Links are rows of a through collection or foreign keys at the other end. In a built-in collection those have rules of
/// their own, such as who may be given which role, which an association would go around.
fn check_association(schema: &Schema, field: &Record) -> Result<(), ApiError> {
    let text = |name: &str| field.get(name).and_then(Value::as_str);
    let written = match text("type") {
        Some("hasOne" | "hasMany") => text("target"),
        Some("belongsToMany") => text("through"),
        Some(_) | None => None,
    };
    let is_built_in = |name: &str| {
        let mut built_in = schema.collections().filter(|collection| collection.origin == Origin::BuiltIn);
        built_in.any(|collection| collection.name.eq_ignore_ascii_case(name))
    };
    match written.filter(|name| is_built_in(name)) {
        None => Ok(()),
        Some(name) => Err(ApiError::invalid(
            "BUILT_IN_COLLECTION",
            format!("links cannot be kept in {name}, which is built in: use belongsTo, or another through collection"),
        )),
    }
}

/// Finds names in the table of collections, so that filters and pages work, and describes them from the schema.
async fn list(host: &Host, call: &Call) -> Result<Answer, ApiError> {
    let mut conn = host.store.read().await?;
    let schema = conn.schema().clone();
    let table = schema.collection("collections")?.clone();
    let filter = match &call.params.filter {
        Some(filter) => Filter::parse(&schema, &table, filter)?,
        None => Filter::default(),
    };
    let sort = call.params.sort.iter().map(|key| Sort::parse(&table, key)).collect::<Result<_, _>>()?;
    let select = Select { fields: vec!["name".to_owned()], ..Select::default() };
    let paging = call.params.paging;
    let find = Find { filter, sort, page: Some(paging.page()), select, ..Find::all(table) };
    let names = conn.find(&find).await?;
    let records = names
        .iter()
        .filter_map(|record| schema.collection(record.get("name")?.as_str()?).ok())
        .map(|collection| describe(collection))
        .collect();
    match paging {
        Paging::Counted(page) => {
            let count = conn.count(&find.collection, &find.filter).await?;
            Ok(Answer::List { records, count, page })
        }
        Paging::Uncounted(_) => Ok(Answer::records(records)),
    }
}

pub(super) fn describe(collection: &Collection) -> Record {
    let mut record = collection.options.clone();
    record.insert("name".to_owned(), collection.name.as_str().into());
    record.insert("title".to_owned(), collection.title.clone().into());
    let fields: Vec<Value> = collection
        .fields
        .iter()
        .filter(|field| !field.hidden)
        .map(|field| Value::Object(describe_field(field)))
        .collect();
    record.insert("fields".to_owned(), fields.into());
    record
}

pub(super) fn describe_field(field: &Field) -> Record {
    let mut record = field.options.clone();
    record.insert("name".to_owned(), field.name.as_str().into());
    record
}
