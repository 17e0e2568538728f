//! A server with the plugin that comes in two versions.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{Answer, Blog, Host, HostOptions, process::BUILT_IN_PLUGINS};

/// The libraries of the two versions, as the manifest names them.
pub(super) const OLD: &str = "plugin_versioned";
pub(super) const NEXT: &str = "plugin_versioned_next";

/// A server with the built-in plugin and the earlier version.
pub(super) struct Versioned {
    pub(super) host: Host,
    pub(super) blog: Blog,
}

impl Versioned {
    /// `more` goes into the plugin's entry, after the line with its library.
    pub(super) async fn start(more: &str) -> Self {
        let manifest = format!(
            "# Ours.\n{BUILT_IN_PLUGINS}\n# In two versions.\n[[plugin]]\nid = \"plugin-versioned\"\n\
             library = \"{OLD}\" # the one that runs\ngrants = [\"routes\"]\n{more}\n"
        );
        let environment = vec![("HOST_METRICS_LISTEN", "127.0.0.1:0".to_owned())];
        let host = Host::start_with(HostOptions { manifest, environment, ..HostOptions::default() }).await;
        let blog = Blog::set_up(host.admin().await).await;
        Self { host, blog }
    }

    /// Makes an enabled workflow of the plugin's type; answers its id.
    pub(super) async fn workflow(&self, collection: &str) -> i64 {
        let config = json!({"collection": collection});
        let values = json!({"title": "test", "type": "versioned", "enabled": true, "config": config});
        self.blog.admin.post("workflows:create", values).await.ok()["id"].as_i64().expect("an id")
    }

    pub(super) async fn act(&self, action: &str, body: Value) -> Answer {
        self.blog.admin.post(&format!("plugins:{action}?filterByTk=plugin-versioned"), body).await
    }

    pub(super) async fn upgrade(&self, library: &str) -> Answer {
        self.act("upgrade", json!({"library": library})).await
    }

    /// Everything that the server tells about the plugin.
    pub(super) async fn details(&self) -> Value {
        self.blog.admin.get("plugins:get?filterByTk=plugin-versioned").await.ok()
    }

    pub(super) async fn state(&self) -> (Value, Value) {
        let details = self.details().await;
        (details["state"].clone(), details["version"].clone())
    }

    /// Creates a post; `bindings` make the plugin fail.
    pub(super) async fn create(&self, title: &str, bindings: &str) -> Answer {
        self.blog.create("posts", bindings, json!({"title": title})).await
    }

    /// The titles of the posts that a workflow got, in order.
    pub(super) async fn titles(&self, workflow: i64) -> Vec<String> {
        let mut titles = Vec::new();
        for page in 1.. {
            let path =
                format!("executions:list?filter={{\"workflowId\":{workflow}}}&sort=id&pageSize=1000&page={page}");
            let executions = self.blog.admin.get(&path).await.ok();
            let executions = executions.as_array().expect("a list");
            titles.extend(executions.iter().map(|it| it["context"]["data"]["title"].as_str().unwrap_or("").to_owned()));
            if executions.len() < 1_000 {
                break;
            }
        }
        titles
    }

    pub(super) fn manifest(&self) -> String {
        fs::read_to_string(self.host.manifest()).expect("the manifest")
    }

    pub(super) async fn readyz(&self) -> (u16, Value) {
        let answer = reqwest::get(format!("{}/readyz", self.host.base_url())).await.expect("an answer");
        (answer.status().as_u16(), answer.json::<Value>().await.expect("JSON")["plugins"]["plugin-versioned"].clone())
    }
}
