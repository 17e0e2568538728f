//! `host-demo plugins …` on a manifest.

use std::{
    ffi::OsStr,
    fs,
    process::{Command, Output},
};

use serde_json::Value;

use super::library;

fn plugins<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Output {
    Command::new(env!("CARGO_BIN_EXE_host")).arg("plugins").args(arguments).output().expect("the command runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// Lists a manifest.
fn list(manifest: &str, more: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("plugin.toml");
    fs::write(&path, manifest).expect("the manifest is written");
    let arguments = ["list".as_ref(), "--manifest".as_ref(), path.as_os_str()];
    plugins(arguments.into_iter().chain(more.iter().map(OsStr::new)))
}

const ONE_OF_EACH: &str = r#"
[[plugin]]
id = "plugin-fixture"
library = "plugin_fixture"
required = true

[[plugin]]
id = "broken"
library = "./gone.so"

[[plugin]]
id = "off"
library = "plugin_off"
enabled = false
"#;

#[test]
fn list_shows_each_plugin() {
    let output = list(ONE_OF_EACH, &[]);
    let shown = text(&output.stdout);
    assert!(output.status.success(), "an optional plugin may fail\n{shown}");
    for line in [
        "plugin-fixture 0.1.0  loaded  required",
        "  trigger  fixture  \"Fixture event\"",
        "    buttons  form submit",
        "    modes    asynchronous, synchronous",
        "  hook     after update of any collection, if bound",
        "broken ?  failed",
        "off ?  disabled",
    ] {
        assert!(shown.lines().any(|found| found == line), "{line:?} in\n{shown}");
    }
    assert!(shown.contains("  error    plugin \"broken\" has no library at "), "{shown}");
}

#[test]
fn list_fails_with_a_required_plugin_and_still_shows_all() {
    let manifest = ONE_OF_EACH.replace("\"./gone.so\"", "\"./gone.so\"\nrequired = true");
    let output = list(&manifest, &[]);
    assert!(!output.status.success());
    let shown = text(&output.stdout);
    assert!(shown.contains("broken ?  failed  required\n"), "{shown}");
    assert!(shown.contains("off ?  disabled\n"), "those after it are shown too\n{shown}");
}

#[test]
fn list_speaks_json() {
    let output = list(ONE_OF_EACH, &["--json"]);
    let reports: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let state = |position: usize| (reports[position]["id"].clone(), reports[position]["state"].clone());
    assert_eq!(state(0), ("plugin-fixture".into(), "loaded".into()));
    assert_eq!(state(1), ("broken".into(), "failed".into()));
    assert_eq!(state(2), ("off".into(), "disabled".into()));
    assert_eq!(reports[0]["triggers"][0]["title"]["nl"], "Testgebeurtenis");
    assert_eq!(reports[0]["hooks"][0]["interests"][0]["when"], "bound");
}

#[test]
fn needs_and_grants_are_shown() {
    let entry = "[[plugin]]\nid = \"plugin-listener\"\nlibrary = \"plugin_listener\"\n";
    let granted = text(&list(&format!("{entry}grants = [\"records\", \"workflows\"]\n"), &[]).stdout);
    assert!(granted.contains("\n  needs    records, workflows\n  grants   records, workflows\n"), "{granted}");

    let missing = text(&list(entry, &[]).stdout);
    assert!(missing.contains("\n  needs    records, workflows\n") && !missing.contains("  grants   "), "{missing}");
    assert!(missing.contains("add grants = [\"records\", \"workflows\"] to its entry"), "{missing}");

    let checked = plugins(["check".as_ref(), library("plugin_listener").as_os_str()]);
    assert!(checked.status.success(), "what it needs is shown, and granted for the look");
    assert!(text(&checked.stdout).contains("\n  needs    records, workflows\n"), "{}", text(&checked.stdout));
}

#[test]
fn node_types_and_routes_are_shown() {
    let shown = |name: &str| {
        let checked = plugins(["check".as_ref(), library(name).as_os_str()]);
        assert!(checked.status.success());
        text(&checked.stdout)
    };
    let approval = shown("plugin_workflow_approval");
    let node = "\n  node     approval  \"Approval\"\n    branches 1 \"Approved\", 0 \"Rejected\", 2 \"Returned\"\n";
    assert!(approval.contains(node), "{approval}");
    let webhook = shown("plugin_workflow_webhook_trigger");
    assert!(webhook.contains("\n  route    /api/webhooks/…\n"), "{webhook}");
}

#[test]
fn list_refuses_a_broken_manifest() {
    let output = list("[[plugin]]\nid = 7\n", &[]);
    assert!(!output.status.success());
    let said = text(&output.stderr);
    assert!(said.contains("plugin.toml: line 2: "), "{said}");
}

#[test]
fn check_looks_at_one_library() {
    let good = plugins(["check".as_ref(), library("plugin_fixture").as_os_str()]);
    assert!(good.status.success());
    assert!(text(&good.stdout).starts_with("plugin-fixture 0.1.0  loaded\n"), "{}", text(&good.stdout));

    let bad = plugins(["check".as_ref(), library("fixture_major_two").as_os_str()]);
    assert!(!bad.status.success());
    let shown = text(&bad.stdout);
    assert!(shown.contains("was built with plugin-api 2.0.0, this host has 1.2.0"), "{shown}");
}

#[test]
fn check_takes_a_file_of_the_working_directory() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::copy(library("plugin_fixture"), folder.path().join("mine.so")).expect("copied");
    let output = Command::new(env!("CARGO_BIN_EXE_host"))
        .args(["plugins", "check", "--json", "mine.so"])
        .current_dir(folder.path())
        .output()
        .expect("the command runs");
    let reports: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(reports[0]["state"], "loaded", "{reports}");
    assert!(output.status.success());
}

/// Changes a manifest; answers whether that worked, what was said, and the manifest afterwards.
fn change(manifest: &str, arguments: &[&str]) -> (bool, String, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("plugin.toml");
    fs::write(&path, manifest).expect("the manifest is written");
    let output = plugins(arguments.iter().map(OsStr::new).chain(["--manifest".as_ref(), path.as_os_str()]));
    let said = text(&output.stdout) + &text(&output.stderr);
    (output.status.success(), said, fs::read_to_string(&path).expect("the manifest"))
}

#[test]
fn a_plugin_is_loaded_before_the_manifest_says_so() {
    let off = "# Ours.\n[[plugin]]\nid = \"plugin-fixture\"\nlibrary = \"plugin_fixture\"\nenabled = false # for now\n";
    let on = off.replace("false", "true");
    let (worked, said, manifest) = change(off, &["enable", "plugin-fixture"]);
    assert!(worked && said.starts_with("plugin-fixture 0.1.0  loaded\n"), "{said}");
    assert_eq!(manifest, on);
    let (worked, said, manifest) = change(&on, &["disable", "plugin-fixture"]);
    assert!(worked && said.starts_with("plugin-fixture ?  disabled\n"), "{said}");
    assert_eq!(manifest, off);

    let broken = off.replace("plugin_fixture", "fixture_major_two");
    let (worked, said, manifest) = change(&broken, &["enable", "plugin-fixture"]);
    assert!(!worked && said.contains("was built with plugin-api 2.0.0"), "{said}");
    assert_eq!(manifest, broken);

    let both = format!("{off}[[plugin]]\nid = \"plugin-duplicate\"\nlibrary = \"plugin_duplicate\"\n");
    let (worked, said, manifest) = change(&both, &["enable", "plugin-fixture"]);
    assert!(!worked && said.contains("offers the trigger type \"fixture\""), "{said}");
    assert_eq!(manifest, both);

    let (worked, said, _) = change(off, &["enable", "nobody"]);
    assert!(!worked && said.contains("the manifest lists no plugin \"nobody\""), "{said}");
}

#[test]
fn a_required_plugin_is_switched_off_by_force_only() {
    let required = "[[plugin]]\nid = \"broken\"\nlibrary = \"./gone.so\"\nrequired = true\n";
    let (worked, said, manifest) = change(required, &["disable", "broken"]);
    assert!(!worked && said.contains("plugin \"broken\" is required"), "{said}");
    assert_eq!(manifest, required);
    let (worked, said, manifest) = change(required, &["disable", "broken", "--force"]);
    assert!(worked, "a host that does not start because of it can be helped\n{said}");
    assert_eq!(manifest, format!("{required}enabled = false\n"));
}

#[test]
fn info_shows_everything() {
    let manifest = "[[plugin]]\nid = \"plugin-fixture\"\nlibrary = \"plugin_fixture\"\n";
    let (worked, shown, _) = change(manifest, &["info", "plugin-fixture"]);
    assert!(worked, "{shown}");
    for part in ["  sha256   ", "  breaker  5 faults in 60 s", "  settings {}", "  schema of fixture\n", "\"refuse\""] {
        assert!(shown.contains(part), "{part:?} in\n{shown}");
    }
}
