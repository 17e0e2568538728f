//! A hook that goes wrong in another phase than after the action.

use std::{fs, path::PathBuf};

use serde_json::json;
use tempfile::TempDir;

use crate::harness::{
    Answer, Blog, Host, HostOptions, NewWorkflow, eventually, fixture::Workflow, process::BUILT_IN_PLUGINS,
};

/// A server with the misbehaving plugin before the built-in ones, and two workflows of the latter.
struct Scene {
    host: Host,
    blog: Blog,
    /// Starts with a post.
    made: Workflow,
    /// Starts when a post changes, and writes to the log.
    logging: Workflow,
    /// As long as it is there, the hook is wrong.
    wrong: PathBuf,
    _folder: TempDir,
}

impl Scene {
    async fn set_up(phase: &str, entry: &str, settings: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let wrong = folder.path().join("wrong");
        let manifest = format!(
            "[[plugin]]\nid = \"plugin-misbehaving\"\nlibrary = \"plugin_misbehaving\"\n{entry}\n[plugin.settings]\n\
             phase = \"{phase}\"\npanics_while = {wrong:?}\n{settings}\n{BUILT_IN_PLUGINS}"
        );
        let host = Host::start_with(HostOptions { manifest, ..HostOptions::default() }).await;
        let blog = Blog::set_up(host.admin().await).await;
        let made = blog.workflow(NewWorkflow::on("posts").global(&["create"])).await;
        let logging = blog.workflow(NewWorkflow::changes("posts", &["update"]).logs("changed")).await;
        Self { host, blog, made, logging, wrong, _folder: folder }
    }

    /// A hook that panics when it is asked, as long as it is wrong.
    async fn panicking(phase: &str, entry: &str) -> Self {
        Self::set_up(phase, entry, "panics = ['plan']").await
    }

    fn go_wrong(&self) {
        fs::write(&self.wrong, "").expect("the file is written");
    }

    fn come_right(&self) {
        fs::remove_file(&self.wrong).expect("the file is removed");
    }

    async fn create(&self, title: &str) -> Answer {
        self.blog.admin.post("posts:create", json!({"title": title})).await
    }

    async fn rename(&self, title: &str) -> Answer {
        self.blog.admin.post("posts:update?filter[id][$gt]=0", json!({"title": title})).await
    }

    async fn titles(&self) -> Vec<String> {
        let posts = self.blog.admin.list("posts", json!({})).await;
        posts.iter().filter_map(|post| post["title"].as_str().map(str::to_owned)).collect()
    }
}

#[tokio::test]
async fn before_the_action_a_hook_that_cannot_be_asked_refuses_it() {
    let scene = Scene::panicking("before", "").await;
    scene.go_wrong();
    let refused = scene.create("a").await;
    assert_eq!(refused.status, 500);
    assert_eq!(refused.message(), "Workflow on your action failed, please contact the administrator");
    assert!(scene.host.log().contains("panicked in plan: as told in Plan"), "{}", scene.host.log());
    assert!(scene.titles().await.is_empty() && scene.blog.executions(&scene.made).await.is_empty());
    // It is asked about creates alone: everybody else's actions go on meanwhile.
    scene.rename("nobody").await.ok();

    scene.come_right();
    scene.create("b").await.ok();
    assert_eq!(scene.titles().await, ["b"]);
    scene.blog.finished(&scene.made, 1).await;
}

#[tokio::test]
async fn before_the_action_a_plan_without_sense_does_no_harm_and_a_huge_one_refuses() {
    let scene = Scene::set_up("before", "", "plan = 'unknown_workflows'").await;
    scene.create("a").await.ok();
    scene.blog.finished(&scene.made, 1).await;
    let scene = Scene::set_up("before", "", "plan = 'huge'").await;
    assert_eq!(scene.create("a").await.status, 500);
    assert!(scene.titles().await.is_empty());
}

#[tokio::test]
async fn at_a_change_others_go_on_without_an_optional_plugin() {
    for settings in ["panics = ['plan']", "plan = 'unknown_workflows'", "plan = 'huge'"] {
        let scene = Scene::set_up("changed", "", settings).await;
        scene.go_wrong();
        scene.create("a").await.ok();
        scene.rename("b").await.ok();
        scene.blog.finished(&scene.made, 1).await;
        scene.blog.finished(&scene.logging, 1).await;
        assert_eq!(scene.blog.log().await, ["changed"], "with {settings}");
        let details = scene.blog.admin.get("plugins:get?filterByTk=plugin-misbehaving").await.ok();
        // The post and the line in the log.
        let faults = if settings.contains("unknown") { 0 } else { 2 };
        assert_eq!(details["faults"], faults, "{details:#}");
    }
}

#[tokio::test]
async fn at_a_change_nothing_is_stored_without_a_required_plugin() {
    // It stays in service, so that each change meets the fault itself.
    let scene = Scene::panicking("changed", "required = true\nbreaker = { faults = 0 }").await;
    scene.create("a").await.ok();
    scene.blog.finished(&scene.made, 1).await;

    scene.go_wrong();
    let refused = scene.create("b").await;
    assert_eq!((refused.status, refused.code()), (503, Some("PLUGIN_UNAVAILABLE")), "{}", refused.body);
    assert_eq!(scene.titles().await, ["a"]);
    assert_eq!(scene.blog.executions(&scene.made).await.len(), 1, "nothing fired");

    // The node that makes such a change has not made it, and makes it when the plugin can hear of it.
    scene.rename("c").await.ok();
    eventually("the node is interrupted", async || {
        scene.host.log().contains("an execution is interrupted").then_some(())
    })
    .await;
    let waiting = scene.blog.executions(&scene.logging).await;
    assert_eq!(waiting.len(), 1);
    assert!(waiting[0]["status"].as_i64().is_none_or(|status| status == 0), "not given up: {waiting:?}");
    assert!(scene.blog.log().await.is_empty());
    let path = format!("executions:get?filterByTk={}&appends=jobs", waiting[0]["id"]);
    assert_eq!(scene.blog.admin.get(&path).await.ok()["jobs"], json!([]), "the job and the change are one");

    scene.come_right();
    assert_eq!(scene.blog.finished(&scene.logging, 1).await[0]["status"], 1);
    assert_eq!(scene.blog.log().await, ["changed"], "once");
}

#[tokio::test]
async fn services_called_from_a_hook_are_refused_in_every_phase() {
    for phase in ["before", "changed"] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let journal = folder.path().join("journal");
        let settings = format!("calls = ['plan']\njournal = {journal:?}");
        let scene = Scene::set_up(phase, "grants = [\"records\", \"workflows\"]", &settings).await;
        scene.create("a").await.ok();
        let said = fs::read_to_string(&journal).expect("the hook was asked");
        let refused = "is for threads of the plugin's own: the host waits for this call";
        assert!(said.lines().count() >= 3 && said.lines().all(|line| line.ends_with(refused)), "{phase}: {said}");
    }
}
