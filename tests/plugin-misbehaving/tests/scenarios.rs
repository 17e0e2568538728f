//! What the test kit does not let pass, as a host does not: in process, and through the library that a host loads.

use std::{fs, path::Path};

use plugin_api::{Action, ErrorKind, ExecutionMode, Service, TaskAction, UserId};
use plugin_misbehaving::Misbehaving;
use plugin_testkit::{
    Answer, NodeStart, PluginUnderTest, Schema, TestHost, TestMark, TestServices, UserAction, both_ways,
};
use serde_json::json;

both_ways!(
    plugin_misbehaving,
    Misbehaving: no_service_inside_a_call, no_service_that_is_not_granted, a_panic_is_a_fault,
    a_step_that_makes_no_sense_changes_nothing, a_clock_that_fails_settles_nothing,
    a_clock_that_makes_no_sense_settles_nothing,
);

/// The journal after a create, by a plugin that calls every service while it registers, plans and enables a workflow.
fn journal(plugin: PluginUnderTest, grants: Vec<Service>) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("journal");
    let services = TestServices::new();
    let settings = json!({"journal": file, "calls": ["register", "enable", "plan"]});
    let plugin = plugin.with_settings(settings).with_services(&services).with_grants(grants);
    let mut host = TestHost::new(plugin, Schema::default().collection("posts", []));
    host.enable("a", "misbehaving", ExecutionMode::Async, json!({})).expect("enables");
    host.act(&UserAction::new(Action::Create, "posts")).expect("a decision");
    assert_eq!(services.calls(), []);
    fs::read_to_string(file).expect("a journal")
}

fn no_service_inside_a_call(plugin: PluginUnderTest) {
    let journal = journal(plugin, Service::ALL.to_vec());
    let refused = "is for threads of the plugin's own: the host waits for this call";
    for place in ["Register", "Enable", "Plan"] {
        let lines: Vec<&str> = journal.lines().filter(|line| line.starts_with(place)).collect();
        assert_eq!(lines.len(), 3, "{journal}");
        assert!(lines.iter().all(|line| line.contains("Fault: ") && line.ends_with(refused)), "{journal}");
    }
}

fn no_service_that_is_not_granted(plugin: PluginUnderTest) {
    let journal = journal(plugin, vec![]);
    let refused = "is not granted to plugin \"plugin-misbehaving\"";
    assert!(!journal.is_empty() && journal.lines().all(|line| line.ends_with(refused)), "{journal}");
}

fn a_panic_is_a_fault(plugin: PluginUnderTest) {
    let plugin = plugin.with_settings(json!({"panics": ["enable"]}));
    let mut host = TestHost::new(plugin, Schema::default());
    let error = host.enable("a", "misbehaving", ExecutionMode::Async, json!({})).expect_err("it panics");
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Fault, "panicked in enable: as told in Enable"));
}

fn a_step_that_makes_no_sense_changes_nothing(plugin: PluginUnderTest) {
    let host = TestHost::new(plugin.with_settings(json!({"node": "wrong"})), Schema::default());
    let mut job = host.begin(&NodeStart::new("wrong", json!({"assignees": 7}))).expect("it begins");
    for (comment, expected) in
        [("panic", "panicked in step: as told in an answer"), ("wait", "the node waits, and nobody is asked")]
    {
        let error = job.answer(UserId(7), Answer::from(TaskAction::Approve).comment(comment)).expect_err(comment);
        assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Fault, expected));
        assert_eq!((job.asked(), job.end()), (vec![UserId(7)], None));
    }
    job.answer(UserId(7), TaskAction::Approve).expect("an answer");
    assert!(job.end().is_some());
}

/// A workflow that was enabled at the beginning of 1970, by a plugin whose clock says this, and panics while the file is there.
fn timed(plugin: PluginUnderTest, tells: &str, fails_while: &Path) -> (TestHost, TestMark) {
    let plugin = plugin.with_settings(json!({"clock_tells": tells, "clock_fails_while": fails_while}));
    let mut host = TestHost::new(plugin, Schema::default());
    let workflow = host.enable("a", "misbehaving", ExecutionMode::Async, json!({})).expect("enables");
    (host, TestMark::new(workflow, 0))
}

fn a_clock_that_fails_settles_nothing(plugin: PluginUnderTest) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("fails");
    let (host, mut mark) = timed(plugin, "now", &file);
    assert_eq!(host.pass_time(&mut mark, 2_500), Ok(vec![1_000, 2_000]));
    fs::write(&file, "").expect("written");
    let before = mark.clone();
    let error = host.pass_time(&mut mark, 9_500).expect_err("it panics");
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Fault, "panicked in due: as told in a clock"));
    assert_eq!(mark, before);
    fs::remove_file(&file).expect("removed");
    assert_eq!(host.due(&mut mark, 9_500), Ok(vec![9_500]));
    assert_eq!((mark.settled_ms, mark.runs, mark.next_ms), (9_500, 3, Some(10_500)));
}

fn a_clock_that_makes_no_sense_settles_nothing(plugin: PluginUnderTest) {
    let folder = tempfile::tempdir().expect("a folder");
    let elsewhere = "what it calls due is not what it was asked about";
    let past = "it wants to be asked again in the past";
    for (tells, expected) in
        [("settled", elsewhere), ("future", elsewhere), ("twice", elsewhere), ("asked_in_the_past", past)]
    {
        let (host, mut mark) = timed(plugin.clone(), tells, &folder.path().join("never"));
        let error = host.pass_time(&mut mark, 1_000_000).expect_err(tells);
        assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Fault, expected), "{tells}");
    }
    let (host, mut mark) = timed(plugin, "asked_forever", &folder.path().join("never"));
    let error = host.pass_time(&mut mark, 1_000_000).expect_err("it does not end");
    assert_eq!(error.message, "10000 questions, and there are more: let less time pass");
    assert_eq!(mark.next_ms, Some(10_000), "it is as far as it has come");
}
