//! `buttons`: the buttons of a client's pages, what is bound to each, and what may be.
//!
//! Who may see the records of a button's collection may see what the button does; only administrators change it.

use std::sync::Arc;

use plugin_api::CollectionRef;
use serde_json::{Value, json};
use store::{Button, ButtonFacts, Collection, Conn, Filter, Find, Record, Schema, Select, Sort, StoreError};

use super::{Call, button_bindings, name_of, required_text, text};
use crate::{
    access::{RequestContext, Right},
    bindings::{self, Grounds, Judge, KINDS, Strictness},
    host::Host,
    http::{answer::Answer, error::ApiError, params::Paging},
    plugins::LoadedTrigger,
};

/// Longest key and longest text of a button, in characters: as long as the store's texts.
const TEXT_CHARS_MAX: usize = 255;

pub(super) async fn answer(host: &Arc<Host>, context: &RequestContext, call: Call) -> Result<Answer, ApiError> {
    match call.address.action.as_str() {
        "list" => return list(host, context, &call).await,
        "get" => {
            let mut conn = host.store.read().await?;
            let button = visible(host, &mut conn, context, name_of(&call.key()?)?).await?;
            return Ok(Answer::Data(described(&mut conn, &Grounds::of(host), &button).await?));
        }
        "info" => return Ok(Answer::Data(info(host))),
        _ => {}
    }
    context.role().require_manager()?;
    match call.address.action.as_str() {
        "create" => create(host, call.values.into_given_object()?).await,
        "update" => {
            let key = call.key()?;
            update(host, name_of(&key)?.to_owned(), call.values.into_given_object()?).await
        }
        "destroy" => destroy(host, call.keys()).await,
        "options" => options(host, call).await,
        _ => Err(call.unknown_action()),
    }
}

/// Reads a button that the role may see.
///
/// # Errors
///
/// 404 if it is not there, 403 if the role may not.
pub(super) async fn visible(
    host: &Host,
    conn: &mut Conn,
    context: &RequestContext,
    key: &str,
) -> Result<Button, ApiError> {
    let button = present(conn, key).await?;
    if context.role().require_manager().is_ok() {
        return Ok(button);
    }
    let name = CollectionRef::parse(&button.facts.collection);
    let there = context.at(host, name.data_source()).await.map_err(|_| ApiError::Forbidden)?;
    match there.source().store().schema().collection(name.name()) {
        Ok(collection) if may_see(&there, collection) => Ok(button),
        Ok(_) | Err(_) => Err(ApiError::Forbidden),
    }
}

/// Reads a button.
///
/// # Errors
///
/// 404 if it is not there.
pub(super) async fn present(conn: &mut Conn, key: &str) -> Result<Button, ApiError> {
    let no_button = || ApiError::NotFound { code: "NOT_FOUND", what: format!("button \"{key}\"") };
    conn.button(key).await?.ok_or_else(no_button)
}

/// A button as it is answered.
pub(super) async fn described(conn: &mut Conn, grounds: &Grounds, button: &Button) -> Result<Value, StoreError> {
    Ok(describe_all(conn, grounds, std::slice::from_ref(button)).await?.pop().unwrap_or_default())
}

async fn describe_all(conn: &mut Conn, grounds: &Grounds, buttons: &[Button]) -> Result<Vec<Value>, StoreError> {
    let keys: Vec<&str> =
        buttons.iter().flat_map(|button| &button.bindings).map(|binding| binding.workflow_key.as_str()).collect();
    let workflows = conn.workflows_by_key(&keys).await?;
    let schemas = grounds.schemas(conn.schema());
    let judge = Judge { plugins: &grounds.plugins, schemas: &schemas };
    Ok(buttons.iter().map(|button| bindings::describe(judge, button, &workflows)).collect())
}

fn may_see(context: &RequestContext, collection: &Collection) -> bool {
    context.role().require_manager().is_ok() || context.role().permit(collection, Right::View).is_ok()
}

