//! A good plugin, called through its library: everything that crosses comes out as it went in.

use std::{panic, thread};

use host_demo::plugins::{HookAnswer, LoadedTrigger, PluginState, Plugins};
use plugin_api::{
    Action, ActionEvent, Association, AssociationPath, Button, CollectionRef, ErrorKind, ExecutionMode, Firing,
    Language, ManualData, Phase, Plan, PluginError, SchemaView, Skip, SkipReason, UserId, Workflow, WorkflowId,
};
use serde_json::{Value, json};

use super::{Schema, fixture, load};

fn trigger(plugins: &Plugins) -> &LoadedTrigger {
    plugins.trigger("fixture").expect("the fixture's trigger type")
}

fn workflow(id: i64, config: Value) -> Workflow<Value> {
    Workflow { id: WorkflowId(id), key: format!("key-{id}"), mode: ExecutionMode::Sync, config }
}

fn plan(
    plugins: &Plugins,
    action: Action,
    collection: &str,
    bindings: &str,
    schema: &dyn SchemaView,
) -> Vec<HookAnswer> {
    let collection = CollectionRef::parse(collection);
    let mut event = ActionEvent::new(Phase::After, action, &collection, schema);
    event.bindings = bindings;
    event.actor = Some(UserId(7));
    event.role = "member";
    plugins.plan(&event)
}

fn only_plan(answers: Vec<HookAnswer>) -> Plan {
    let [HookAnswer { plugin, result, .. }] = <[_; 1]>::try_from(answers).expect("one hook was asked");
    assert_eq!(&*plugin, "plugin-fixture");
    result.expect("a plan")
}

#[test]
fn a_trigger_type_describes_itself() {
    let plugins = load(vec![fixture()]);
    let report = &plugins.reports()[0];
    assert_eq!(report.state, PluginState::Loaded, "{report:?}");
    assert_eq!(report.api_version.as_deref(), Some("1.3.0"));
    assert!(report.rustc.as_deref().is_some_and(|rustc| rustc.starts_with("rustc 1.")), "{report:?}");

    let trigger = trigger(&plugins);
    assert_eq!(trigger.plugin(), "plugin-fixture");
    assert_eq!(trigger.info().title.get(Language::Dutch), "Testgebeurtenis");
    assert_eq!(trigger.info().binding.buttons, [Button::FormSubmit]);
    assert_eq!(trigger.info().binding.modes, [ExecutionMode::Async, ExecutionMode::Sync]);
    assert_eq!(trigger.config_schema()["required"], json!(["collection"]));
    assert_eq!(plugins.triggers().count(), 1);
    assert!(plugins.trigger("other").is_none());
}

#[test]
fn configurations_are_checked_against_the_hosts_schema() {
    let plugins = load(vec![fixture()]);
    let check = |config: Value, expected: Result<(), &str>| {
        let result = trigger(&plugins).validate(&config, &Schema::blog());
        assert_eq!(result, expected.map_err(PluginError::invalid), "for {config}");
    };
    check(json!({"collection": "posts"}), Ok(()));
    check(json!({"collection": "tags"}), Err("no such collection"));
    check(json!({"collection": "erp:posts"}), Err("no such data source"));
    check(json!({}), Err("the configuration does not fit: missing field `collection` at line 1 column 2"));
}

#[test]
fn a_hook_is_asked_while_workflows_wait() {
    let plugins = load(vec![fixture()]);
    let posts = CollectionRef::parse("posts");
    let waits = || plugins.waits_for(Phase::After, Action::Create, &posts, false);
    assert!(!waits(), "nothing is enabled yet");

    trigger(&plugins).enable(&workflow(1, json!({"collection": "posts"}))).expect("enables");
    trigger(&plugins).enable(&workflow(2, json!({"collection": "posts", "field": "category"}))).expect("enables");
    trigger(&plugins).enable(&workflow(3, json!({"collection": "posts", "field": "author"}))).expect("enables");
    assert!(waits());
    assert!(!plugins.waits_for(Phase::Before, Action::Create, &posts, false));
    assert!(!plugins.waits_for(Phase::After, Action::Create, &CollectionRef::parse("tags"), true));

    let firing =
        |id, path| Firing { path: AssociationPath::parse(path), ..Firing::new(WorkflowId(id), ExecutionMode::Sync) };
    let plan_of_create = only_plan(plan(&plugins, Action::Create, "posts", "", &Schema::blog()));
    assert_eq!(plan_of_create.firings, [firing(1, ""), firing(2, "category")]);
    let unknown = |key: &str, path, reason| Skip { key: key.into(), path: AssociationPath::parse(path), reason };
    assert_eq!(plan_of_create.skips, [unknown("key-3", "author", SkipReason::UnknownPath)]);

    // The workflows wait for creates; the hook itself waits for bound updates everywhere.
    assert!(plan(&plugins, Action::Update, "posts", "", &Schema::blog()).is_empty());
    let bound = only_plan(plan(&plugins, Action::Update, "tags", "a!b.c", &Schema::blog()));
    assert_eq!(bound, Plan { firings: vec![], skips: vec![unknown("a", "b.c", SkipReason::NotEnabled)] });

    for id in 1..=3 {
        trigger(&plugins).disable(WorkflowId(id));
    }
    assert!(!waits(), "nothing is enabled any more");
    assert!(plan(&plugins, Action::Create, "posts", "", &Schema::blog()).is_empty());
}

