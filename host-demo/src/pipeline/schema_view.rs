//! The schema as plugins may look at it.

use plugin_api::{Association, Cardinality, CollectionRef, SchemaView, schema::MAIN_DATA_SOURCE};
use store::Schema;

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
}