/// Finds keys in the table of buttons, so that filters and pages work, and describes what they name.
async fn list(host: &Host, context: &RequestContext, call: &Call) -> Result<Answer, ApiError> {
    let mut conn = host.store.read().await?;
    let schema = Arc::clone(conn.schema());
    let table = schema.collection("buttons")?.clone();
    let mut filter = match &call.params.filter {
        Some(filter) => Filter::parse(&schema, &table, filter)?,
        None => Filter::default(),
    };
    if context.role().require_manager().is_err() {
        let seen = seen(host, context, &schema).await;
        filter = filter.and(Filter::parse(&schema, &table, &json!({"collection": {"$in": seen}}))?);
    }
    let sort = call.params.sort.iter().map(|key| Sort::parse(&table, key)).collect::<Result<_, _>>()?;
    let select = Select { fields: vec!["key".to_owned()], ..Select::default() };
    let paging = call.params.paging;
    let find = Find { filter, sort, page: Some(paging.page()), select, ..Find::all(table) };
    let found = conn.find(&find).await?;
    let keys: Vec<&str> = found.iter().filter_map(|record| record.get("key")?.as_str()).collect();
    let buttons = conn.buttons(&keys).await?;
    let described = describe_all(&mut conn, &Grounds::of(host), &buttons).await?;
    match paging {
        Paging::Counted(page) => {
            let count = conn.count(&find.collection, &find.filter).await?;
            let records = described.into_iter().filter_map(|button| button.as_object().cloned()).collect();
            Ok(Answer::List { records, count, page })
        }
        Paging::Uncounted(_) => Ok(Answer::Data(described.into())),
    }
}

/// The collections whose buttons the role may see, as buttons name them.
async fn seen(host: &Host, context: &RequestContext, main: &Arc<Schema>) -> Vec<String> {
    let mut seen = Vec::new();
    for (source, schema) in host.data_sources.schemas(main).all() {
        // One that cannot be used now has no buttons that could be pressed.
        let Ok(there) = context.at(host, &source).await else { continue };
        let collections = schema.collections().filter(|collection| may_see(&there, collection));
        seen.extend(collections.map(|collection| there.source().reference(collection).to_string()));
    }
    seen
}

async fn create(host: &Arc<Host>, values: Record) -> Result<Answer, ApiError> {
    let key = text(&values, "key")?;
    if let Some(key) = &key {
        check_key(key)?;
    }
    let facts = ButtonFacts {
        title: short_text(&values, "title")?,
        button_type: required_text(&values, "type")?,
        collection: required_text(&values, "collection")?,
        block_id: short_text(&values, "blockId")?,
        block_title: short_text(&values, "blockTitle")?,
    };
    let entries = match values.get("bindings") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(entries)) => button_bindings::entries(entries.clone())?,
        Some(_) => return Err(ApiError::invalid("INVALID_VALUE", "\"bindings\" must be an array")),
    };
    let grounds = Grounds::of(host);
    let made = host
        .store
        .write::<_, ApiError, _>(move |tx| {
            Box::pin(async move {
                let schemas = grounds.schemas(tx.schema());
                Judge { plugins: &grounds.plugins, schemas: &schemas }.button(&facts)?;
                let mut made = tx.create_button(key, &facts).await?;
                if !entries.is_empty() {
                    made = button_bindings::replace(tx, &grounds, &made, entries).await?;
                }
                Ok(described(tx, &grounds, &made).await?)
            })
        })
        .await?;
    Ok(Answer::Data(made))
}

