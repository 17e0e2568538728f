//! A data source that is open.

use std::{fmt, sync::Arc};

use plugin_api::{CollectionRef, schema::MAIN_DATA_SOURCE};
use store::{Collection, Store};

/// Where the records of a request are.
#[derive(Clone)]
pub(crate) struct DataSource {
    /// `None` for main: its name need not be carried along.
    key: Option<Arc<str>>,
    store: Store,
    has_outbox: bool,
}

impl fmt::Debug for DataSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataSource({:?})", self.key())
    }
}

impl DataSource {
    /// The host's own database.
    pub(crate) fn main(store: Store) -> Self {
        Self { key: None, store, has_outbox: false }
    }

    /// A further one.
    pub(super) fn further(key: Arc<str>, store: Store, has_outbox: bool) -> Self {
        Self { key: Some(key), store, has_outbox }
    }

    /// Its key.
    pub(crate) fn key(&self) -> &str {
        self.key.as_deref().unwrap_or(MAIN_DATA_SOURCE)
    }

    /// Says whether it is the host's own, where the executions are.
    pub(crate) fn is_main(&self) -> bool {
        self.key.is_none()
    }

    /// Where to read and write.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Says whether what a change starts can be written down with it, to be taken up from there. Main needs no such detour.
    pub(crate) fn has_outbox(&self) -> bool {
        self.has_outbox
    }

    /// What plugins call one of its collections.
    pub(crate) fn reference(&self, collection: &Collection) -> CollectionRef {
        CollectionRef::new(self.key(), collection.name.as_str())
    }
}
