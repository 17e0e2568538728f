//! A client of the server's HTTP API: what a script would do with curl.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::{Client, Method};
use serde_json::{Value, json};

/// Longer than any single call takes, synchronous workflows included.
const CALL_SECONDS: u64 = 30;

/// A signed-in client.
pub(crate) struct Api {
    client: Client,
    base: String,
    /// The bearer token.
    pub(crate) token: String,
    /// The user signed in, as the server describes it.
    pub(crate) user: Value,
}

impl Api {
    /// Signs in.
    pub(crate) async fn sign_in(url: &str, account: &str, password: &str) -> Result<Self> {
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(CALL_SECONDS)).build()?;
        let mut api = Self { client, base: format!("{url}/api/"), token: String::new(), user: Value::Null };
        let answer = api.post("auth:signIn", &[], &json!({ "account": account, "password": password })).await?;
        api.token = answer["token"].as_str().context("auth:signIn answered without a token")?.to_owned();
        api.user = answer["user"].clone();
        Ok(api)
    }

    /// Posts values to an action and answers with `data`.
    pub(crate) async fn post(&self, path: &str, query: &[(&str, &str)], values: &Value) -> Result<Value> {
        self.call(Method::POST, path, query, Some(values)).await
    }

    /// Gets `data` from an action.
    pub(crate) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value> {
        self.call(Method::GET, path, query, None).await
    }

    async fn call(&self, method: Method, path: &str, query: &[(&str, &str)], values: Option<&Value>) -> Result<Value> {
        let mut request = self.client.request(method, format!("{}{path}", self.base)).query(query);
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if let Some(values) = values {
            request = request.json(values);
        }
        let answer = request.send().await.with_context(|| format!("{path} was not answered"))?;
        let (status, body) = (answer.status(), answer.text().await?);
        if !status.is_success() {
            bail!("{path} answered {status}: {body}");
        }
        let mut body: Value =
            serde_json::from_str(&body).with_context(|| format!("{path} answered no JSON: {body}"))?;
        Ok(body["data"].take())
    }
}
