//! A library whose answers are not what the types of plugin-api would say: each is an error of its call.

use host_demo::plugins::{ManifestEntry, PluginState, Plugins};
use plugin_api::{
    Action, ActionEvent, CollectionRef, ErrorKind, ExecutionMode, Phase, PluginError, Progress, RouteRequest, Workflow,
    WorkflowId,
};
use serde_json::{Value, json};

use super::{Schema, failure, fixture, library, load};

/// Loads the library, beside a good one, with a text that answers one of the calls.
fn answering(call: &str, answer: &str) -> Plugins {
    let settings = toml::Table::from_iter([(call.to_owned(), toml::Value::from(answer))]);
    load(vec![
        ManifestEntry { settings, ..ManifestEntry::new("fixture-garbage", library("fixture_garbage")) },
        fixture(),
    ])
}

const GARBAGE: [&str; 6] =
    ["", "no JSON", "null", "7", "[{}]", "{\"id\": [], \"firings\": 1, \"data\": {}, \"phase\": 2}"];

#[test]
fn while_it_loads() {
    for garbage in GARBAGE {
        let plugins = answering("info", garbage);
        let line = failure(&plugins.reports()[0]);
        assert!(line.contains("failed to start: the trigger's description cannot be read"), "{garbage:?}: {line}");
        assert_eq!(plugins.reports()[1].state, PluginState::Loaded, "the other plugin goes on");
        let line = failure(&answering("node_info", garbage).reports()[0]);
        assert!(line.contains("failed to start: the node's description cannot be read"), "{garbage:?}: {line}");

        let hookless = answering("interests", garbage);
        let report = &hookless.reports()[0];
        assert_eq!((report.state, report.hooks.len()), (PluginState::Loaded, 0), "interests {garbage:?}: {report:?}");
    }
}

#[test]
fn in_a_call() {
    let fault = |result: Result<(), PluginError>, garbage: &str| {
        let error = result.expect_err(garbage);
        assert!(error.kind == ErrorKind::Fault && error.message.contains("cannot be read"), "{garbage:?}: {error:?}");
    };
    let deep = "[".repeat(100_000);
    for garbage in GARBAGE.into_iter().chain([deep.as_str()]) {
        let plugins = answering("enable", garbage);
        let workflow =
            Workflow::<Value> { id: WorkflowId(1), key: "key".into(), mode: ExecutionMode::Sync, config: json!({}) };
        fault(plugins.trigger("garbage").expect("the trigger type").enable(&workflow), garbage);

        let plugins = answering("manual", garbage);
        fault(plugins.trigger("garbage").expect("the trigger type").manual(&json!({}), &json!({})).map(drop), garbage);

        let plugins = answering("plan", garbage);
        let (posts, schema) = (CollectionRef::parse("posts"), Schema::blog());
        let mut answers = plugins.plan(&ActionEvent::new(Phase::After, Action::Create, &posts, &schema));
        let plan = answers.remove(0).result.map(drop);
        // No text is a plan without entries.
        if garbage.is_empty() { assert_eq!(plan, Ok(())) } else { fault(plan, garbage) }
    }
}

#[test]
fn in_a_call_of_a_node_type_or_a_route() {
    let (config, request) = (json!({}), RouteRequest::new("POST", "a"));
    let good = answering("nothing", "");
    let node = good.node("garbage").expect("the node type");
    assert!(node.people(&config).is_ok() && node.step(&config, &Progress::default()).is_ok());
    assert!(good.answer("garbage", &request).is_some_and(|verdict| verdict.result.is_ok()));
    for garbage in GARBAGE {
        let fault = |call: &str, error: PluginError| {
            assert!(
                error.kind == ErrorKind::Fault && error.message.contains("cannot be read"),
                "{call} {garbage:?}: {error:?}"
            );
        };
        let step = answering("step", garbage);
        let node = step.node("garbage").expect("the node type");
        fault("step", node.step(&config, &Progress::default()).expect_err(garbage));
        assert_eq!(step.status()[0].faults, 1);
        let verdict = answering("answer", garbage).answer("garbage", &request).expect("the route");
        fault("answer", verdict.result.expect_err(garbage));
    }
    // Without members it means nobody: what is missing has a default.
    for garbage in ["", "no JSON", "null", "7"] {
        let error = answering("people", garbage).node("garbage").expect("the node type").people(&config);
        assert_eq!(error.expect_err(garbage).kind, ErrorKind::Fault, "people {garbage:?}");
    }
}

#[test]
fn errors_of_a_kind_that_nobody_knows_are_faults() {
    let plugins = answering("validate", "as I please");
    let trigger = plugins.trigger("garbage").expect("the trigger type");
    assert_eq!(trigger.validate(&json!({}), &Schema::blog()), Err(PluginError::fault("as I please")));
}
