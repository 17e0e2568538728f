//! What the workflow gets of a request: `headers`, `query` and `body`.

use plugin_api::RouteRequest;
use serde_json::{Map, Value};

use crate::{
    config::{BodyKind, Config},
    proof::TOKEN_HEADER,
};

/// The context of an execution.
///
/// # Errors
///
/// A sentence about a body that cannot be read.
pub(crate) fn context(config: &Config, request: &RouteRequest<'_>) -> Result<Map<String, Value>, String> {
    let secret = |name: &str| {
        ["authorization", "cookie", TOKEN_HEADER].contains(&name) || name.eq_ignore_ascii_case(&config.signature_header)
    };
    let headers = request.headers.iter().filter(|(name, _)| !secret(name));
    Ok(Map::from_iter([
        ("headers".to_owned(), named(headers.map(|(name, value)| (name.clone(), value.clone())))),
        ("query".to_owned(), form(request.query.as_bytes())),
        ("body".to_owned(), body(config.body, request.body)?),
    ]))
}

fn body(kind: BodyKind, bytes: &[u8]) -> Result<Value, String> {
    match kind {
        BodyKind::Json if bytes.iter().all(u8::is_ascii_whitespace) => Ok(Value::Null),
        BodyKind::Json => serde_json::from_slice(bytes).map_err(|error| format!("the body is no JSON: {error}")),
        BodyKind::Form => Ok(form(bytes)),
        BodyKind::Text => {
            String::from_utf8(bytes.to_vec()).map(Value::String).map_err(|_| "the body is no text in UTF-8".to_owned())
        }
    }
}

fn form(bytes: &[u8]) -> Value {
    named(form_urlencoded::parse(bytes).map(|(name, value)| (name.into_owned(), value.into_owned())))
}

/// An object of texts; a name that comes several times has an array of them.
fn named(pairs: impl Iterator<Item = (String, String)>) -> Value {
    let mut members = Map::new();
    for (name, value) in pairs {
        match members.get_mut(&name) {
            None => {
                members.insert(name, Value::String(value));
            }
            Some(Value::Array(values)) => values.push(Value::String(value)),
            Some(first) => *first = Value::Array(vec![first.take(), Value::String(value)]),
        }
    }
    Value::Object(members)
}
