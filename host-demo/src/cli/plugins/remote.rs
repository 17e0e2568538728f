//! The plugins of a running server, over its HTTP API.

use reqwest::Url;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::plugins::{Change, PluginDetails, PluginReport};

/// A running server and an administrator's token.
pub(super) struct Remote {
    server: String,
    token: String,
}

impl Remote {
    pub(super) fn new(server: &str, token: &str) -> Self {
        Self { server: server.trim_end_matches('/').to_owned(), token: token.to_owned() }
    }

    pub(super) fn list(&self) -> Result<Vec<PluginReport>, String> {
        self.call("list", None, &json!({}))
    }

    pub(super) fn reload_all(&self) -> Result<Vec<PluginReport>, String> {
        self.call("reload", None, &json!({}))
    }

    pub(super) fn info(&self, id: &str) -> Result<PluginDetails, String> {
        self.call("get", Some(id), &json!({}))
    }

    pub(super) fn change(&self, change: &Change) -> Result<PluginDetails, String> {
        match change {
            Change::Enable { id } => self.call("enable", Some(id), &json!({})),
            Change::Disable { id, force } => self.call("disable", Some(id), &json!({"force": force})),
            Change::Upgrade { id, library, sha256 } => {
                self.call("upgrade", Some(id), &json!({"library": library, "sha256": sha256}))
            }
            Change::Reload { id } => self.call("reload", Some(id), &json!({})),
            Change::ReloadAll => Err("all plugins are reloaded together".to_owned()),
        }
    }

    fn call<T: DeserializeOwned>(&self, action: &str, id: Option<&str>, body: &Value) -> Result<T, String> {
        let unreachable = |error: &dyn std::fmt::Display| format!("{}: {error}", self.server);
        let mut url =
            Url::parse(&format!("{}/api/plugins:{action}", self.server)).map_err(|error| unreachable(&error))?;
        if let Some(id) = id {
            url.query_pairs_mut().append_pair("filterByTk", id);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| unreachable(&error))?;
        let (status, answer) = runtime
            .block_on(async {
                let request = reqwest::Client::new().post(url).bearer_auth(&self.token).json(body);
                let response = request.send().await?;
                Ok::<_, reqwest::Error>((response.status(), response.json::<Value>().await?))
            })
            .map_err(|error| unreachable(&error.without_url()))?;
        if !status.is_success() {
            let message = answer["errors"][0]["message"].as_str().unwrap_or("the server refuses");
            return Err(format!("{message} ({})", status.as_u16()));
        }
        serde_json::from_value(answer["data"].clone()).map_err(|error| unreachable(&error))
    }
}
