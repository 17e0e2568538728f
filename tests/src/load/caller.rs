//! A signed-in user who takes a server's death calmly.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::place::{EMAIL, PASSWORD};

/// Where the servers are; none while all are away.
pub(crate) type Address = watch::Receiver<Vec<String>>;

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longer than it takes to notice that a server is gone.
const MOMENT: Duration = Duration::from_millis(200);

/// Speaks to whichever process serves the data now.
#[derive(Clone)]
pub(crate) struct Caller {
    http: reqwest::Client,
    address: Address,
    token: String,
    /// Counts the calls, which go to the servers by turns.
    calls: usize,
}

/// What came of a call.
#[derive(Debug)]
pub(crate) enum Reply {
    Answered {
        status: u16,
        body: Value,
    },
    /// No answer, or half of one: the call may have been carried out or not.
    Broken,
}

impl Caller {
    pub(crate) async fn sign_in(address: Address) -> Result<Self> {
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
        let mut caller = Self { http, address, token: String::new(), calls: 0 };
        let answer = caller.done("auth:signIn", &json!({"account": EMAIL, "password": PASSWORD})).await?;
        caller.token = answer["token"].as_str().context("a token")?.to_owned();
        Ok(caller)
    }

    /// `POST /api/<path>`, once there is a server. After a broken call it takes a moment for the next server to come.
    pub(crate) async fn post(&mut self, path: &str, body: &Value) -> Reply {
        let reply = self.try_post(path, body).await;
        if matches!(reply, Reply::Broken) {
            let _moved_or_not = tokio::time::timeout(MOMENT, self.address.changed()).await;
        }
        reply
    }

    async fn try_post(&mut self, path: &str, body: &Value) -> Reply {
        let Ok(urls) = self.address.wait_for(|urls| !urls.is_empty()).await.map(|urls| urls.clone()) else {
            return Reply::Broken;
        };
        self.calls = self.calls.wrapping_add(1);
        let url = &urls[self.calls % urls.len()];
        let request = self.http.post(format!("{url}/api/{path}")).bearer_auth(&self.token).json(body);
        let Ok(response) = request.send().await else { return Reply::Broken };
        let status = response.status().as_u16();
        match response.json().await {
            Ok(body) => Reply::Answered { status, body },
            Err(_) => Reply::Broken,
        }
    }

    /// Like [`Self::post`], for what has to succeed; answers its `data`.
    pub(crate) async fn done(&mut self, path: &str, body: &Value) -> Result<Value> {
        match self.post(path, body).await {
            Reply::Answered { status: 200, mut body } => Ok(body["data"].take()),
            Reply::Answered { status, body } => bail!("{path}: {status} {body}"),
            Reply::Broken => bail!("{path}: no answer"),
        }
    }
}
