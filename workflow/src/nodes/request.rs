//! `request`: asks an HTTP server for something.

use std::time::Duration;

use reqwest::{
    Method, Url,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use store::JobStatus;

use super::{
    Effect, NodeError, NodeResult, NodeType, Run,
    lenient::{Amount, Text},
};
use crate::{
    expression::Expressions,
    outside::http::{HttpError, Incoming, Outgoing},
    variables::holds_variable,
};

/// Sends a request. The job's result is `{status, headers, data}`.
pub(super) struct Request;

/// Sends an HTTP request and hands the answer to later nodes.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Config {
    /// The method.
    #[serde(default)]
    method: Verb,
    /// Where to: http or https.
    url: String,
    /// How the data is written.
    #[serde(default)]
    content_type: ContentType,
    /// Further headers.
    #[serde(default)]
    headers: Vec<Pair>,
    /// Query parameters, added to those of the URL.
    #[serde(default)]
    params: Vec<Pair>,
    /// The body: any JSON; for a form an object or a list of names and values; for a text a text.
    #[serde(default)]
    data: Value,
    /// Milliseconds until there has to be a complete answer.
    #[serde(default = "five_seconds")]
    timeout: Amount,
    /// The longest answer that is read, in bytes.
    #[serde(default = "one_mebibyte")]
    max_response_bytes: Amount,
    /// Goes on whatever the answer is, and without one.
    #[serde(default)]
    ignore_fail: bool,
    /// The result is the answer's data alone.
    #[serde(default)]
    only_data: bool,
}

#[derive(Deserialize, JsonSchema, Default, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
#[schemars(inline)]
enum Verb {
    Get,
    #[default]
    Post,
    Put,
    Patch,
    Delete,
    Head,
}

#[derive(Deserialize, JsonSchema, Default, Clone, Copy, PartialEq, Eq)]
#[schemars(inline)]
enum ContentType {
    #[default]
    #[serde(rename = "application/json")]
    Json,
    #[serde(rename = "application/x-www-form-urlencoded")]
    Form,
    #[serde(rename = "text/plain")]
    Text,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(inline)]
struct Pair {
    /// The name.
    name: String,
    /// The value.
    #[serde(default)]
    value: Text,
}

fn five_seconds() -> Amount {
    Amount(5_000.0)
}

fn one_mebibyte() -> Amount {
    Amount(1_048_576.0)
}

/// Longest wait: beyond it the other side should call back instead.
const MAX_TIMEOUT_MS: f64 = 600_000.0;

/// Largest answer: it becomes a job's result, which is stored and handed to later nodes as a whole.
const MAX_RESPONSE_BYTES: f64 = 8.0 * 1_048_576.0;

/// Headers that say how a message is framed or routed; they follow from the request.
const NOT_OURS: [&str; 7] = ["connection", "content-length", "expect", "host", "te", "transfer-encoding", "upgrade"];

impl From<Verb> for Method {
    fn from(verb: Verb) -> Self {
        match verb {
            Verb::Get => Self::GET,
            Verb::Post => Self::POST,
            Verb::Put => Self::PUT,
            Verb::Patch => Self::PATCH,
            Verb::Delete => Self::DELETE,
            Verb::Head => Self::HEAD,
        }
    }
}

impl NodeType for Request {
    const NAME: &'static str = "request";

    type Config = Config;

