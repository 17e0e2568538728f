//! The schema as plugins may look at it.

use plugin_api::{
    Association, Cardinality, CollectionRef, Condition, PluginError, SchemaView, schema::MAIN_DATA_SOURCE,
};
use store::{Collection, FieldType, Schema, StoreError};

use super::terms;

/// One snapshot of the store's schema; the store is the main data source and the only one.
pub(crate) struct StoreSchemaView<'a>(pub(crate) &'a Schema);

impl SchemaView for StoreSchemaView<'_> {
    fn has_data_source(&self, data_source: &str) -> bool {
        data_source == MAIN_DATA_SOURCE
    }

    fn has_collection(&self, collection: &CollectionRef) -> bool {
        self.has_data_source(collection.data_source()) && self.0.collection(collection.name()).is_ok()
    }

    fn association(&self, collection: &CollectionRef, field: &str) -> Option<Association> {
        if !self.has_data_source(collection.data_source()) {
            return None;
        }
        let association = self.0.collection(collection.name()).ok()?.association(field)?;
        let cardinality = if association.kind.is_to_one() { Cardinality::One } else { Cardinality::Many };
        Some(Association { target: CollectionRef::new(MAIN_DATA_SOURCE, association.target.as_str()), cardinality })
    }

    fn check_condition(&self, collection: &CollectionRef, condition: &Condition) -> Result<(), PluginError> {
        terms::parse_condition(self.0, self.collection(collection)?, &condition.0).map(drop).map_err(refusal)
    }

    fn check_comparable(&self, collection: &CollectionRef, field: &str) -> Result<(), PluginError> {
        terms::compared_field(self.collection(collection)?, field).map(drop).map_err(refusal)
    }

    fn check_date(&self, collection: &CollectionRef, field: &str) -> Result<(), PluginError> {
        let found = self.collection(collection)?.field(field).ok().filter(|found| !found.hidden);
        match found.map(|found| &found.field_type) {
            Some(FieldType::DateTime | FieldType::Date) => Ok(()),
            Some(_) => Err(PluginError::invalid(format!("Field \"{field}\" of {collection} holds no date"))),
            None => Err(PluginError::invalid(format!("There is no field \"{field}\" in {collection}"))),
        }
    }
}

impl StoreSchemaView<'_> {
    fn collection(&self, collection: &CollectionRef) -> Result<&Collection, PluginError> {
        let found =
            self.0.collection(collection.name()).ok().filter(|_| self.has_data_source(collection.data_source()));
        found.map(|found| &**found).ok_or_else(|| PluginError::invalid(format!("There is no collection {collection}")))
    }
}

/// What the store does not accept is a mistake of the one who configures.
fn refusal(error: StoreError) -> PluginError {
    match error {
        StoreError::Invalid { message, .. } => PluginError::invalid(message),
        other => PluginError::fault(other.to_string()),
    }
}
