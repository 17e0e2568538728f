//! What becomes of requests to a plugin's route while the plugin fails, or is replaced or disabled.

use std::{collections::BTreeSet, fs};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::versioned::{NEXT, OLD, Versioned};
use crate::harness::{Answer, Client, eventually};

/// A server with the plugin that comes in two versions, and a workflow that its route starts.
struct Scene {
    rig: Versioned,
    workflow: i64,
    stranger: Client,
    folder: TempDir,
}

impl Scene {
    async fn start(more: &str) -> Self {
        let rig = Versioned::start(more).await;
        let workflow = rig.workflow("posts").await;
        let stranger = Client::anonymous(rig.host.base_url());
        Self { rig, workflow, stranger, folder: tempfile::tempdir().expect("a folder") }
    }

    /// Sends a request; its body makes the plugin fail.
    async fn send(&self, body: &str) -> Answer {
        let request = self.stranger.request(Method::POST, &format!("versioned/{}", self.workflow));
        self.stranger.send(request.body(body.to_owned())).await
    }

    async fn unavailable(&self, body: &str) {
        let answer = self.send(body).await;
        assert_eq!((answer.status, answer.code()), (503, Some("PLUGIN_UNAVAILABLE")), "{}", answer.body);
    }

    /// Sends a request that waits in the plugin while something is done.
    async fn in_flight(&self, meanwhile: impl AsyncFnOnce()) -> Answer {
        let gate = self.folder.path().join("gate");
        let reached = gate.with_extension("reached");
        let (answer, ()) = tokio::join!(self.send(gate.to_str().expect("text")), async {
            eventually("the request is with the plugin", async || reached.exists().then_some(())).await;
            meanwhile().await;
            fs::write(&gate, "").expect("written");
        });
        answer
    }

    /// The versions of the plugin that started executions.
    async fn versions(&self) -> BTreeSet<String> {
        let executions = self.rig.blog.admin.list("executions", json!({"workflowId": self.workflow})).await;
        let version = |execution: &Value| execution["context"]["version"].as_str().expect("a version").to_owned();
        executions.iter().map(version).collect()
    }
}

#[tokio::test]
async fn a_route_out_of_service_says_so_until_somebody_enables_it() {
    let scene = Scene::start("breaker = { faults = 2, cooldown_seconds = 0 }").await;
    assert_eq!(scene.send("").await.status, 202);
    scene.unavailable("panic").await;
    scene.unavailable("error").await;
    assert_eq!(scene.rig.state().await.0, "suspended");
    scene.unavailable("").await;
    assert_eq!(scene.rig.details().await["faults"], 2, "it was not asked any more");

    assert_eq!(scene.rig.act("enable", json!({})).await.ok()["state"], "loaded");
    assert_eq!(scene.send("").await.status, 202);
    let executions = scene.rig.blog.admin.list("executions", json!({"workflowId": scene.workflow})).await;
    assert_eq!(executions.len(), 2, "those that were accepted");
}

#[tokio::test]
async fn a_route_out_of_service_is_tried_again_after_the_cool_down() {
    let scene = Scene::start("breaker = { faults = 1, cooldown_seconds = 1 }").await;
    scene.unavailable("error").await;
    // Until then requests are refused; the one that is the trial succeeds, and brings the plugin back.
    eventually("the trial", async || {
        let answer = scene.send("").await;
        assert!([202, 503].contains(&answer.status), "{}", answer.body);
        (answer.status == 202).then_some(())
    })
    .await;
    assert_eq!(scene.rig.state().await.0, "loaded");
    assert_eq!(scene.send("").await.status, 202);
}

#[tokio::test]
async fn a_request_ends_with_the_version_it_began_with() {
    let scene = Scene::start("").await;
    let answer = scene
        .in_flight(async || {
            fs::write(scene.rig.host.manifest(), scene.rig.manifest().replace(OLD, NEXT)).expect("written");
            assert_eq!(scene.rig.act("reload", json!({})).await.ok()["version"], "0.2.0");
            assert_eq!(scene.send("").await.status, 202, "the next one is answered at once");
            assert_eq!(scene.versions().await, BTreeSet::from(["0.2.0".to_owned()]));
        })
        .await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    assert_eq!(scene.versions().await, BTreeSet::from(["0.1.0".to_owned(), "0.2.0".to_owned()]));
    assert_eq!(scene.rig.details().await["faults"], 0, "the time it took counts for the earlier one");
}

#[tokio::test]
async fn a_request_that_is_under_way_outlives_its_route() {
    let scene = Scene::start("").await;
    let answer = scene
        .in_flight(async || {
            assert_eq!(scene.rig.act("disable", json!({})).await.ok()["state"], "disabled");
            assert_eq!(scene.send("").await.status, 404, "there is no such route any more");
        })
        .await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    assert_eq!(scene.versions().await, BTreeSet::from(["0.1.0".to_owned()]));
}