#[test]
fn a_workflow_that_is_refused_no_longer_waits() {
    let plugins = load(vec![fixture()]);
    let posts = CollectionRef::parse("posts");
    trigger(&plugins).enable(&workflow(1, json!({"collection": "posts"}))).expect("enables");
    let error = trigger(&plugins).enable(&workflow(1, json!({"collection": 7}))).expect_err("a number is no name");
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert!(!plugins.waits_for(Phase::After, Action::Create, &posts, false));
}

#[test]
fn manual_input_is_read_by_the_plugin() {
    let plugins = load(vec![fixture()]);
    let config = json!({"collection": "posts"});
    let input = json!({"userId": 9_007_199_254_740_991_i64, "data": {"title": "Ünïcödé"}});
    let run = trigger(&plugins).manual(&config, &input).expect("a run");
    assert_eq!((run.data, run.user, run.role), (ManualData::Given(input), UserId(9_007_199_254_740_991), None));
    let error = trigger(&plugins).manual(&config, &json!({})).expect_err("no user");
    assert_eq!(error, PluginError::invalid("userId is missing"));
}

/// A schema with a fault of its own.
struct Broken;

impl SchemaView for Broken {
    fn has_data_source(&self, _: &str) -> bool {
        panic!("the host's own mistake")
    }

    fn has_collection(&self, _: &CollectionRef) -> bool {
        true
    }

    fn association(&self, _: &CollectionRef, _: &str) -> Option<Association> {
        panic!("the host's own mistake")
    }
}

#[test]
fn a_panic_of_the_host_inside_a_plugins_call_ends_that_call_alone() {
    let plugins = load(vec![fixture()]);
    let fault = PluginError::fault("panicked in the host's schema: the host's own mistake");
    let config = json!({"collection": "posts", "field": "category"});
    let validated = panic::catch_unwind(panic::AssertUnwindSafe(|| trigger(&plugins).validate(&config, &Broken)));
    assert_eq!(validated.expect("contained"), Err(fault.clone()));

    trigger(&plugins).enable(&workflow(1, config)).expect("enables");
    let answers = plan(&plugins, Action::Create, "posts", "", &Broken);
    assert_eq!(answers[0].result, Err(fault));
    assert_eq!(only_plan(plan(&plugins, Action::Create, "posts", "", &Schema::blog())).firings.len(), 1);
}

#[test]
fn calls_come_from_many_threads() {
    let plugins = load(vec![fixture()]);
    let (collections, rounds) = (8, 50);
    let config = |number: i64| json!({"collection": format!("c{number}")});
    thread::scope(|scope| {
        for number in 0..collections {
            let plugins = &plugins;
            scope.spawn(move || {
                let collection = CollectionRef::new("main", format!("c{number}"));
                let waits = || plugins.waits_for(Phase::After, Action::Create, &collection, false);
                for _ in 0..rounds {
                    trigger(plugins).enable(&workflow(number, config(number))).expect("enables");
                    assert!(waits());
                    let plan = only_plan(plan(plugins, Action::Create, &collection.to_string(), "", &Schema::blog()));
                    assert_eq!(plan.firings.len(), 1, "its own workflow, and nobody else's");
                    trigger(plugins).disable(WorkflowId(number));
                    assert!(!waits());
                }
            });
        }
    });
}
