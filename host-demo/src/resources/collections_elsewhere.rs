//! `collections` and `collections/<name>/fields` of a further database: what its tables look like. Their structure is not the host's
//! to change.

use serde_json::{Value, json};
use store::{Collection, Filter, Page, Record};

use super::{
    Call,
    collections::{describe, describe_field},
    name_of,
};
use crate::{
    access::RequestContext,
    host::Host,
    http::{answer::Answer, error::ApiError, params::Paging},
};

pub(super) fn answer(host: &Host, context: &RequestContext, call: &Call) -> Result<Answer, ApiError> {
    context.role().require_manager()?;
    let schema = context.source().store().schema();
    match call.address.action.as_str() {
        "list" => list(host, context, call),
        "get" => {
            let key = call.key()?;
            let name = name_of(&key)?;
            Ok(Answer::record(shown(schema.collection(name).map_err(|_| unknown(name))?)))
        }
        _ => Err(unchangeable(context, call)),
    }
}

pub(super) fn answer_fields(context: &RequestContext, call: &Call) -> Result<Answer, ApiError> {
    context.role().require_manager()?;
    let name = name_of(call.source_key()?)?;
    let schema = context.source().store().schema();
    let collection = schema.collection(name).map_err(|_| unknown(name))?;
    match call.address.action.as_str() {
        "list" => {
            Ok(Answer::records(collection.fields.iter().filter(|field| !field.hidden).map(describe_field).collect()))
        }
        "get" => Ok(Answer::record(describe_field(collection.field(name_of(&call.key()?)?)?))),
        _ => Err(unchangeable(context, call)),
    }
}

/// By name, with the filters that a list of main's collections takes.
fn list(host: &Host, context: &RequestContext, call: &Call) -> Result<Answer, ApiError> {
    let main = host.store.schema();
    let table = main.collection("collections")?;
    let filter = match &call.params.filter {
        Some(filter) => Filter::parse(&main, table, filter)?,
        None => Filter::default(),
    };
    if let Some(key) = call.params.sort.iter().find(|key| key.trim_start_matches('-') != "name") {
        return Err(ApiError::invalid(
            "INVALID_PARAMETER",
            format!("collections of a further data source are sorted by \"name\" only, not by \"{key}\""),
        ));
    }
    let schema = context.source().store().schema();
    let matches = |collection: &&std::sync::Arc<Collection>| {
        let record = json!({"name": collection.name, "title": collection.title, "options": collection.options});
        record.as_object().is_some_and(|record| filter.matches(&main, table, record))
    };
    let mut found: Vec<_> = schema.collections().filter(matches).collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    if call.params.sort.first().is_some_and(|key| key.starts_with('-')) {
        found.reverse();
    }
    let count = found.len() as u64;
    let Page { number, size } = call.params.paging.page();
    let before = usize::try_from(number.saturating_sub(1).saturating_mul(size)).unwrap_or(usize::MAX);
    let records = found.into_iter().skip(before).take(usize::try_from(size).unwrap_or(usize::MAX));
    let records: Vec<Record> = records.map(|collection| shown(collection)).collect();
    match call.params.paging {
        Paging::Counted(page) => Ok(Answer::List { records, count, page }),
        Paging::Uncounted(_) => Ok(Answer::records(records)),
    }
}

/// With what identifies its records, which nobody has chosen.
fn shown(collection: &Collection) -> Record {
    let mut record = describe(collection);
    let key = match collection.key.as_slice() {
        [] => Value::Null,
        [name] => name.as_str().into(),
        names => names.into(),
    };
    record.insert("filterTargetKey".to_owned(), key);
    record
}

fn unknown(name: &str) -> ApiError {
    ApiError::NotFound { code: "UNKNOWN_COLLECTION", what: format!("collection {name}") }
}

fn unchangeable(context: &RequestContext, call: &Call) -> ApiError {
    match call.address.action.as_str() {
        "create" | "update" | "destroy" => ApiError::invalid(
            "FOREIGN_STRUCTURE",
            format!(
                "the structure of data source {} is somebody else's and cannot be changed here",
                context.source().key()
            ),
        ),
        _ => call.unknown_action(),
    }
}
