//! What plugins register is admitted as a whole or not at all.

use host_demo::plugins::{Manifest, ManifestEntry, PluginState, Plugins};
use plugin_api::{Action, CollectionRef, Phase, Service};

use super::{failure, fixture, library, load};

fn duplicate() -> ManifestEntry {
    ManifestEntry::new("plugin-duplicate", library("plugin_duplicate"))
}

fn with_settings(entry: ManifestEntry, settings: &str) -> ManifestEntry {
    ManifestEntry { settings: settings.parse().expect("TOML"), ..entry }
}

#[test]
fn a_trigger_type_belongs_to_one_plugin() {
    let plugins = load(vec![fixture(), duplicate()]);
    assert_eq!(
        failure(&plugins.reports()[1]),
        "plugin \"plugin-duplicate\" offers the trigger type \"fixture\", which plugin \"plugin-fixture\" offers \
         already: switch one of the two off"
    );
    assert_eq!(plugins.trigger("fixture").expect("the first one's").plugin(), "plugin-fixture");
    // Nothing of the refused plugin is left behind.
    assert!(plugins.trigger("only-here").is_none());
    let posts = CollectionRef::parse("posts");
    assert!(!plugins.waits_for(Phase::Before, Action::Destroy, &posts, false));

    let alone = load(vec![duplicate()]);
    assert_eq!(alone.reports()[0].state, PluginState::Loaded);
    assert!(alone.trigger("only-here").is_some());
    assert!(alone.waits_for(Phase::Before, Action::Destroy, &posts, false));
}

#[test]
fn an_id_belongs_to_one_plugin() {
    let manifest = Manifest { plugins: vec![fixture(), ManifestEntry::new("plugin-fixture", "elsewhere")] };
    let error = Plugins::load(&manifest).err().expect("the id is there twice").to_string();
    let first = library("plugin_fixture");
    assert_eq!(
        error,
        format!(
            "plugin \"plugin-fixture\" is listed twice, as {} and as elsewhere: remove one of the two entries",
            first.display()
        )
    );
}

#[test]
fn the_manifest_and_the_library_agree_on_the_id() {
    let plugins = load(vec![ManifestEntry { id: "something-else".into(), ..fixture() }]);
    assert_eq!(
        failure(&plugins.reports()[0]),
        "plugin \"something-else\" calls itself \"plugin-fixture\": correct \"id\" or \"library\" in the manifest"
    );
    assert!(plugins.trigger("fixture").is_none());
}

#[test]
fn settings_are_checked() {
    let check = |settings: &str, expected: &str| {
        let plugins = load(vec![with_settings(fixture(), settings)]);
        assert_eq!(failure(&plugins.reports()[0]), format!("plugin \"plugin-fixture\" {expected}"));
        assert!(plugins.trigger("fixture").is_none());
    };
    check(
        "colour = 'red'",
        "does not accept its settings: Additional properties are not allowed ('colour' was unexpected); \
         correct them in the manifest",
    );
    check(
        "refuse = 7",
        "does not accept its settings: /refuse: 7 is not of types \"null\", \"string\"; correct them in the manifest",
    );
    check("refuse = 'no licence'", "failed to start: no licence");
}

#[test]
fn a_plugin_is_loaded_with_the_services_it_needs_or_not_at_all() {
    let listener = |grants: &[Service]| ManifestEntry {
        grants: grants.to_vec(),
        ..ManifestEntry::new("plugin-listener", library("plugin_listener"))
    };
    let check = |grants: &[Service], expected: &str| {
        let plugins = load(vec![listener(grants), fixture()]);
        assert_eq!(failure(&plugins.reports()[0]), format!("plugin \"plugin-listener\" needs the services {expected}"));
        assert!(plugins.trigger("listener").is_none() && plugins.trigger("fixture").is_some());
    };
    let all = "add grants = [\"records\", \"workflows\"] to its entry in the manifest";
    check(&[], &format!("records, workflows: if it may have them, {all}"));
    check(&[Service::Records], &format!("workflows: if it may have them, {all}"));
    let plugins = load(vec![listener(&Service::ALL)]);
    assert_eq!(plugins.reports()[0].state, PluginState::Loaded, "{:?}", plugins.reports()[0]);
}

#[test]
fn what_a_plugin_offers_has_to_be_granted() {
    let entry = |id: &str, name: &str| ManifestEntry::new(id, library(name));
    let webhook = entry("workflow-webhook-trigger", "plugin_workflow_webhook_trigger");
    let clock = with_settings(entry("plugin-misbehaving", "plugin_misbehaving"), "clock_fails_while = \"/nowhere\"");
    let plugins = load(vec![webhook.clone(), clock.clone(), fixture()]);
    let lines: Vec<String> = plugins.reports()[..2].iter().map(|report| failure(report).to_owned()).collect();
    assert_eq!(
        lines,
        [
            "plugin \"workflow-webhook-trigger\" needs the services routes: if it may have them, add grants = [\"routes\"] to \
             its entry in the manifest",
            // It does not say what it needs.
            "plugin \"plugin-misbehaving\" offers a clock for \"misbehaving\": if it may, add grants = [\"clock\"] to its \
             entry in the manifest",
        ]
    );
    assert!(!plugins.has_route("webhooks") && !plugins.has_clock("misbehaving"));
    assert!(plugins.trigger("misbehaving").is_none() && plugins.trigger("fixture").is_some());

    let granted = |entry: ManifestEntry, service| ManifestEntry { grants: vec![service], ..entry };
    let plugins = load(vec![granted(webhook, Service::Routes), granted(clock, Service::Clock)]);
    assert!(plugins.has_route("webhooks") && plugins.has_clock("misbehaving"));
    let reports = plugins.reports();
    assert_eq!(
        (&*reports[0].routes, &*reports[1].clocks),
        (&["webhooks".to_owned()][..], &["misbehaving".to_owned()][..])
    );
}

#[test]
fn a_trigger_type_is_offered_once() {
    let entry = ManifestEntry::new("plugin-misbehaving", library("plugin_misbehaving"));
    let plugins = load(vec![with_settings(entry, "offers_twice = true"), fixture()]);
    assert!(failure(&plugins.reports()[0]).contains("offers the trigger type \"misbehaving\", which plugin"));
    assert!(plugins.trigger("misbehaving").is_none() && plugins.trigger("fixture").is_some());
}

#[test]
fn a_plugin_that_is_switched_off_is_not_looked_at() {
    let plugins =
        load(vec![ManifestEntry { enabled: false, required: true, ..ManifestEntry::new("off", "/nowhere/at-all.so") }]);
    let report = &plugins.reports()[0];
    assert_eq!((report.state, &report.error), (PluginState::Disabled, &None));
}

#[test]
fn a_bare_name_is_found_near_the_executable() {
    let near = load(vec![ManifestEntry::new("plugin-fixture", "plugin_fixture")]);
    assert_eq!(near.reports()[0].state, PluginState::Loaded, "{:?}", near.reports()[0]);
    let nowhere = load(vec![ManifestEntry::new("bad", "plugin_nowhere")]);
    let line = failure(&nowhere.reports()[0]);
    assert!(line.contains("has no library at ") && line.contains("plugin_nowhere"), "{line}");
}

#[test]
fn the_same_library_can_be_loaded_many_times() {
    let loaded: Vec<Plugins> = (0..5).map(|_| load(vec![fixture()])).collect();
    assert!(loaded.iter().all(|plugins| plugins.trigger("fixture").is_some()));
}
