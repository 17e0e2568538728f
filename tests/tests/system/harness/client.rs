//! A client of the HTTP API.

use reqwest::Method;
use serde_json::{Value, json};

/// A user of the API, signed in or not.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base_url: String,
    pub(crate) token: Option<String>,
    role: Option<String>,
    source: Option<String>,
}

/// What the server answered.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Client {
    pub(crate) fn anonymous(base_url: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { http, base_url: base_url.to_owned(), token: None, role: None, source: None }
    }

    pub(crate) async fn sign_in(base_url: &str, account: &str, password: &str) -> Self {
        let mut client = Self::anonymous(base_url);
        let answer = client.post("auth:signIn", json!({"account": account, "password": password})).await.ok();
        client.token = Some(answer["token"].as_str().expect("a token").to_owned());
        client
    }

    /// The same user in another role.
    pub(crate) fn in_role(&self, role: &str) -> Self {
        Self { role: Some(role.to_owned()), ..self.clone() }
    }

    /// The same user at a further data source.
    pub(crate) fn at(&self, source: &str) -> Self {
        Self { source: Some(source.to_owned()), ..self.clone() }
    }

    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// `POST /api/<path>` with a JSON body.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::POST, path).json(&body)).await
    }

    /// `GET /api/<path>`.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    /// The records that a filter matches.
    pub(crate) async fn list(&self, collection: &str, filter: Value) -> Vec<Value> {
        let request = self.request(Method::GET, &format!("{collection}:list"));
        let query = [("filter", filter.to_string()), ("sort", "id".into()), ("pageSize", "2000".into())];
        self.send(request.query(&query)).await.ok().as_array().expect("a list").clone()
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let mut request = self.http.request(method, format!("{}/api/{path}", self.base_url));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(role) = &self.role {
            request = request.header("X-Role", role);
        }
        if let Some(source) = &self.source {
            request = request.header("X-Data-Source", source);
        }
        request
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.expect("the server answers");
        let status = response.status().as_u16();
        let text = response.text().await.expect("a body");
        Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
    }
}

impl Answer {
    /// The `data` of a 200.
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        self.body.get("data").cloned().unwrap_or(Value::Null)
    }

    /// The first error's message.
    #[track_caller]
    pub(crate) fn message(&self) -> &str {
        self.body["errors"][0]["message"].as_str().unwrap_or_else(|| panic!("no error message in {}", self.body))
    }

    /// The first error's code, if it has one.
    pub(crate) fn code(&self) -> Option<&str> {
        self.body["errors"][0]["code"].as_str()
    }
}
