//! A plugin that does everything wrong, beside the built-in one: the host answers every request, and the other plugin goes on.

mod phases;

use std::{fs, path::PathBuf};

use host_demo::{Server, ServerOptions, bootstrap::Admin};
use serde_json::json;
use tempfile::TempDir;

use super::harness::{
    Blog, Host, HostOptions, NewWorkflow, eventually,
    fixture::Workflow,
    process::{BUILT_IN_PLUGINS, EMAIL, PASSWORD},
};

const ALL_SERVICES: &str = "\"records\", \"workflows\"";

/// A server with the misbehaving plugin before the built-in one, and a workflow of the latter.
struct Scene {
    host: Host,
    blog: Blog,
    workflow: Workflow,
    folder: TempDir,
}

/// The misbehaving plugin's entry, before the built-in one's.
fn manifest(folder: &TempDir, grants: &str, settings: &str) -> String {
    let journal = folder.path().join("journal");
    format!(
        "[[plugin]]\nid = \"plugin-misbehaving\"\nlibrary = \"plugin_misbehaving\"\ngrants = [{grants}]\n\
         [plugin.settings]\njournal = {journal:?}\n{settings}\n{BUILT_IN_PLUGINS}"
    )
}

impl Scene {
    async fn set_up(grants: &str, settings: impl Fn(&TempDir) -> String) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let manifest = manifest(&folder, grants, &settings(&folder));
        let host = Host::start_with(HostOptions { manifest, ..HostOptions::default() }).await;
        let blog = Blog::set_up(host.admin().await).await;
        let workflow = blog.workflow(NewWorkflow::on("posts").global(&["create"]).logs("built-in")).await;
        Self { host, blog, workflow, folder }
    }

    /// Creates posts, binding `bindings`; each has to be answered and to start the built-in plugin's workflow once.
    async fn the_rest_goes_on(&self, bindings: &str) {
        for title in ["a", "b"] {
            self.blog.create("posts", bindings, json!({"title": title})).await.ok();
        }
        let executions = self.blog.finished(&self.workflow, 2).await;
        assert_eq!(executions.len(), 2, "each action starts it once");
    }

    /// Makes an enabled workflow of the misbehaving trigger.
    async fn own_workflow(&self) -> i64 {
        let values = json!({"title": "own", "type": "misbehaving", "config": {}, "enabled": true});
        let made = self.blog.admin.post("workflows:create", values).await.ok();
        assert_eq!(made["enabled"], true, "{made}");
        made["id"].as_i64().expect("an id")
    }

    fn journal(&self) -> String {
        fs::read_to_string(self.folder.path().join("journal")).unwrap_or_default()
    }

    /// Uses every method of the misbehaving trigger; answers the statuses.
    async fn use_the_trigger(&self) -> Vec<u16> {
        let admin = &self.blog.admin;
        let made = admin.post("workflows:create", json!({"title": "w", "type": "misbehaving", "config": {}})).await;
        let mut statuses = vec![made.status];
        let Some(id) = made.body["data"]["id"].as_i64() else { return statuses };
        for (action, values) in [
            ("update", json!({"config": {}})),
            ("update", json!({"enabled": true})),
            ("execute", json!({"a": 1})),
            ("update", json!({"enabled": false})),
        ] {
            statuses.push(admin.post(&format!("workflows:{action}?filterByTk={id}"), values).await.status);
        }
        statuses
    }
}

const CALLS: &str =
    r#"["register", "info", "validate", "enable", "disable", "manual", "plan", "drop_trigger", "drop_hook"]"#;

#[tokio::test]
async fn an_answer_that_a_node_panics_at_is_not_taken_and_can_be_given_again() {
    let scene = Scene::set_up(ALL_SERVICES, |_| "node = \"wrong\"".to_owned()).await;
    let admin = &scene.blog.admin;
    let root = admin.list("users", json!({})).await[0]["id"].clone();
    let asks = NewWorkflow::on("posts").global(&["create"]).node("wrong", json!({"assignees": root}));
    let asks = scene.blog.workflow(asks).await;
    scene.the_rest_goes_on("").await;
    let tasks = eventually("both ask", async || {
        let tasks = admin.list("workflowTasks", json!({"status": 0})).await;
        (tasks.len() == 2).then_some(tasks)
    })
    .await;
    for task in tasks {
        let path = format!("workflowTasks:submit/{}", task["id"]);
        for wrong in ["panic", "wait", "back"] {
            let refused = admin.post(&path, json!({"action": "approve", "comment": wrong})).await;
            assert_eq!((refused.status, refused.message()), (500, "Internal server error"), "{wrong}");
            assert_eq!(admin.get(&format!("workflowTasks:get/{}", task["id"])).await.ok()["status"], 0);
        }
        admin.post(&path, json!({"action": "approve"})).await.ok();
    }
    let ended = scene.blog.finished(&asks, 2).await;
    assert!(ended.iter().all(|execution| execution["status"] == 1), "{ended:?}");
}

