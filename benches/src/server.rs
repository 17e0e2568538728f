//! The server, in this process, and its callers, over TCP.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use host_demo::bootstrap::Admin;
use host_demo::server::{Server, ServerOptions};
use reqwest::Client;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;

/// Callers at the same time.
pub const CALLERS: u64 = 16;

/// When a bound workflow runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Before the answer.
    Sync,
    /// In the background.
    Async,
}

const PASSWORD: &str = "a-password-for-one-benchmark";

/// Servers on one database with a `posts` collection, and a signed-in caller.
pub struct Rig {
    servers: Vec<Server>,
    folder: TempDir,
    client: Client,
    token: String,
}

/// A workflow bound to creates of posts.
pub struct Workflow {
    /// Its id.
    pub id: i64,
    /// Its key, which requests name.
    pub key: String,
}

impl Rig {
    /// Starts one server on a file or, with a URL, so many on a database of a server.
    pub async fn start(hosts: usize, database_url: Option<&str>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut servers = Vec::with_capacity(hosts);
        for number in 0..hosts {
            let options = ServerOptions {
                data_dir: folder.path().join(number.to_string()),
                listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
                manifest: Some(PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../plugin.toml"))),
                database_url: database_url.map(str::to_owned),
                role: Default::default(),
                token_secret: Some(folder.path().join("token.secret")),
                token_secret_changed: false,
                data_source_folder: None,
                admin: Admin { email: "admin@example.com".to_owned(), password: Some(PASSWORD.to_owned()) },
                outside: Default::default(),
                strictness: Default::default(),
                clock: Default::default(),
            };
            servers.push(Server::start(options).await.expect("the server starts"));
        }
        let client = Client::builder().no_proxy().build().expect("a client");
        let mut rig = Self { servers, folder, client, token: String::new() };
        let account = json!({"account": "admin@example.com", "password": PASSWORD});
        rig.token = rig.post("auth:signIn", &account).await["token"].as_str().expect("a token").to_owned();
        let fields = json!([{"type": "string", "name": "title"}, {"type": "text", "name": "content"},
            {"type": "integer", "name": "read", "defaultValue": 0}]);
        rig.post("collections:create", &json!({"name": "posts", "fields": fields})).await;
        rig
    }

    /// The database's file, if it has one.
    pub fn database_file(&self) -> PathBuf {
        self.folder.path().join("0/host.db")
    }

    /// Makes and enables a workflow with so many nodes in a line, each of which makes a record.
    pub async fn workflow(&self, mode: Mode, nodes: usize) -> Workflow {
        let values = json!({"title": "benchmark", "type": "action", "sync": mode == Mode::Sync, "config": {"collection": "posts"}});
        let made = self.post("workflows:create", &values).await;
        let id = made["id"].as_i64().expect("an id");
        let mut upstream = Value::Null;
        for _ in 0..nodes {
            let config = json!({"collection": "posts", "params": {"values": {"title": "{{$context.data.title}}"}}});
            let node = json!({"type": "create", "config": config, "upstreamId": upstream});
            upstream = self.post(&format!("workflows/{id}/nodes:create"), &node).await["id"].clone();
        }
        self.post(&format!("workflows:update?filterByTk={id}"), &json!({"enabled": true})).await;
        Workflow { id, key: made["key"].as_str().expect("a key").to_owned() }
    }

    /// Creates so many posts, a fixed number of callers at a time, who take turns with the servers and the workflows that they bind.
    pub async fn creates(&self, workflows: &[Workflow], requests: u64) {
        let next = Arc::new(AtomicU64::new(0));
        let mut callers = JoinSet::new();
        let turns = self.servers.iter().cycle().zip(workflows.iter().cycle());
        for ((server, workflow), _) in turns.zip(0..CALLERS) {
            let url = format!("{}/api/posts:create?triggerWorkflows={}", base_url(server), workflow.key);
            let request = self.client.post(&url).bearer_auth(&self.token).json(&post());
            let next = Arc::clone(&next);
            callers.spawn(async move {
                while next.fetch_add(1, Ordering::Relaxed) < requests {
                    let request = request.try_clone().expect("the body is in memory");
                    let answer = request.send().await.expect("an answer");
                    assert_eq!(answer.status(), 200);
                    answer.bytes().await.expect("a body");
                }
            });
        }
        callers.join_all().await;
    }

    /// Waits until none of the workflow's executions is queued or running.
    pub async fn drained(&self, workflow: &Workflow) {
        let filter = json!({"workflowId": workflow.id, "$or": [{"status": null}, {"status": 0}]}).to_string();
        let url = format!("{}/api/executions:list", base_url(&self.servers[0]));
        let request = self.client.get(url).bearer_auth(&self.token);
        let request = request.query(&[("filter", filter.as_str()), ("pageSize", "1"), ("fields", "id")]);
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        loop {
            ticks.tick().await;
            let answer = request.try_clone().expect("there is no body").send().await.expect("an answer");
            let body: Value = answer.json().await.expect("JSON");
            if body["meta"]["count"] == 0 {
                return;
            }
        }
    }

    /// Stops the servers.
    pub async fn stop(self) {
        for server in self.servers {
            server.shutdown().await;
        }
    }

    async fn post(&self, path: &str, values: &Value) -> Value {
        let request = self.client.post(format!("{}/api/{path}", base_url(&self.servers[0])));
        let request = request.bearer_auth(&self.token).json(values);
        let mut body: Value = request.send().await.expect("an answer").json().await.expect("JSON");
        assert!(body.get("errors").is_none(), "{path}: {body}");
        body["data"].take()
    }
}

fn base_url(server: &Server) -> String {
    format!("http://{}", server.local_addr())
}

/// The record that is created: about what a short form submits.
pub fn post() -> Value {
    json!({"title": "A title of usual length", "content": "A sentence or two of content, as a short form has it."})
}
