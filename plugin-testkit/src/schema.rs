//! The collections of a scenario.

use std::collections::BTreeMap;

use plugin_api::{Association, Cardinality, CollectionRef, Condition, PluginError, SchemaView};
use serde::Deserialize;

/// The collections that a scenario's plugin finds. As JSON:
///
/// ```
/// let schema: plugin_testkit::Schema = serde_json::from_value(serde_json::json!({
///     "posts": {"fields": ["title"], "dates": ["publishedAt"], "toOne": {"category": "categories"}, "toMany": {"tags": "tags"}},
///     "categories": {},
///     "tags": {},
/// }))?;
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct Schema(BTreeMap<CollectionRef, Fields>);

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Fields {
    fields: Vec<String>,
    dates: Vec<String>,
    to_one: BTreeMap<String, CollectionRef>,
    to_many: BTreeMap<String, CollectionRef>,
}

impl Schema {
    /// Adds a collection, or fields that hold values to one.
    #[must_use]
    pub fn collection<'a>(mut self, name: &str, fields: impl IntoIterator<Item = &'a str>) -> Self {
        self.entry(name).fields.extend(fields.into_iter().map(str::to_owned));
        self
    }

    /// Adds a field of a collection that holds a moment or a day.
    #[must_use]
    pub fn date(mut self, collection: &str, field: &str) -> Self {
        self.entry(collection).dates.push(field.to_owned());
        self
    }

    /// Adds an association of a collection that leads to one record.
    #[must_use]
    pub fn to_one(mut self, collection: &str, field: &str, target: &str) -> Self {
        self.entry(collection).to_one.insert(field.to_owned(), CollectionRef::parse(target));
        self
    }

    /// Adds an association of a collection that leads to any number of records.
    #[must_use]
    pub fn to_many(mut self, collection: &str, field: &str, target: &str) -> Self {
        self.entry(collection).to_many.insert(field.to_owned(), CollectionRef::parse(target));
        self
    }

    fn entry(&mut self, collection: &str) -> &mut Fields {
        self.0.entry(CollectionRef::parse(collection)).or_default()
    }
}

impl Fields {
    fn has(&self, field: &str) -> bool {
        self.is_value(field) || self.to_one.contains_key(field) || self.to_many.contains_key(field)
    }

    /// Every record has an `id`.
    fn is_value(&self, field: &str) -> bool {
        field == "id" || self.fields.iter().chain(&self.dates).any(|known| known == field)
    }
}

impl SchemaView for Schema {
    fn has_data_source(&self, data_source: &str) -> bool {
        self.0.keys().any(|collection| collection.data_source() == data_source)
    }

    fn has_collection(&self, collection: &CollectionRef) -> bool {
        self.0.contains_key(collection)
    }

    fn association(&self, collection: &CollectionRef, field: &str) -> Option<Association> {
        let fields = self.0.get(collection)?;
        let one = fields.to_one.get(field).map(|target| (target, Cardinality::One));
        let (target, cardinality) = one.or_else(|| Some((fields.to_many.get(field)?, Cardinality::Many)))?;
        Some(Association { target: target.clone(), cardinality })
    }

    /// Judges the fields of `data` and `previous` by their first name, and no operator: those are the host's.
    fn check_condition(&self, collection: &CollectionRef, condition: &Condition) -> Result<(), PluginError> {
        for path in condition.0.keys() {
            let mut names = path.split('.');
            if let (Some("data" | "previous"), Some(field)) = (names.next(), names.next())
                && !self.0.get(collection).is_some_and(|fields| fields.has(field))
            {
                return Err(PluginError::invalid(format!("{collection} has no field {field}")));
            }
        }
        Ok(())
    }

    fn check_comparable(&self, collection: &CollectionRef, field: &str) -> Result<(), PluginError> {
        let fields = self.0.get(collection);
        let comparable = fields.is_some_and(|fields| fields.is_value(field) || fields.to_one.contains_key(field));
        comparable
            .then_some(())
            .ok_or_else(|| PluginError::invalid(format!("{collection} has no field {field} that can be compared")))
    }
    fn check_date(&self, collection: &CollectionRef, field: &str) -> Result<(), PluginError> {
        let dates = self.0.get(collection).map(|fields| &fields.dates);
        dates
            .is_some_and(|dates| dates.iter().any(|known| known == field))
            .then_some(())
            .ok_or_else(|| PluginError::invalid(format!("{collection} has no field {field} that holds a date")))
    }
}