async fn update(host: &Arc<Host>, key: String, values: Record) -> Result<Answer, ApiError> {
    let texts = ["title", "blockId", "blockTitle"].map(|name| (name, short_text(&values, name)));
    let texts = texts.into_iter().map(|(name, text)| Ok((name, text?))).collect::<Result<Vec<_>, ApiError>>()?;
    let grounds = Grounds::of(host);
    let changed = host
        .store
        .write::<_, ApiError, _>(move |tx| {
            Box::pin(async move {
                let mut facts = present(tx, &key).await?.facts;
                for (name, now) in [("type", &facts.button_type), ("collection", &facts.collection)] {
                    if values.get(name).is_some_and(|wanted| wanted.as_str() != Some(now)) {
                        return Err(ApiError::invalid(
                            "INVALID_VALUE",
                            format!("\"{name}\" of a button is fixed when it is made"),
                        ));
                    }
                }
                for (name, text) in texts.into_iter().filter(|(name, _)| values.contains_key(*name)) {
                    match name {
                        "title" => facts.title = text,
                        "blockId" => facts.block_id = text,
                        _ => facts.block_title = text,
                    }
                }
                let changed = tx.update_button(&key, &facts).await?;
                Ok(described(tx, &grounds, &changed).await?)
            })
        })
        .await?;
    Ok(Answer::Data(json!([changed])))
}

async fn destroy(host: &Arc<Host>, keys: Vec<Value>) -> Result<Answer, ApiError> {
    if keys.is_empty() {
        return Err(ApiError::invalid("FILTER_REQUIRED", "\"filterByTk\" is required"));
    }
    let keys: Vec<String> = keys.iter().map(|key| name_of(key).map(str::to_owned)).collect::<Result<_, _>>()?;
    let gone = host
        .store
        .write::<_, StoreError, _>(move |tx| {
            Box::pin(async move {
                let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
                tx.destroy_buttons(&keys).await
            })
        })
        .await?;
    Ok(Answer::Data(json!(gone)))
}

/// What may be bound to a button, or to one that is about to be made and is described in the body.
async fn options(host: &Host, call: Call) -> Result<Answer, ApiError> {
    let mut conn = host.store.read().await?;
    let facts = if call.keys().is_empty() {
        let values = call.values.into_object()?;
        ButtonFacts {
            title: None,
            button_type: required_text(&values, "type")?,
            collection: required_text(&values, "collection")?,
            block_id: None,
            block_title: None,
        }
    } else {
        present(&mut conn, name_of(&call.key()?)?).await?.facts
    };
    let enabled = conn.enabled_workflows().await?;
    let grounds = Grounds::of(host);
    let schemas = grounds.schemas(conn.schema());
    let judge = Judge { plugins: &grounds.plugins, schemas: &schemas };
    Ok(Answer::Data(json!(bindings::choices(judge, &facts, enabled)?)))
}

/// The matrix, as the plugins have it, and how strictly it is kept to.
fn info(host: &Host) -> Value {
    let plugins = host.plugins.current();
    let types = KINDS.map(|kind| {
        let triggers = plugins.triggers().map(LoadedTrigger::info);
        let fitting = triggers.filter(|info| info.binding.buttons.contains(&kind)).map(|info| info.id.as_str());
        json!({
            "type": kind,
            "actions": bindings::actions(kind),
            "triggerTypes": fitting.collect::<Vec<_>>(),
        })
    });
    json!({"strictBindings": host.strictness == Strictness::Strict, "types": types})
}

/// Keys travel in addresses, queries and headers as they are.
fn check_key(key: &str) -> Result<(), ApiError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !key.is_empty() && key.len() <= TEXT_CHARS_MAX && key.chars().all(is_plain) {
        return Ok(());
    }
    let message = format!("\"key\" must be 1 to {TEXT_CHARS_MAX} letters, digits, \"-\", \"_\" or \".\"");
    Err(ApiError::invalid("INVALID_VALUE", message))
}

fn short_text(values: &Record, name: &str) -> Result<Option<String>, ApiError> {
    match text(values, name)? {
        Some(text) if text.chars().count() > TEXT_CHARS_MAX || text.contains('\0') => Err(ApiError::invalid(
            "INVALID_VALUE",
            format!("\"{name}\" must be a text of at most {TEXT_CHARS_MAX} characters"),
        )),
        text => Ok(text),
    }
}
