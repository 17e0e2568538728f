//! The collections of all data sources at one moment.

use std::{collections::BTreeMap, sync::Arc};

use plugin_api::schema::MAIN_DATA_SOURCE;
use store::Schema;

/// The further ones: `None` for one that is not connected, whose collections nobody knows.
pub(super) type Further = BTreeMap<Arc<str>, Option<Arc<Schema>>>;

/// The collections of all data sources. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Schemas {
    main: Arc<Schema>,
    further: Arc<Further>,
}

impl Schemas {
    pub(super) fn new(main: Arc<Schema>, further: Arc<Further>) -> Self {
        Self { main, further }
    }

    /// The collections of main.
    pub(crate) fn main(&self) -> &Arc<Schema> {
        &self.main
    }

    /// The collections of a data source that is connected.
    pub(crate) fn of(&self, key: &str) -> Option<&Arc<Schema>> {
        if key == MAIN_DATA_SOURCE { Some(&self.main) } else { self.further.get(key)?.as_ref() }
    }

    /// Says whether there is such a data source, connected or not.
    pub(crate) fn has(&self, key: &str) -> bool {
        key == MAIN_DATA_SOURCE || self.further.contains_key(key)
    }

    /// All that are connected, by their keys, main first.
    pub(crate) fn all(&self) -> Vec<(Arc<str>, Arc<Schema>)> {
        let further = self.further.iter().filter_map(|(key, schema)| Some((Arc::clone(key), schema.clone()?)));
        std::iter::once((MAIN_DATA_SOURCE.into(), Arc::clone(&self.main))).chain(further).collect()
    }
}
