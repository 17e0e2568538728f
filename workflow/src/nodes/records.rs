//! What the nodes that work on records share: finding the collection and the database it is in, and filters that cannot be widened
//! by data.

use std::sync::Arc;

use futures::future::BoxFuture;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;
use store::{Collection, Filter, Record, Schema as Collections, Store, StoreError, Tx};

use super::{Effect, NodeError, NodeResult, Run};
use crate::{
    reader::Reader,
    variables::{self, Scope, holds_variable},
};

/// The name of a collection: `posts` or `main:posts`, or `source:posts` in a further data source.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub(super) struct CollectionName(String);

impl CollectionName {
    /// Finds the collection in the schema of its database.
    pub(super) fn find(&self, schema: &Collections) -> Result<Arc<Collection>, StoreError> {
        schema.collection(parts(&self.0).1).cloned()
    }

    /// The database that the collection is in.
    pub(super) async fn place<'r>(&self, run: &Run<'r>) -> Result<Place<'r>, NodeError> {
        let Some(key) = parts(&self.0).0 else { return Ok(Place::Here(run.reader)) };
        match run.sources {
            Some(sources) => Ok(Place::Elsewhere(sources.store(key).await?)),
            None => Err(NodeError::Refused(format!("the transaction of a change does not wait for data source {key}"))),
        }
    }

    /// Says whether another one is in the same database.
    pub(super) fn is_beside(&self, other: &Self) -> bool {
        parts(&self.0).0 == parts(&other.0).0
    }
}

/// Where a collection is.
pub(super) enum Place<'r> {
    /// Where the run reads and writes.
    Here(&'r dyn Reader),
    /// In a further database.
    Elsewhere(Store),
}

impl Place<'_> {
    /// Gives connections for reading.
    pub(super) fn reader(&self) -> &dyn Reader {
        match self {
            Self::Here(reader) => *reader,
            Self::Elsewhere(store) => store,
        }
    }

    /// Something to be written there.
    pub(super) fn write(
        self,
        work: impl for<'tx> FnOnce(&'tx mut Tx) -> BoxFuture<'tx, Result<NodeResult, NodeError>> + Send + 'static,
    ) -> Effect {
        match self {
            Self::Here(_) => Effect::write(work),
            Self::Elsewhere(store) => Effect::WriteElsewhere(store, Box::new(move |tx, _| work(tx))),
        }
    }
}

/// Says whether a node with this configuration works on main alone, as far as that can be told before its variables are resolved.
pub(super) fn is_here(config: &Value) -> bool {
    config.get("collection").and_then(Value::as_str).is_none_or(|name| parts(name).0.is_none())
}

/// The same, if it can be told.
pub(super) fn is_surely_here(config: &Value) -> bool {
    is_here(config) && !config.get("collection").is_some_and(holds_variable)
}

/// The data source, unless it is main, and the name in it.
fn parts(name: &str) -> (Option<&str>, &str) {
    match name.split_once(':') {
        Some(("main", name)) => (None, name),
        Some((source, name)) => (Some(source), name),
        None => (None, name),
    }
}

/// Field values.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Values(pub(super) Record);

impl JsonSchema for Values {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Values".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "object"})
    }
}

/// A filter that has to say something: changing every record is never meant.
pub(super) fn narrow(schema: &Collections, collection: &Collection, filter: &Values) -> Result<Filter, NodeError> {
    let filter = Filter::parse(schema, collection, &Value::Object(filter.0.clone()))?;
    if filter.is_empty() {
        return Err(NodeError::Refused("the filter is empty: it would take every record".into()));
    }
    Ok(filter)
}

/// Resolves a configuration whose `params.filter` is a filter. There a variable stands for an operand: an object in its
/// place could bring operators along, so that a record would decide which records are taken.
pub(super) fn resolve(config: &Value, scope: &Scope) -> Result<Value, NodeError> {
    if let Some(filter) = config.pointer("/params/filter") {
        check_operands(filter, scope)?;
    }
    Ok(variables::resolve(config, scope))
}

fn check_operands(filter: &Value, scope: &Scope) -> Result<(), NodeError> {
    match filter {
        Value::Object(members) => members.values().try_for_each(|value| check_operands(value, scope)),
        Value::Array(items) => items.iter().try_for_each(|item| check_operands(item, scope)),
        Value::String(text) if holds_variable(filter) => {
            let value = variables::resolve(filter, scope);
            let holds_object =
                value.is_object() || value.as_array().is_some_and(|items| items.iter().any(Value::is_object));
            if holds_object {
                return Err(NodeError::Refused(format!("{text} is an object, which cannot stand in a filter")));
            }
            Ok(())
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "`json!` at the call reads best without a borrow")]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(filter: Value, want: Option<Value>) {
        let context = json!({"data": {
            "id": 7, "ids": [1, 2], "sneaky": {"$ne": null}, "sneakier": [{"$ne": null}], "text": "{\"$ne\": null}",
        }});
        let scope = Scope::new(context, 0);
        let config = json!({"params": {"filter": filter, "values": {"meta": "{{$context.data.sneaky}}"}}});
        let got = resolve(&config, &scope).ok();
        assert_eq!(got.as_ref().and_then(|config| config.pointer("/params/filter")), want.as_ref(), "{filter}");
    }

    #[test]
    fn a_record_cannot_widen_a_filter() {
        check(json!({"id": "{{$context.data.id}}"}), Some(json!({"id": 7})));
        check(json!({"id": {"$in": "{{$context.data.ids}}"}}), Some(json!({"id": {"$in": [1, 2]}})));
        check(json!({"title": "{{$context.data.text}}"}), Some(json!({"title": "{\"$ne\": null}"})));
        check(json!({"title": "{{$context.data.sneaky}}"}), None);
        check(json!({"$or": [{"title": "{{$context.data.sneakier}}"}]}), None);
        check(json!("{{$context.data.sneaky}}"), None);
    }
}
