//! The schema as plugins may look at it.

use plugin_api::{Association, Cardinality, CollectionRef, Condition, PluginError, SchemaView};
use store::{Collection, FieldType, StoreError};

use super::terms::{self, Realm};
use crate::data_sources::Schemas;

/// The collections of all data sources at one moment.
pub(crate) struct CollectionsView<'a>(pub(crate) &'a Schemas);

impl SchemaView for CollectionsView<'_> {
    fn has_data_source(&self, data_source: &str) -> bool {
        self.0.has(data_source)
    }

    fn has_collection(&self, collection: &CollectionRef) -> bool {
        self.0.of(collection.data_source()).is_some_and(|schema| schema.collection(collection.name()).is_ok())
    }

    fn association(&self, collection: &CollectionRef, field: &str) -> Option<Association> {
        let source = collection.data_source();
        let association = self.0.of(source)?.collection(collection.name()).ok()?.association(field)?;
        let cardinality = if association.kind.is_to_one() { Cardinality::One } else { Cardinality::Many };
        Some(Association { target: CollectionRef::new(source, association.target.as_str()), cardinality })
    }

    fn check_condition(&self, collection: &CollectionRef, condition: &Condition) -> Result<(), PluginError> {
        let (realm, found) = (self.realm(collection)?, self.collection(collection)?);
        terms::check_condition(&realm, found, &condition.0).map_err(refusal)
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

impl CollectionsView<'_> {
    fn collection(&self, collection: &CollectionRef) -> Result<&Collection, PluginError> {
        let found = self.0.of(collection.data_source()).and_then(|schema| schema.collection(collection.name()).ok());
        found.map(|found| &**found).ok_or_else(|| PluginError::invalid(format!("There is no collection {collection}")))
    }

    fn realm(&self, collection: &CollectionRef) -> Result<Realm, PluginError> {
        let no_source = || PluginError::invalid(format!("There is no collection {collection}"));
        let schema = self.0.of(collection.data_source()).ok_or_else(no_source)?;
        Ok(Realm::new(self.0.main(), schema))
    }
}

/// What the store does not accept is a mistake of the one who configures.
fn refusal(error: StoreError) -> PluginError {
    match error {
        StoreError::Invalid { message, .. } => PluginError::invalid(message),
        other => PluginError::fault(other.to_string()),
    }
}
