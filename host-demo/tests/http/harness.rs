//! A server on a data directory of its own, and a client that is signed in.

use std::{path::Path, time::Duration};

use host_demo::{Server, ServerOptions, Strictness, bootstrap::Admin, error::HostError};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

const PASSWORD: &str = "a-password-for-one-test";
const MANIFEST: &str =
    "[[plugin]]\nid = \"workflow-action-trigger\"\nlibrary = \"plugin_workflow_action_trigger\"\nrequired = true\n";

/// A running server; its data goes with it.
pub(crate) struct Running {
    pub(crate) server: Server,
    pub(crate) folder: TempDir,
    pub(crate) url: String,
}

/// A user of the API.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    url: String,
    pub(crate) token: String,
}

/// Status and body.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer(pub(crate) u16, pub(crate) Value);

pub(crate) fn options(folder: &Path) -> ServerOptions {
    let manifest = folder.join("plugin.toml");
    std::fs::write(&manifest, MANIFEST).expect("the manifest is written");
    ServerOptions {
        data_dir: folder.join("data"),
        listen: ([127, 0, 0, 1], 0).into(),
        manifest: Some(manifest),
        database_url: test_database::chosen_for(folder),
        role: Default::default(),
        token_secret: None,
        data_source_folder: None,
        token_secret_changed: false,
        admin: Admin { email: "admin@example.com".to_owned(), password: Some(PASSWORD.to_owned()) },
        outside: workflow::OutsideOptions::default(),
        strictness: Strictness::default(),
        clock: store::Clock::default(),
    }
}

impl Running {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self::start_in(folder).await.expect("the server starts")
    }

    pub(crate) async fn start_in(folder: TempDir) -> Result<Self, HostError> {
        let server = Server::start(options(folder.path())).await?;
        let url = format!("http://{}", server.local_addr());
        Ok(Self { server, folder, url })
    }

    pub(crate) async fn root(&self) -> Client {
        self.sign_in("admin", PASSWORD).await
    }

    pub(crate) async fn sign_in(&self, account: &str, password: &str) -> Client {
        let mut client = self.nobody();
        let answer = client.post("auth:signIn", json!({"account": account, "password": password})).await;
        client.token = answer.data()["token"].as_str().expect("a token").to_owned();
        client
    }

    pub(crate) fn nobody(&self) -> Client {
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Client { http, url: self.url.clone(), token: String::new() }
    }
}

impl Client {
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}/api/{path}", self.url));
        if self.token.is_empty() { request } else { request.bearer_auth(&self.token) }
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.expect("an answer");
        Answer(response.status().as_u16(), response.json().await.expect("JSON"))
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::POST, path).json(&body)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    /// posts(title, secret, category → categories), categories(title).
    pub(crate) async fn make_posts(&self) {
        let text = |name: &str| json!({"name": name, "type": "string"});
        let category =
            json!({"name": "category", "type": "belongsTo", "target": "categories", "foreignKey": "categoryId"});
        self.post("collections:create", json!({"name": "categories", "fields": [text("title")]})).await.data();
        let posts = json!({"name": "posts", "fields": [text("title"), text("secret"), category]});
        self.post("collections:create", posts).await.data();
    }

    /// A synchronous, enabled workflow on posts.
    pub(crate) async fn make_workflow(&self) -> Value {
        let values = json!({"type": "action", "sync": true, "enabled": true, "config": {"collection": "posts"}});
        self.post("workflows:create", values).await.data()
    }
}

impl Answer {
    /// The data of a success.
    #[track_caller]
    pub(crate) fn data(self) -> Value {
        assert_eq!(self.0, 200, "{}", self.1);
        self.1["data"].clone()
    }

    /// The status, with the code or else the message of a failure.
    pub(crate) fn refusal(&self) -> (u16, &str) {
        let error = &self.1["errors"][0];
        (self.0, error["code"].as_str().or(error["message"].as_str()).unwrap_or_default())
    }
}

/// Asks until there is an answer.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let mut every = tokio::time::interval(Duration::from_millis(20));
    let answer = async {
        loop {
            every.tick().await;
            if let Some(answer) = ask().await {
                return answer;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), answer).await.unwrap_or_else(|_| panic!("{what}"))
}
