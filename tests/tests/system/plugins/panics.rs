//! A plugin that panics: its call fails, the host and the other plugins do not.

use std::panic;

use host_demo::plugins::{ManifestEntry, PluginState, Plugins};
use plugin_api::{Action, ActionEvent, CollectionRef, ExecutionMode, Phase, Plan, PluginError, Workflow, WorkflowId};
use serde_json::{Value, json};

use super::{Schema, failure, fixture, library, load};

fn panicking(place: &str) -> ManifestEntry {
    let settings = format!("panics = ['{place}']").parse().expect("TOML");
    ManifestEntry { settings, ..ManifestEntry::new("plugin-misbehaving", library("plugin_misbehaving")) }
}

/// What each kind of call answers when the plugin panics at a place.
#[derive(Debug, PartialEq)]
struct Outcomes {
    validate: Result<(), PluginError>,
    enable: Result<(), PluginError>,
    manual: Result<(), PluginError>,
    plan: Result<Plan, PluginError>,
}

fn use_everything(plugins: &Plugins) -> Outcomes {
    let trigger = plugins.trigger("misbehaving").expect("the trigger type");
    let config = json!({});
    let workflow =
        Workflow::<Value> { id: WorkflowId(1), key: "key".into(), mode: ExecutionMode::Sync, config: config.clone() };
    let (collection, schema) = (CollectionRef::parse("posts"), Schema::blog());
    let validate = trigger.validate(&config, &schema);
    let enable = trigger.enable(&workflow);
    let mut answers = plugins.plan(&ActionEvent::new(Phase::After, Action::Create, &collection, &schema));
    let manual = trigger.manual(&config, &json!({})).map(|_| ());
    trigger.disable(WorkflowId(1));
    assert_eq!(answers.len(), 1);
    Outcomes { validate, enable, manual, plan: answers.remove(0).result }
}

#[test]
fn in_a_call() {
    let check = |place: &str, call: &str, told: &str| {
        let plugins = load(vec![panicking(place), fixture()]);
        let fault = PluginError::fault(format!("panicked in {call}: as told in {told}"));
        let outcomes = use_everything(&plugins);
        let expected = Outcomes {
            validate: if place == "validate" { Err(fault.clone()) } else { Ok(()) },
            enable: if place == "enable" { Err(fault.clone()) } else { Ok(()) },
            manual: if place == "manual" { Err(fault.clone()) } else { Ok(()) },
            plan: if place == "plan" { Err(fault) } else { Ok(Plan::default()) },
        };
        assert_eq!(outcomes, expected, "with a panic in {place}");
        assert_eq!(use_everything(&plugins), expected, "a second time");
        assert!(plugins.trigger("fixture").is_some(), "the other plugin goes on");
    };
    check("validate", "validate", "Validate");
    check("enable", "enable", "Enable");
    check("manual", "manual", "Manual");
    check("plan", "plan", "Plan");
    check("disable", "disable", "Disable");
}

#[test]
fn while_it_registers() {
    let check = |place: &str, expected: &str| {
        let plugins = load(vec![panicking(place), fixture()]);
        assert_eq!(
            failure(&plugins.reports()[0]),
            format!("plugin \"plugin-misbehaving\" failed to start: {expected}")
        );
        let posts = CollectionRef::parse("posts");
        assert!(!plugins.waits_for(Phase::After, Action::Create, &posts, false), "nothing of it is left behind");
        assert_eq!(plugins.reports()[1].state, PluginState::Loaded, "the other plugin goes on");
    };
    check("register", "panicked in register: as told in Register");
    check("info", "panicked in info: as told in Info");
}

#[test]
fn while_it_is_dropped() {
    for place in ["drop_trigger", "drop_hook"] {
        let plugins = load(vec![panicking(place), fixture()]);
        assert_eq!(plugins.reports()[0].state, PluginState::Loaded, "{place}");
        let dropped = panic::catch_unwind(panic::AssertUnwindSafe(|| drop(plugins)));
        assert!(dropped.is_ok(), "{place} is contained in the library");
    }
}
