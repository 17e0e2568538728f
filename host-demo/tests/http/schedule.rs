//! Workflows that start by the clock, on a server whose clock the tests set.

mod hosts;
mod plugins;
mod records;

use host_demo::{Clock, Server, ServerOptions};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{self, Client, Running, eventually};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// 28 March 2026, 0:00 UTC: a day before clocks are put forward in Berlin.
const START: i64 = 1_774_656_000_000;

const MANIFEST: &str = "[[plugin]]\nid = \"workflow-schedule-trigger\"\n\
    library = \"plugin_workflow_schedule_trigger\"\ngrants = [\"clock\"]\n";

/// A server, what time it is there, and somebody who may do everything.
struct Scene {
    running: Running,
    root: Client,
    clock: Clock,
}

impl Scene {
    async fn set_up() -> Self {
        Self::with_plugins(MANIFEST).await
    }

    async fn with_plugins(manifest: &str) -> Self {
        Self::start(tempfile::tempdir().expect("a folder"), Clock::standing_at(START), manifest).await
    }

    async fn start(folder: TempDir, clock: Clock, manifest: &str) -> Self {
        let options = ServerOptions { clock: clock.clone(), ..harness::options(folder.path()) };
        std::fs::write(folder.path().join("plugin.toml"), manifest).expect("the manifest is written");
        let server = Server::start(options).await.expect("the server starts");
        let url = format!("http://{}", server.local_addr());
        let running = Running { server, folder, url };
        let root = running.root().await;
        Self { running, root, clock }
    }

    /// Stops the server, and starts it when it is so late.
    async fn stop_until(self, now_ms: i64) -> Self {
        let Running { server, folder, .. } = self.running;
        server.shutdown().await;
        self.clock.set(now_ms);
        Self::start(folder, self.clock, MANIFEST).await
    }

    /// An enabled workflow.
    async fn schedule(&self, config: Value) -> i64 {
        self.workflow("schedule", config).await
    }

    async fn workflow(&self, trigger: &str, config: Value) -> i64 {
        let values = json!({"title": "test", "type": trigger, "enabled": true, "config": config});
        self.root.post("workflows:create", values).await.data()["id"].as_i64().expect("an id")
    }

    async fn switch(&self, workflow: i64, enabled: bool) {
        self.root.post(&format!("workflows:update?filterByTk={workflow}"), json!({"enabled": enabled})).await.data();
    }

    async fn contexts(&self, workflow: i64) -> Vec<Value> {
        let filter = json!({"workflowId": workflow}).to_string();
        let request = self.root.request(reqwest::Method::GET, "executions:list");
        let request = request.query(&[("filter", filter.as_str()), ("sort", "id"), ("pageSize", "2000")]);
        let rows = self.root.send(request).await.data();
        rows.as_array().expect("a list").iter().map(|row| row["context"].clone()).collect()
    }

    /// The contexts, once there are so many.
    async fn started(&self, workflow: i64, count: usize) -> Vec<Value> {
        eventually(&format!("{count} executions"), async || {
            Some(self.contexts(workflow).await).filter(|contexts| contexts.len() >= count)
        })
        .await
    }

    /// For which moments a workflow has started, once they are so many, in milliseconds since [`START`].
    async fn dates(&self, workflow: i64, count: usize) -> Vec<i64> {
        self.started(workflow, count).await.iter().map(date).collect()
    }

    /// Waits until everything that is due by now has been started: until something has that is due later than all of it.
    async fn settle(&self) {
        let now = self.clock.now_ms();
        let last = self.schedule(json!({"startsOn": at(now + 1 - START), "missed": "all"})).await;
        self.clock.set(now + 1);
        self.started(last, 1).await;
    }
}

