//! Fields of a configuration: the JSON Schema of each, for `#[schemars(schema_with = "…")]`, and its check against the
//! schema of today.
//!
//! A schema drives the console's form. Beyond the standard keywords it carries `x-title`, the title in every language,
//! `x-selector`, which says what a text names so that the console can offer a choice, and `x-visible-if`, the values other
//! fields must have for a field to matter. Defaults are those of `#[serde(default)]`, which has to stand beside it.

use schemars::{Schema, SchemaGenerator, json_schema};

use super::texts;
use crate::{
    action::Action,
    error::PluginError,
    plan::Condition,
    schema::{AssociationPath, CollectionRef, SchemaView},
    text::Translations,
};

/// Gives a field's schema its title.
pub fn titled(title: &Translations, mut schema: Schema) -> Schema {
    schema.insert("title".to_owned(), title.en.into());
    // A constant of texts is always plain JSON.
    schema.insert("x-title".to_owned(), serde_json::to_value(title).unwrap_or_default());
    schema
}

/// `collection`: a [`CollectionRef`]; the host takes the field with this selector for what a workflow watches.
pub fn collection(_: &mut SchemaGenerator) -> Schema {
    titled(&texts::COLLECTION, json_schema!({"type": "string", "x-selector": "collection"}))
}

/// `global`: a bool.
pub fn global(_: &mut SchemaGenerator) -> Schema {
    titled(&texts::GLOBAL, json_schema!({"type": "boolean", "default": false}))
}

/// `actions`: a list of [`Action`]s among `choices`, for `global`.
pub fn actions(choices: &[Action]) -> Schema {
    let schema = json_schema!({
        "type": "array",
        "items": { "enum": choices },
        "uniqueItems": true,
        "default": [],
        "x-visible-if": { "global": true },
    });
    titled(&texts::ACTIONS, schema)
}

/// `changed`: a list of fields of the collection chosen beside it, which can be compared.
pub fn changed(_: &mut SchemaGenerator) -> Schema {
    let schema = json_schema!({
        "type": "array",
        "items": { "type": "string" },
        "uniqueItems": true,
        "default": [],
        "x-selector": "field",
        "x-collection-field": "collection",
    });
    titled(&texts::CHANGED, schema)
}

/// `appends`: a list of [`AssociationPath`]s that start at the collection chosen beside it.
pub fn appends(_: &mut SchemaGenerator) -> Schema {
    titled(
        &texts::APPENDS,
        json_schema!({
            "type": "array",
            "items": { "type": "string" },
            "uniqueItems": true,
            "default": [],
            "x-selector": "association-path",
            "x-collection-field": "collection",
        }),
    )
}

/// `condition`: an optional [`Condition`] whose names are `variables`, of which `data` is a record of the collection chosen
/// beside it.
pub fn condition(variables: &[&str]) -> Schema {
    let schema = json_schema!({
        "type": ["object", "null"],
        "default": null,
        "x-selector": "filter",
        "x-collection-field": "collection",
        "x-variables": variables,
    });
    titled(&texts::CONDITION, schema)
}

/// Checks that the collection and its data source exist.
///
/// # Errors
///
/// [`crate::ErrorKind::Invalid`], naming the one that does not.
pub fn check_collection(schema: &dyn SchemaView, collection: &CollectionRef) -> Result<(), PluginError> {
    let (source, name) = (collection.data_source(), collection.name());
    if !schema.has_data_source(source) {
        return Err(PluginError::invalid(format!("Data source \"{source}\" does not exist")));
    }
    if !schema.has_collection(collection) {
        return Err(PluginError::invalid(format!("Collection \"{name}\" does not exist in data source \"{source}\"")));
    }
    Ok(())
}

/// Checks that every path leads somewhere.
///
/// # Errors
///
/// [`crate::ErrorKind::Invalid`], naming the first that does not.
pub fn check_appends(
    schema: &dyn SchemaView,
    collection: &CollectionRef,
    appends: &[AssociationPath],
) -> Result<(), PluginError> {
    match appends.iter().find(|path| path.is_empty() || path.end(schema, collection).is_none()) {
        Some(path) => {
            let name = collection.name();
            Err(PluginError::invalid(format!("Association \"{path}\" does not exist in collection \"{name}\"")))
        }
        None => Ok(()),
    }
}

/// Checks that the condition makes sense; one without members always does.
///
/// # Errors
///
/// [`crate::ErrorKind::Invalid`], about `condition`, with what the host says.
pub fn check_condition(
    schema: &dyn SchemaView,
    collection: &CollectionRef,
    condition: Option<&Condition>,
) -> Result<(), PluginError> {
    match asked(condition) {
        Some(condition) => schema.check_condition(collection, condition).map_err(|error| error.about("condition")),
        None => Ok(()),
    }
}

/// Checks that the values of every field can be compared.
///
/// # Errors
///
/// [`crate::ErrorKind::Invalid`], about `changed`, with what the host says of the first that cannot.
pub fn check_changed(
    schema: &dyn SchemaView,
    collection: &CollectionRef,
    changed: &[String],
) -> Result<(), PluginError> {
    changed
        .iter()
        .try_for_each(|field| schema.check_comparable(collection, field).map_err(|error| error.about("changed")))
}

/// The condition, unless it always holds.
pub fn asked(condition: Option<&Condition>) -> Option<&Condition> {
    condition.filter(|condition| !condition.0.is_empty())
}
