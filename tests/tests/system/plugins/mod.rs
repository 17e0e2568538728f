//! Loads real libraries into this process, and into servers that go on while plugins come, go and fail.

mod bad_files;
mod breaker;
mod bridge;
mod command;
mod garbage;
mod logging;
mod management;
mod panics;
mod previous;
mod registration;
mod routes;
mod take_over;
mod versioned;

use std::collections::BTreeMap;

use host_demo::plugins::{Manifest, ManifestEntry, PluginReport, PluginState, Plugins};
use plugin_api::{Association, Cardinality, CollectionRef, SchemaView};

use crate::harness::library;

/// An entry for the good fixture.
fn fixture() -> ManifestEntry {
    ManifestEntry::new("plugin-fixture", library("plugin_fixture"))
}

fn load(plugins: Vec<ManifestEntry>) -> Plugins {
    Plugins::load(&Manifest { plugins }).expect("none of the plugins is required")
}

/// The error of a plugin that failed, which is one line and names the plugin.
fn failure(report: &PluginReport) -> &str {
    assert_eq!(report.state, PluginState::Failed, "{report:?}");
    let line = report.error.as_deref().expect("a failed plugin says why");
    assert!(!line.contains('\n'), "one line, not {line:?}");
    assert!(line.contains(&format!("plugin \"{}\"", report.id)), "{line:?} names {:?}", report.id);
    line
}

/// A schema with associations that lead to one record each, by collection and field.
#[derive(Default)]
struct Schema(BTreeMap<&'static str, Vec<(&'static str, &'static str)>>);

impl Schema {
    /// `posts` with a `category`, and `categories`.
    fn blog() -> Self {
        Self(BTreeMap::from([("posts", vec![("category", "categories")]), ("categories", vec![])]))
    }
}

impl SchemaView for Schema {
    fn has_data_source(&self, data_source: &str) -> bool {
        data_source == "main"
    }

    fn has_collection(&self, collection: &CollectionRef) -> bool {
        self.0.contains_key(collection.to_string().as_str())
    }

    fn association(&self, collection: &CollectionRef, field: &str) -> Option<Association> {
        let fields = self.0.get(collection.to_string().as_str())?;
        let (_, target) = fields.iter().find(|(name, _)| *name == field)?;
        Some(Association { target: CollectionRef::parse(target), cardinality: Cardinality::One })
    }
}