    fn check(config: &Value, _: &Expressions) -> Result<(), String> {
        if let Some(url) = config.get("url").filter(|url| !holds_variable(url)).and_then(Value::as_str) {
            read_url(url).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    async fn run(config: Config, run: &Run<'_>) -> Result<Effect, NodeError> {
        let (ignore_fail, only_data) = (config.ignore_fail, config.only_data);
        let request = config.outgoing(&run.idempotency_key())?;
        let result = match run.outside.http.send(request).await {
            Ok(answer) => {
                let good = ignore_fail || !(answer.status.is_client_error() || answer.status.is_server_error());
                let status = if good { JobStatus::Resolved } else { JobStatus::Failed };
                NodeResult::ended(status, result(&answer, only_data))
            }
            // Not a matter of luck: the configuration or the operator has to change.
            Err(error @ (HttpError::NotPublic(_) | HttpError::Scheme)) => {
                return Err(NodeError::Refused(error.to_string()));
            }
            Err(
                error @ (HttpError::TooManyRedirects
                | HttpError::BadRedirect
                | HttpError::Timeout(_)
                | HttpError::TooLarge(_)
                | HttpError::Failed(_)),
            ) => {
                let status = if ignore_fail { JobStatus::Resolved } else { JobStatus::Failed };
                NodeResult::ended(status, json!({"message": error.to_string()}))
            }
        };
        Ok(Effect::Done(result))
    }
}

impl Config {
    fn outgoing(self, idempotency_key: &str) -> Result<Outgoing, NodeError> {
        let timeout_ms = bounded("timeout", self.timeout, MAX_TIMEOUT_MS)?;
        let max_bytes = bounded("maxResponseBytes", self.max_response_bytes, MAX_RESPONSE_BYTES)?;
        let mut url = read_url(&self.url)?;
        if !self.params.is_empty() {
            url.query_pairs_mut().extend_pairs(self.params.iter().map(|pair| (&pair.name, &pair.value.0)));
        }
        let body = match self.method {
            Verb::Get | Verb::Head => None,
            Verb::Post | Verb::Put | Verb::Patch | Verb::Delete => body(self.content_type, &self.data)?,
        };
        let mut headers = HeaderMap::new();
        let key = HeaderValue::from_str(idempotency_key).map_err(|error| NodeError::Refused(error.to_string()))?;
        headers.insert(HeaderName::from_static("idempotency-key"), key);
        if body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type.name()));
        }
        for Pair { name, value } in &self.headers {
            let refused = || NodeError::Refused(format!("the header \"{name}\" cannot be sent"));
            let parsed: HeaderName = name.trim().parse().map_err(|_| refused())?;
            if NOT_OURS.contains(&parsed.as_str()) {
                return Err(refused());
            }
            let mut value = HeaderValue::from_str(value.0.trim()).map_err(|_| refused())?;
            value.set_sensitive(true);
            headers.insert(parsed, value);
        }
        Ok(Outgoing {
            method: self.method.into(),
            url,
            headers,
            body,
            timeout: Duration::from_millis(timeout_ms as u64),
            max_bytes: max_bytes as usize,
        })
    }
}

impl ContentType {
    fn name(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Form => "application/x-www-form-urlencoded",
            Self::Text => "text/plain; charset=utf-8",
        }
    }
}

fn bounded(name: &str, Amount(amount): Amount, most: f64) -> Result<f64, NodeError> {
    if (1.0..=most).contains(&amount) {
        Ok(amount)
    } else {
        Err(NodeError::Refused(format!("\"{name}\" must be between 1 and {most}")))
    }
}

fn read_url(text: &str) -> Result<Url, NodeError> {
    let url = Url::parse(text.trim()).map_err(|error| NodeError::Refused(format!("\"url\" is no address: {error}")))?;
    if matches!(url.scheme(), "http" | "https") {
        Ok(url)
    } else {
        Err(NodeError::Refused(HttpError::Scheme.to_string()))
    }
}

fn body(content_type: ContentType, data: &Value) -> Result<Option<Vec<u8>>, NodeError> {
    let refused = |sentence: &str| Err(NodeError::Refused(sentence.to_owned()));
    Ok(Some(match (content_type, data) {
        (_, Value::Null) => return Ok(None),
        (ContentType::Json, data) => data.to_string().into_bytes(),
        (ContentType::Text, Value::String(text)) => text.clone().into_bytes(),
        (ContentType::Text, data) => data.to_string().into_bytes(),
        (ContentType::Form, Value::Object(members)) => form(members.iter().map(|(name, value)| (name.as_str(), value))),
        (ContentType::Form, Value::Array(items)) => {
            let pairs = items.iter().map(|item| Some((item.get("name")?.as_str()?, item.get("value")?)));
            match pairs.collect::<Option<Vec<_>>>() {
                Some(pairs) => form(pairs.into_iter()),
                None => return refused("\"data\" of a form must be a list of names and values"),
            }
        }
        (ContentType::Form, Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
            return refused("\"data\" of a form must be an object or a list of names and values");
        }
    }))
}

/// Writes a form. A list is a name that occurs several times.
fn form<'p>(pairs: impl Iterator<Item = (&'p str, &'p Value)>) -> Vec<u8> {
    let mut written = form_urlencoded::Serializer::new(String::new());
    for (name, value) in pairs {
        match value {
            Value::Array(items) => written.extend_pairs(items.iter().map(|item| (name, text(item)))),
            value => written.append_pair(name, &text(value)),
        };
    }
    written.finish().into_bytes()
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn result(answer: &Incoming, only_data: bool) -> Value {
    let data = data(answer);
    if only_data {
        return data;
    }
    let mut headers = Map::new();
    for name in answer.headers.keys() {
        let values: Vec<_> =
            answer.headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        headers.insert(name.as_str().to_owned(), Value::String(values.join(", ")));
    }
    json!({"status": answer.status.as_u16(), "headers": headers, "data": data})
}

/// JSON where the server says so and it is; otherwise text.
fn data(answer: &Incoming) -> Value {
    if answer.body.is_empty() {
        return Value::Null;
    }
    let content_type = answer.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let json = essence == "application/json" || essence.ends_with("+json");
    json.then(|| serde_json::from_slice(&answer.body).ok())
        .flatten()
        .unwrap_or_else(|| Value::String(String::from_utf8_lossy(&answer.body).into_owned()))
}