#[tokio::test]
async fn a_node_type_that_is_there_already_is_not_taken() {
    let scene = Scene::set_up(ALL_SERVICES, |_| "node = \"manual\"".to_owned()).await;
    let told = scene.blog.admin.get("plugins:get?filterByTk=plugin-misbehaving").await.ok();
    let error = "plugin \"plugin-misbehaving\" offers the node type \"manual\", which the host offers already";
    assert_eq!((&told["state"], &told["error"]), (&json!("failed"), &json!(error)));
    scene.the_rest_goes_on("").await;
}

#[tokio::test]
async fn services_called_from_inside_any_call_are_refused_at_once() {
    let mut scene = Scene::set_up(ALL_SERVICES, |_| format!("calls = {CALLS}")).await;
    scene.the_rest_goes_on("").await;
    assert_eq!(scene.use_the_trigger().await, [200; 5]);
    assert!(scene.host.terminate().await.success());
    let journal = scene.journal();
    for place in ["Register", "Info", "Validate", "Enable", "Disable", "Manual", "Plan"] {
        for service in ["records", "records", "workflows"] {
            let line = format!(
                "{place}: Fault: The service \"{service}\" is for threads of the plugin's own: the host waits for this call"
            );
            assert!(journal.lines().any(|found| found == line), "{line}\nin\n{journal}");
        }
    }
    assert!(journal.contains("DropTrigger: ") && journal.contains("DropHook: "), "{journal}");
    assert!(!journal.contains("answered"), "{journal}");
}

#[tokio::test]
async fn panics_in_every_call_are_answered() {
    let check = async |place: &str, statuses: &[u16]| {
        let mut scene = Scene::set_up("", |_| format!("panics = ['{place}', 'drop_trigger', 'drop_hook']")).await;
        scene.the_rest_goes_on("").await;
        assert_eq!(scene.use_the_trigger().await, statuses, "with a panic in {place}");
        assert!(scene.host.log().contains(&format!("panicked in {place}: as told in")), "{}", scene.host.log());
        assert!(scene.host.terminate().await.success(), "with a panic in {place}");
    };
    check("validate", &[500]).await;
    // A workflow that its trigger does not take, or does not let go, is switched all the same.
    check("enable", &[200; 5]).await;
    check("disable", &[200; 5]).await;
    check("manual", &[200, 200, 200, 500, 200]).await;
    check("plan", &[200; 5]).await;
}

#[tokio::test]
async fn plans_without_sense_start_nothing() {
    for (plan, told) in [
        ("unknown_workflows", ""),
        ("unknown_paths", "leads nowhere, does not start"),
        ("others_workflows", "is another plugin's workflow, does not start"),
        ("huge", "the plan has 100000 firings, and 10000 is the most"),
    ] {
        let scene = Scene::set_up("", |_| format!("plan = '{plan}'")).await;
        // The plugin takes the ids that it plans with from the bindings.
        let bound = if plan == "unknown_paths" { scene.own_workflow().await } else { scene.workflow.id };
        scene.the_rest_goes_on(&bound.to_string()).await;
        let executions = scene.blog.admin.list("executions", json!({})).await;
        assert_eq!(executions.len(), 2, "only the built-in plugin's, with the plan {plan}");
        assert!(scene.host.log().contains(told), "{told:?} in\n{}", scene.host.log());
        let details = scene.blog.admin.get("plugins:get?filterByTk=plugin-misbehaving").await.ok();
        let faults = if plan == "huge" { 2 } else { 0 };
        assert_eq!(details["faults"], faults, "{details:#}");
    }
}

#[tokio::test]
async fn huge_plans_take_their_plugin_out_of_service() {
    let settings = |_: &TempDir| "plan = 'huge'\n[plugin.breaker]\nfaults = 2".to_owned();
    let scene = Scene::set_up("", settings).await;
    scene.the_rest_goes_on("").await;
    let details = scene.blog.admin.get("plugins:get?filterByTk=plugin-misbehaving").await.ok();
    assert_eq!((&details["state"], &details["faults"]), (&json!("suspended"), &json!(2)), "{details:#}");
}

#[tokio::test]
async fn ten_thousand_events_are_logged() {
    let scene = Scene::set_up("", |_| "log_events = 10_000".to_owned()).await;
    scene.the_rest_goes_on("").await;
    let events = scene.host.log().lines().filter(|line| line.contains("one of many events")).count();
    assert_eq!(events, 20_000);
}

/// Actions whose hooks wait at the same time where transactions run beside each other: more than a small machine has processors.
const SLOW: usize = 4;

#[tokio::test]
async fn while_a_hook_is_slow_others_are_answered() {
    let go_on = |folder: &TempDir| folder.path().join("go-on");
    let scene = Scene::set_up("", |folder| format!("slow_until = {:?}", go_on(folder))).await;
    let others = async {
        eventually("the hook waits", async || scene.journal().contains("Plan: waits\n").then_some(())).await;
        for _ in 0..10 {
            assert_eq!(scene.blog.admin.get("users:list").await.status, 200);
        }
        fs::write(go_on(&scene.folder), "").expect("the file is written");
    };
    let slow = (0..SLOW).map(|number| scene.blog.create("posts", "", json!({"title": number.to_string()})));
    let (slow, ()) = tokio::join!(futures::future::join_all(slow), others);
    slow.into_iter().for_each(|answer| drop(answer.ok()));
    scene.blog.finished(&scene.workflow, SLOW).await;
}