/// A moment so many milliseconds after [`START`].
fn at(after_ms: i64) -> String {
    chrono::DateTime::from_timestamp_millis(START + after_ms)
        .expect("a moment")
        .to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

fn date(context: &Value) -> i64 {
    let date = context["date"].as_str().expect("a moment");
    chrono::DateTime::parse_from_rfc3339(date).expect("a moment").timestamp_millis() - START
}

#[tokio::test]
async fn a_moment_starts_its_workflow_once() {
    let scene = Scene::set_up().await;
    let once = scene.schedule(json!({"startsOn": at(HOUR)})).await;
    let past = scene.schedule(json!({"startsOn": at(-HOUR), "missed": "all"})).await;
    let off = scene.schedule(json!({"startsOn": at(HOUR)})).await;
    scene.switch(off, false).await;
    scene.clock.set(START + HOUR - 1);
    scene.settle().await;
    assert_eq!(scene.dates(once, 1).await, [HOUR]);
    assert_eq!(scene.started(once, 1).await, [json!({"date": "2026-03-28T01:00:00.000Z"})], "and nothing else");
    scene.clock.set(START + 2 * DAY);
    scene.settle().await;
    let scene = scene.stop_until(START + 9 * DAY).await;
    scene.settle().await;
    assert_eq!(scene.dates(once, 1).await, [HOUR]);
    for never in [past, off] {
        assert!(scene.contexts(never).await.is_empty());
    }
}

#[tokio::test]
async fn what_is_missed_while_the_server_is_down_is_made_up_for_as_configured() {
    let scene = Scene::set_up().await;
    let hourly = |missed: &str| json!({"startsOn": at(HOUR), "repeat": HOUR, "missed": missed});
    let all = scene.schedule(hourly("all")).await;
    let once = scene.schedule(hourly("once")).await;
    let skip = scene.schedule(hourly("skip")).await;
    let scene = scene.stop_until(START + 5 * HOUR + 30 * MINUTE).await;
    scene.settle().await;
    scene.clock.set(START + 6 * HOUR + 10);
    scene.settle().await;
    assert_eq!(scene.dates(all, 6).await, [1, 2, 3, 4, 5, 6].map(|hour| hour * HOUR));
    assert_eq!(scene.dates(once, 2).await, [5 * HOUR, 6 * HOUR]);
    assert_eq!(scene.dates(skip, 1).await, [6 * HOUR]);
}

#[tokio::test]
async fn a_schedule_ends_with_its_limit_or_its_end() {
    let scene = Scene::set_up().await;
    let minutely = json!({"startsOn": at(MINUTE), "repeat": MINUTE, "missed": "all"});
    let with = |name: &str, value: Value| {
        let mut config = minutely.clone();
        config[name] = value;
        config
    };
    let limited = scene.schedule(with("limit", json!(3))).await;
    let ended = scene.schedule(with("endsOn", json!(at(2 * MINUTE)))).await;
    scene.clock.set(START + 2 * MINUTE);
    scene.settle().await;
    let scene = scene.stop_until(START + 9 * MINUTE).await;
    scene.settle().await;
    assert_eq!(scene.dates(limited, 3).await, [MINUTE, 2 * MINUTE, 3 * MINUTE], "also across a restart");
    assert_eq!(scene.dates(ended, 2).await, [MINUTE, 2 * MINUTE]);
    scene.switch(limited, false).await;
    scene.switch(limited, true).await;
    scene.clock.set(START + 12 * MINUTE);
    scene.settle().await;
    assert_eq!(scene.contexts(limited).await.len(), 3, "switching does not count anew");
}

#[tokio::test]
async fn a_time_of_day_is_that_of_the_zone_on_the_day_its_clocks_change() {
    let scene = Scene::set_up().await;
    let daily = json!({"repeat": "30 2 * * *", "timeZone": "Europe/Berlin"});
    let daily = scene.schedule(daily).await;
    // Half past two does not exist on the 29th.
    for hours in 1..=72 {
        scene.clock.set(START + hours * HOUR);
        if hours % 12 == 0 {
            scene.settle().await;
        }
    }
    scene.settle().await;
    let expected = [HOUR + HOUR / 2, DAY + HOUR, 2 * DAY + HOUR / 2];
    assert_eq!(scene.dates(daily, 3).await, expected);
}

#[tokio::test]
async fn what_passes_while_a_workflow_is_off_is_not_missed() {
    let scene = Scene::set_up().await;
    let hourly = scene.schedule(json!({"startsOn": at(HOUR), "repeat": HOUR, "missed": "all"})).await;
    scene.clock.set(START + HOUR);
    assert_eq!(scene.dates(hourly, 1).await, [HOUR]);
    scene.switch(hourly, false).await;
    scene.clock.set(START + 4 * HOUR);
    scene.settle().await;
    scene.switch(hourly, true).await;
    scene.clock.set(START + 5 * HOUR);
    scene.settle().await;
    assert_eq!(scene.dates(hourly, 2).await, [HOUR, 5 * HOUR]);

    // The next version goes on in its place.
    let path = format!("workflows:revision?filterByTk={hourly}&filter[key]={}", key(&scene, hourly).await);
    let next = scene.root.post(&path, json!({})).await.data()["id"].as_i64().expect("an id");
    scene.switch(next, true).await;
    scene.clock.set(START + 6 * HOUR);
    scene.settle().await;
    assert_eq!((scene.dates(hourly, 2).await.len(), scene.dates(next, 1).await), (2, vec![6 * HOUR]));
    scene.root.post(&format!("workflows:destroy?filterByTk={next}"), json!({})).await.data();
    scene.clock.set(START + 7 * HOUR);
    scene.settle().await;
}

async fn key(scene: &Scene, workflow: i64) -> String {
    let row = scene.root.get(&format!("workflows:get?filterByTk={workflow}")).await.data();
    row["key"].as_str().expect("a key").to_owned()
}

#[tokio::test]
async fn another_configuration_counts_from_when_it_was_given() {
    let scene = Scene::set_up().await;
    let workflow = scene.schedule(json!({"startsOn": at(9 * HOUR)})).await;
    scene.clock.set(START + 3 * HOUR);
    let config = json!({"startsOn": at(2 * HOUR), "repeat": 2 * HOUR, "missed": "all"});
    scene.root.post(&format!("workflows:update?filterByTk={workflow}"), json!({"config": config})).await.data();
    scene.clock.set(START + 10 * HOUR);
    scene.settle().await;
    assert_eq!(scene.dates(workflow, 4).await, [4, 6, 8, 10].map(|hour| hour * HOUR));
}

#[tokio::test]
async fn a_person_may_run_it_at_any_time() {
    let scene = Scene::set_up().await;
    let workflow = scene.schedule(json!({"startsOn": at(HOUR)})).await;
    let path = format!("workflows:execute?filterByTk={workflow}");
    let answer = scene.root.post(&path, json!({"userId": 1, "date": at(0)})).await.data();
    assert_eq!(answer["execution"]["status"], 1, "{answer}");
    let context = scene.contexts(workflow).await.remove(0);
    assert_eq!((date(&context), context["user"]["id"].as_i64()), (0, Some(1)));
    scene.clock.set(START + HOUR);
    assert_eq!(scene.dates(workflow, 2).await[1], HOUR, "what is due comes all the same");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let scene = Scene::set_up().await;
    let refusal = async |config: Value| {
        let answer = scene.root.post("workflows:create", json!({"type": "schedule", "config": config})).await;
        assert_eq!(answer.0, 400, "{}", answer.1);
        answer.refusal().1.to_owned()
    };
    assert!(refusal(json!({"repeat": "every day"})).await.starts_with("\"repeat\" is no cron expression"));
    assert_eq!(
        refusal(json!({"repeat": MINUTE})).await,
        "\"startsOn\" is required, unless \"repeat\" is a cron expression"
    );
    refusal(json!({"startsOn": at(0), "timeZone": "Mars/Olympus"})).await;
    refusal(json!({"startsOn": at(0), "repeat": 10})).await;
    scene.root.make_posts().await;
    let by = |field: &str| json!({"mode": 1, "collection": "posts", "startsOn": {"field": field}});
    assert_eq!(refusal(by("title")).await, "Field \"title\" of posts holds no date");
    assert_eq!(refusal(by("nosuch")).await, "There is no field \"nosuch\" in posts");
}
