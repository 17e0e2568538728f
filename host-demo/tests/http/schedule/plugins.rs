//! What becomes of schedules when their plugin goes, comes, or fails.

use serde_json::{Value, json};

use super::{HOUR, MANIFEST, START, Scene, at};
use crate::harness::eventually;

#[tokio::test]
async fn without_its_plugin_nothing_starts_and_what_was_missed_is_made_up_for() {
    let scene = Scene::set_up().await;
    let hourly = scene.schedule(json!({"startsOn": at(HOUR), "repeat": HOUR, "missed": "all"})).await;
    scene.clock.set(START + HOUR);
    assert_eq!(scene.dates(hourly, 1).await, [HOUR]);
    scene.root.post("plugins:disable/workflow-schedule-trigger", json!({})).await.data();
    scene.clock.set(START + 3 * HOUR);
    scene.root.post("plugins:enable/workflow-schedule-trigger", json!({})).await.data();
    assert_eq!(scene.dates(hourly, 3).await, [1, 2, 3].map(|hour| hour * HOUR));
    // Another copy of the plugin takes over.
    scene.root.post("plugins:reload/workflow-schedule-trigger", json!({})).await.data();
    scene.clock.set(START + 4 * HOUR);
    scene.settle().await;
    assert_eq!(scene.dates(hourly, 4).await, [1, 2, 3, 4].map(|hour| hour * HOUR));
}

#[tokio::test]
async fn a_plugin_that_fails_is_left_out_and_goes_on_where_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let fails = folder.path().join("fails");
    std::fs::write(&fails, "").expect("the file is written");
    let manifest = format!(
        "{MANIFEST}[[plugin]]\nid = \"plugin-misbehaving\"\nlibrary = \"plugin_misbehaving\"\ngrants = [\"clock\"]\n\
         breaker = {{ faults = 2, cooldown_seconds = 0 }}\nsettings = {{ clock_fails_while = {:?} }}\n",
        fails.display().to_string()
    );
    let scene = Scene::with_plugins(&manifest).await;
    let details = async || scene.root.get("plugins:get/plugin-misbehaving").await.data();
    let until = async |what: &str, holds: fn(&Value) -> bool| {
        eventually(what, async || Some(details().await).filter(&holds)).await
    };
    let other = scene.schedule(json!({"startsOn": at(HOUR), "repeat": HOUR, "missed": "all"})).await;
    let theirs = scene.workflow("misbehaving", json!({})).await;
    let told = until("a fault", |details| details["faults"] == 1).await;
    assert_eq!((&told["clocks"], &told["state"]), (&json!(["misbehaving"]), &json!("loaded")));
    scene.clock.set(START + HOUR);
    until("the plugin is out of service", |details| details["state"] == "suspended").await;
    scene.clock.set(START + 2 * HOUR);
    assert_eq!(scene.dates(other, 2).await, [HOUR, 2 * HOUR], "others go on");
    assert!(scene.contexts(theirs).await.is_empty());

    std::fs::remove_file(&fails).expect("the file is removed");
    scene.root.post("plugins:enable/plugin-misbehaving", json!({})).await.data();
    scene.clock.set(START + 3 * HOUR);
    assert_eq!(scene.dates(theirs, 1).await, [3 * HOUR]);
}