#[tokio::test]
async fn a_hook_that_waits_for_a_thread_that_waits_for_the_hook_gets_away() {
    let scene = Scene::set_up(ALL_SERVICES, |_| "waits_for_thread = true".to_owned()).await;
    let own = scene.own_workflow().await;
    let post = scene.blog.create("posts", &own.to_string(), json!({"title": "a"})).await.ok();
    scene.blog.finished(&scene.workflow, 1).await;
    let journal = scene.journal();
    if test_database::Database::of_hosts() == test_database::Database::Postgres {
        // Transactions run beside each other: nobody waits for the one that the hook is called in.
        assert!(!journal.contains("thread of a hook: Unavailable"), "{journal}");
        return;
    }
    let expected = "thread of a hook: Unavailable: The host did not answer within 5 seconds";
    assert!(journal.lines().any(|line| line == expected), "{journal}");

    // One more write, so that the one that was given up has had its turn.
    scene.blog.admin.post(&format!("posts:update?filterByTk={}", post["id"]), json!({"title": "b"})).await.ok();
    let executions = scene.blog.admin.list("executions", json!({"workflowId": own})).await;
    assert!(executions.is_empty(), "what nobody waits for any more is not begun: {executions:?}");
}

#[tokio::test]
async fn what_is_not_granted_cannot_be_called() {
    let mut scene = Scene::set_up("\"records\"", |_| "threads = 1".to_owned()).await;
    scene.the_rest_goes_on("").await;
    let line = "thread 0: Fault: The service \"workflows\" is not granted to plugin \"plugin-misbehaving\"";
    eventually("the thread has called", async || scene.journal().lines().any(|found| found == line).then_some(()))
        .await;
    assert!(scene.host.terminate().await.success(), "a thread that calls for ever does not hold up the stop");
}

#[tokio::test]
async fn threads_that_call_all_the_time_disturb_nobody() {
    let mut scene = Scene::set_up(ALL_SERVICES, |_| "threads = 8".to_owned()).await;
    scene.the_rest_goes_on("").await;
    assert!(scene.host.terminate().await.success());
}

/// A server in this process, whose plugin's threads outlive it.
#[tokio::test(flavor = "multi_thread")]
async fn threads_hear_that_the_host_is_stopping_and_stay_harmless() {
    const THREADS: usize = 8;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path: PathBuf = folder.path().join("plugin.toml");
    fs::write(&path, manifest(&folder, ALL_SERVICES, &format!("threads = {THREADS}")))
        .expect("the manifest is written");
    let server = Server::start(ServerOptions {
        data_dir: folder.path().join("data"),
        listen: "127.0.0.1:0".parse().expect("an address"),
        manifest: Some(path),
        database_url: test_database::chosen_for(folder.path()),
        role: Default::default(),
        token_secret: None,
        data_source_folder: None,
        token_secret_changed: false,
        admin: Admin { email: EMAIL.to_owned(), password: Some(PASSWORD.to_owned()) },
        outside: Default::default(),
        strictness: Default::default(),
        clock: host_demo::Clock::default(),
    })
    .await
    .expect("the server starts");
    server.shutdown().await;
    let last = |journal: &str| {
        journal.lines().filter(|line| line.ends_with("after the end: Unavailable: The host is stopping")).count()
    };
    eventually("each thread has called every service once more", async || {
        let journal = fs::read_to_string(folder.path().join("journal")).unwrap_or_default();
        (last(&journal) == THREADS * 3).then_some(())
    })
    .await;
}

#[tokio::test]
async fn answers_that_are_no_json_start_nothing() {
    for plan in ["no JSON", "[1, 2]", "{\\\"firings\\\": [{\\\"workflow\\\": \\\"x\\\"}]}"] {
        let manifest = format!(
            "[[plugin]]\nid = \"fixture-garbage\"\nlibrary = \"fixture_garbage\"\ngrants = [\"routes\"]\nsettings = {{ plan = \"{plan}\" }}\n\
             {BUILT_IN_PLUGINS}"
        );
        let host = Host::start_with(HostOptions { manifest, ..HostOptions::default() }).await;
        let blog = Blog::set_up(host.admin().await).await;
        let workflow = blog.workflow(NewWorkflow::on("posts").global(&["create"]).logs("built-in")).await;
        blog.create("posts", "", json!({"title": "a"})).await.ok();
        blog.finished(&workflow, 1).await;
        assert!(host.log().contains("the plan cannot be read"), "{}", host.log());
        let made = blog.admin.post("workflows:create", json!({"type": "garbage", "config": {}})).await;
        assert_eq!(made.status, 200, "{}", made.body);
    }
}
