//! Many plugins at once: the post-action event, and copies of a fixture that hears of every new record of one collection.

use std::{env, fs, hint::black_box, path::Path};

use criterion::{BenchmarkId, Criterion};
use host_demo::plugins::{CollectionName, Manifest, ManifestEntry, PluginManager, PluginState, Plugins};
use plugin_api::{Action, ActionEvent, CollectionRef, Phase, schema::MAIN_DATA_SOURCE};
use tempfile::TempDir;

use crate::Blog;

/// How many plugins are loaded.
const PLUGINS: [usize; 4] = [0, 1, 4, 16];

/// The id of the fixture, as it stands in its library.
const ID: &[u8] = b"plugin-silent-00";

/// So many plugins, the first of them the post-action event; the folder holds the copies.
fn plugins(count: usize) -> (Plugins, TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut entries = Vec::new();
    if count > 0 {
        entries.push(ManifestEntry::new("workflow-action-trigger", "plugin_workflow_action_trigger"));
    }
    entries.extend((1..count).map(|number| copy(folder.path(), number)));
    let plugins = Plugins::load(&Manifest { plugins: entries }).expect("the plugins are optional");
    for report in plugins.reports() {
        assert_eq!(report.state, PluginState::Loaded, "{:?}", report.error);
    }
    assert_eq!(plugins.reports().len(), count);
    (plugins, folder)
}

/// Copies the fixture's library under an id of its own.
fn copy(folder: &Path, number: usize) -> ManifestEntry {
    let executable = env::current_exe().expect("this program");
    let deps = executable.parent().expect("a folder");
    let original = deps.join(format!("{}plugin_silent{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX));
    let mut library = fs::read(&original).expect("cargo has built the fixture");
    let id = format!("plugin-silent-{number:02}");
    let places: Vec<usize> = library.windows(ID.len()).enumerate().filter(|(_, it)| *it == ID).map(|it| it.0).collect();
    assert!(!places.is_empty(), "the id stands in {}", original.display());
    for place in places {
        library[place..place + ID.len()].copy_from_slice(id.as_bytes());
    }
    let path = folder.join(&id);
    fs::write(&path, library).expect("the copy is written");
    ManifestEntry::new(&id, path)
}

/// What the host asks about an action that creates a record: before it, for what follows it, and at the change itself.
fn waits(manager: &PluginManager, collection: &str) -> bool {
    let watched = CollectionName::new(MAIN_DATA_SOURCE, collection);
    let plugins = manager.current();
    plugins.waits_for(Phase::Before, Action::Create, watched, false)
        || plugins.waits_for(Phase::After, Action::Create, watched, false)
        || manager.current().waits_for(Phase::Changed, Action::Create, watched, false)
}

/// An action that no plugin waits for.
pub(crate) fn unasked(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("plugins_unasked");
    for count in PLUGINS {
        let (plugins, _folder) = plugins(count);
        let manager = PluginManager::new(plugins, None);
        assert!(!waits(&manager, "posts"), "a create without bindings starts nothing there");
        assert_eq!(waits(&manager, "watched"), count > 1, "the fixtures wait elsewhere");
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| waits(&manager, black_box("posts")));
        });
    }
    group.finish();
}

/// An action that each of the copies is asked about, and the limit: as many calls across a boundary of languages that do nothing.
pub(crate) fn asked(criterion: &mut Criterion) {
    let collection = CollectionRef::parse("watched");
    let event = ActionEvent::new(Phase::After, Action::Create, &collection, &Blog);
    let mut group = criterion.benchmark_group("plugins_asked");
    for count in PLUGINS {
        let (plugins, _folder) = plugins(count + 1);
        let answers = plugins.plan(&event);
        assert_eq!(answers.len(), count, "each copy is asked, the post-action event is not");
        assert!(answers.iter().all(|answer| answer.result.as_ref().is_ok_and(|plan| plan.firings.is_empty())));
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| plugins.plan(black_box(&event)));
        });
    }
    group.finish();
    let mut group = criterion.benchmark_group("plugins_empty_call");
    for count in PLUGINS {
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| {
                for number in 0..count {
                    black_box(black_box(empty as Empty)(black_box(number)));
                }
            });
        });
    }
    group.finish();
}

type Empty = extern "C" fn(usize) -> usize;

#[inline(never)]
extern "C" fn empty(number: usize) -> usize {
    number
}
