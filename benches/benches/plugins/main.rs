//! What plugins cost an action: nothing that grows with the number of enabled workflows, and nothing that grows with the number
//! of plugins that do not wait for it.
//!
//! Everything goes through real libraries, as the server loads them: that of the post-action event here, many at once in `many`.

mod many;

use std::{collections::BTreeSet, hint::black_box};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use host_demo::plugins::{Manifest, ManifestEntry, PluginManager, PluginState, Plugins};
use plugin_api::{
    Action, ActionEvent, Association, Cardinality, CollectionRef, ExecutionMode, Phase, SchemaView, Workflow,
    WorkflowId,
};
use serde_json::json;

/// How many workflows are enabled.
const WORKFLOWS: [i64; 3] = [10, 1_000, 100_000];
/// How many collections they are about.
const COLLECTIONS: i64 = 100;

/// Posts have a category.
struct Blog;

impl SchemaView for Blog {
    fn has_data_source(&self, data_source: &str) -> bool {
        data_source == "main"
    }

    fn has_collection(&self, _: &CollectionRef) -> bool {
        true
    }

    fn association(&self, _: &CollectionRef, field: &str) -> Option<Association> {
        (field == "category")
            .then(|| Association { target: CollectionRef::parse("collection1"), cardinality: Cardinality::One })
    }
}

/// The plugin with so many enabled workflows, spread over the collections; one is global, on `collection0`.
fn plugins(workflows: i64) -> Plugins {
    let library = ManifestEntry::new("workflow-action-trigger", "plugin_workflow_action_trigger");
    let plugins = Plugins::load(&Manifest { plugins: vec![library] }).expect("the plugin is optional");
    assert_eq!(plugins.reports()[0].state, PluginState::Loaded, "{:?}", plugins.reports()[0].error);
    let trigger = plugins.trigger("action").expect("the post-action event");
    for number in 0..workflows {
        let global = number == 0;
        let config = json!({
            "collection": format!("collection{}", number % COLLECTIONS),
            "global": global,
            "actions": if global { vec!["create"] } else { vec![] },
        });
        let (id, key, mode) = (WorkflowId(number), format!("workflow{number}"), ExecutionMode::Async);
        trigger.enable(&Workflow { id, key, mode, config }).expect("the workflow is taken");
    }
    plugins
}

fn event<'a>(collection: &'a CollectionRef, bindings: &'a str) -> ActionEvent<'a> {
    let mut event = ActionEvent::new(Phase::After, Action::Create, collection, &Blog);
    event.bindings = bindings;
    event
}

/// Which workflows an action starts; asserted before it is measured.
fn fired(plugins: &Plugins, event: &ActionEvent<'_>) -> BTreeSet<i64> {
    let answers = plugins.plan(event).into_iter();
    let plans = answers.map(|answer| answer.result.expect("a plan"));
    plans.flat_map(|plan| plan.firings).map(|firing| firing.workflow.0).collect()
}

fn nobody_waits(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("plugins/nobody waits");
    for workflows in WORKFLOWS {
        let manager = PluginManager::new(plugins(workflows), None);
        let collection = CollectionRef::parse("collection1");
        // As a request does: it takes the snapshot of the moment, and asks that.
        let waits = || manager.current().waits_for(Phase::After, Action::Create, black_box(&collection), false);
        assert!(!waits(), "a create without bindings starts nothing there");
        group.bench_function(BenchmarkId::from_parameter(workflows), |bencher| bencher.iter(waits));
    }
    group.finish();
}

fn matching(criterion: &mut Criterion) {
    let cases = [
        ("global", "collection0", "", BTreeSet::from([0])),
        ("bound", "collection5", "workflow5", BTreeSet::from([5])),
        ("bound over an association", "collection5", "workflow1!category", BTreeSet::from([1])),
        ("bound to unknown keys", "collection5", "nothing,neither", BTreeSet::new()),
    ];
    for workflows in WORKFLOWS {
        let plugins = plugins(workflows);
        for (name, collection, bindings, expected) in &cases {
            let collection = CollectionRef::parse(collection);
            let event = event(&collection, bindings);
            assert_eq!(fired(&plugins, &event), *expected, "{name} with {workflows} workflows");
            let mut group = criterion.benchmark_group(format!("plugins/plan, {name}"));
            group.bench_function(BenchmarkId::from_parameter(workflows), |bencher| {
                bencher.iter(|| plugins.plan(black_box(&event)));
            });
            group.finish();
        }
    }
}

criterion_group!(benches, nobody_waits, matching, many::unasked, many::asked);
criterion_main!(benches);
