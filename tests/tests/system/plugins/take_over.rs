//! One version of a plugin takes over from another while requests come in.

use std::{
    collections::BTreeSet,
    fs,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

use futures::future::join_all;
use serde_json::{Value, json};

use super::{
    library,
    versioned::{NEXT, OLD, Versioned},
};
use crate::harness::{Client, eventually};

const CALLERS: usize = 4;
const TAKE_OVERS: usize = 24;

/// Whether an execution was decided by the later version: it hands over the record before, which a create has not.
fn by_next(execution: &Value) -> bool {
    execution["context"].as_object().expect("a context").contains_key("previous")
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_is_lost_or_doubled_or_refused() {
    let rig = Versioned::start("required = true").await;
    let workflow = rig.workflow("posts").await;
    let (done, asked) = (AtomicBool::new(false), AtomicUsize::new(0));

    let callers = join_all((0..CALLERS).map(async |caller| {
        let mut titles = Vec::new();
        while !done.load(Ordering::Relaxed) {
            let title = format!("{caller}-{}", titles.len());
            rig.create(&title, "").await.ok();
            asked.fetch_add(1, Ordering::Relaxed);
            titles.push(title);
        }
        titles
    }));
    let switches = async {
        let mut rounds = 0;
        while !done.load(Ordering::Relaxed) {
            switched_on_and_off(&rig).await;
            rounds += 1;
        }
        rounds
    };
    let take_overs = async {
        for round in 0..TAKE_OVERS {
            let before = asked.load(Ordering::Relaxed);
            let (library, version) = if round % 2 == 0 { (NEXT, "0.2.0") } else { (OLD, "0.1.0") };
            assert_eq!(rig.upgrade(library).await.ok()["version"], version);
            eventually("requests between two take-overs", async || {
                (asked.load(Ordering::Relaxed) > before).then_some(())
            })
            .await;
        }
        done.store(true, Ordering::Relaxed);
    };
    let (asked, rounds, ()) = tokio::join!(callers, switches, take_overs);

    let asked: BTreeSet<String> = asked.into_iter().flatten().collect();
    let fired = rig.titles(workflow).await;
    assert_eq!(fired.len(), asked.len(), "one execution for each request");
    assert_eq!(fired.into_iter().collect::<BTreeSet<_>>(), asked);
    assert!(asked.len() >= TAKE_OVERS && rounds > 0, "{} requests, {rounds} switches", asked.len());

    let executions = rig.blog.admin.list("executions", json!({"workflowId": workflow})).await;
    assert!(executions.iter().any(by_next) && !executions.iter().all(by_next), "both versions decided");
}

/// A workflow that is enabled, and then disabled, while plugins are swapped fires in between and not afterwards.
async fn switched_on_and_off(rig: &Versioned) {
    let workflow = rig.workflow("tags").await;
    let tag = async || rig.blog.admin.post("tags:create", json!({"name": "x"})).await.ok();
    tag().await;
    let off = format!("workflows:update?filterByTk={workflow}");
    rig.blog.admin.post(&off, json!({"enabled": false})).await.ok();
    tag().await;
    let executions = rig.blog.admin.list("executions", json!({"workflowId": workflow})).await;
    assert_eq!(executions.len(), 1, "while it was enabled");
}

#[tokio::test]
async fn a_version_that_fails_leaves_the_earlier_one_at_work() {
    let check = async |setting: &str, code: &str, expected: &str| {
        let rig = Versioned::start(&format!("settings = {{ {setting} = true }}")).await;
        let workflow = rig.workflow("posts").await;
        let manifest = rig.manifest();
        let refused = rig.upgrade(NEXT).await;
        assert_eq!((refused.status, refused.code()), (400, Some(code)), "{}", refused.body);
        assert!(refused.message().contains(expected), "{}", refused.body);
        assert_eq!(rig.state().await, (json!("loaded"), json!("0.1.0")));
        assert_eq!(rig.manifest(), manifest, "the manifest is as it was");
        rig.create("a", "").await.ok();
        assert_eq!(rig.titles(workflow).await, ["a"]);
    };
    check("refuseNext", "PLUGIN_NOT_LOADED", "plugin \"plugin-versioned\" failed to start: the settings say so").await;
    check("refuseWorkflowsNext", "WORKFLOW_NOT_TAKEN", "does not take the enabled workflow").await;
}

#[tokio::test]
async fn a_library_that_is_replaced_in_its_place_takes_over() {
    let rig = Versioned::start("").await;
    let folder = rig.host.manifest().with_file_name("");
    let file = folder.join("mine.so");
    fs::copy(library(OLD), &file).expect("copied");
    assert_eq!(rig.upgrade("./mine.so").await.ok()["version"], "0.1.0");
    assert!(rig.manifest().contains("library = \"./mine.so\" # the one that runs"), "{}", rig.manifest());
    let before = rig.details().await;

    fs::copy(library(NEXT), &file).expect("copied");
    let after = rig.act("upgrade", json!({})).await.ok();
    assert_eq!(after["version"], "0.2.0");
    assert_ne!(after["sha256"], before["sha256"]);

    // With the checksum of the file it goes through, with another it does not.
    let sha256 = after["sha256"].clone();
    assert_eq!(rig.act("upgrade", json!({"sha256": sha256})).await.ok()["version"], "0.2.0");
    let wrong = rig.act("upgrade", json!({"sha256": "00"})).await;
    assert_eq!((wrong.status, wrong.code()), (400, Some("PLUGIN_NOT_LOADED")));
    assert!(wrong.message().contains("has another checksum"), "{}", wrong.body);
    assert!(rig.manifest().contains(sha256.as_str().expect("text")), "{}", rig.manifest());
}

#[tokio::test]
async fn libraries_from_elsewhere_are_the_operators_choice() {
    let rig = Versioned::start("").await;
    let elsewhere = tempfile::tempdir().expect("a folder");
    let file = elsewhere.path().join("theirs.so");
    fs::copy(library(NEXT), &file).expect("copied");
    let path = file.to_str().expect("text");
    let refused = rig.upgrade(path).await;
    assert_eq!((refused.status, refused.code()), (400, Some("LIBRARY_OUT_OF_REACH")), "{}", refused.body);

    // Whoever may write the manifest may name it.
    let manifest = rig.manifest().replace(OLD, path);
    fs::write(rig.host.manifest(), manifest).expect("written");
    let all = rig.blog.admin.post("plugins:reload", json!({})).await.ok();
    assert_eq!(versions(&all).last(), Some(&"0.2.0"));
}

#[tokio::test]
async fn reload_does_what_the_manifest_says_or_nothing() {
    let rig = Versioned::start("").await;
    let reload = async |admin: &Client| admin.post("plugins:reload", json!({})).await;
    let manifest = rig.manifest();
    // A fault is forgotten when a plugin is loaded anew, and kept when it stays.
    rig.workflow("posts").await;
    rig.create("a", "error").await.ok();
    reload(&rig.blog.admin).await.ok();
    assert_eq!(rig.details().await["faults"], 1, "nothing changed, so it stayed");

    let broken = format!("{}\n[[plugin]]\nid = \"more\"\nlibrary = \"./gone.so\"\n", manifest.replace(OLD, NEXT));
    fs::write(rig.host.manifest(), broken).expect("written");
    let refused = reload(&rig.blog.admin).await;
    assert_eq!((refused.status, refused.code()), (400, Some("PLUGIN_NOT_LOADED")), "{}", refused.body);
    assert!(refused.message().contains("plugin \"more\" has no library at "), "{}", refused.body);
    assert_eq!(rig.state().await, (json!("loaded"), json!("0.1.0")), "none of it was done");

    fs::write(rig.host.manifest(), "[[plugin]]\nid = 7\n").expect("written");
    let refused = reload(&rig.blog.admin).await;
    assert_eq!((refused.status, refused.code()), (500, Some("MANIFEST_UNUSABLE")), "{}", refused.body);
    assert!(refused.message().contains("line 2: "), "{}", refused.body);

    fs::write(rig.host.manifest(), manifest.replace(OLD, NEXT)).expect("written");
    assert_eq!(versions(&reload(&rig.blog.admin).await.ok()).last(), Some(&"0.2.0"));
    assert_eq!(rig.details().await["faults"], 0, "it is another plugin now");

    let (kept, _) = manifest.split_once("# In two versions.").expect("two entries");
    fs::write(rig.host.manifest(), kept).expect("written");
    let gone = rig.act("reload", json!({})).await;
    assert_eq!((gone.status, gone.code()), (404, Some("UNKNOWN_PLUGIN")), "it went with its entry");
    let left = rig.blog.admin.get("plugins:list").await.ok();
    assert!(left.as_array().expect("a list").iter().all(|report| report["id"] != "plugin-versioned"), "{left:#}");
}

#[tokio::test]
async fn a_plugin_that_never_loaded_keeps_no_other_from_changing() {
    let rig = Versioned::start("\n[[plugin]]\nid = \"broken\"\nlibrary = \"./gone.so\"").await;
    fs::write(rig.host.manifest(), rig.manifest().replace(OLD, NEXT)).expect("written");
    let all = rig.blog.admin.post("plugins:reload", json!({})).await.ok();
    let [.., versioned, broken] = all.as_array().expect("a list").as_slice() else { panic!("{all:#}") };
    assert_eq!((&versioned["version"], &broken["state"]), (&json!("0.2.0"), &json!("failed")), "{all:#}");
    let refused = rig.blog.admin.post("plugins:enable?filterByTk=broken", json!({})).await;
    assert_eq!((refused.status, refused.code()), (400, Some("PLUGIN_NOT_LOADED")), "{}", refused.body);
}

fn versions(reports: &Value) -> Vec<&str> {
    let reports = reports.as_array().expect("a list").iter();
    reports.map(|report| report["version"].as_str().expect("a version")).collect()
}
