//! Schedules on two hosts of one database, whose machines do not agree about the time.

use host_demo::{Clock, Server, ServerOptions};
use serde_json::json;
use test_database::{Database, TestDatabase};

use super::{HOUR, MANIFEST, Scene};
use crate::harness::{self, Running};

async fn host(database: &TestDatabase, secret: &std::path::Path, clock: Clock) -> Scene {
    let folder = tempfile::tempdir().expect("a folder");
    let options = ServerOptions {
        clock: clock.clone(),
        database_url: Some(database.url().to_owned()),
        token_secret: Some(secret.to_owned()),
        ..harness::options(folder.path())
    };
    std::fs::write(folder.path().join("plugin.toml"), MANIFEST).expect("the manifest is written");
    let server = Server::start(options).await.expect("the server starts");
    let url = format!("http://{}", server.local_addr());
    let running = Running { server, folder, url };
    let root = running.root().await;
    Scene { running, root, clock }
}

#[tokio::test]
async fn a_moment_comes_once_and_not_before_its_time_whatever_a_host_takes_the_time_for() {
    if !test_database::begin(Database::Postgres) {
        return;
    }
    let database = TestDatabase::new();
    let secrets = tempfile::tempdir().expect("a folder");
    let secret = secrets.path().join("token.secret");
    let right = host(&database, &secret, Clock::default()).await;
    let early = host(&database, &secret, Clock::wrong_by(HOUR)).await;
    let late = host(&database, &secret, Clock::wrong_by(-HOUR)).await;

    let every_second = json!({"repeat": "* * * * * *", "missed": "all"});
    let workflow = right.schedule(every_second).await;
    let contexts = early.started(workflow, 3).await;
    let now_ms = chrono::Utc::now().timestamp_millis();
    let moments: Vec<i64> = contexts
        .iter()
        .map(|context| {
            let date = context["date"].as_str().expect("a moment");
            chrono::DateTime::parse_from_rfc3339(date).expect("a moment").timestamp_millis()
        })
        .collect();
    assert!(moments.iter().all(|moment| *moment <= now_ms), "none before its time: {moments:?} at {now_ms}");
    assert!(moments.windows(2).all(|pair| pair[1] - pair[0] == 1_000), "each once: {moments:?}");
    for Scene { running: Running { server, .. }, .. } in [right, early, late] {
        server.shutdown().await;
    }
}
