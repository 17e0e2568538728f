//! What bindings are judged by, for those who come to the schema only in a transaction.

use std::sync::Arc;

use store::Schema;

use crate::{
    data_sources::{DataSources, Schemas},
    host::Host,
    plugins::Plugins,
};

/// What is installed and connected now.
#[derive(Clone)]
pub(crate) struct Grounds {
    /// They say what may be bound to what.
    pub(crate) plugins: Arc<Plugins>,
    sources: Arc<DataSources>,
}

impl Grounds {
    /// Those of this host.
    pub(crate) fn of(host: &Host) -> Self {
        Self { plugins: host.plugins.current(), sources: Arc::clone(&host.data_sources) }
    }

    /// All collections, with these as those of main.
    pub(crate) fn schemas(&self, main: &Arc<Schema>) -> Schemas {
        self.sources.schemas(main)
    }
}
