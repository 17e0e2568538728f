//! The request body: JSON values, bounded in length and depth, whatever content type the caller states.
//!
//! `curl -d '{…}'` states a form although it sends JSON, so the content type is not asked.

use std::time::Duration;

use axum::body::Body;
use futures::StreamExt;
use serde_json::{Map, Value};
use store::Record;

use super::error::ApiError;

/// How much of a body over the limit is still read, so that the caller, who is busy sending, gets to see the answer.
const DISCARD_BYTES: usize = 32 << 20;
/// How long a body may take: a connection that trickles must not be held for ever.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// What came in the body.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Values {
    /// No body.
    Nothing,
    /// One object.
    One(Record),
    /// An array of objects, keys, or both.
    Many(Vec<Value>),
}

impl Values {
    /// Reads the body, at most `limit_bytes` of it. Nesting over 128 levels is malformed.
    ///
    /// # Errors
    ///
    /// 413 over the limit, 400 for what is neither an object nor an array.
    pub(crate) async fn read(body: Body, limit_bytes: usize) -> Result<Self, ApiError> {
        Self::parse(&read(body, limit_bytes).await?)
    }

    fn parse(bytes: &[u8]) -> Result<Self, ApiError> {
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self::Nothing);
        }
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(values)) => Ok(Self::One(values)),
            Ok(Value::Array(items)) => Ok(Self::Many(items)),
            Ok(Value::Null) => Ok(Self::Nothing),
            Ok(_) => Err(ApiError::invalid("INVALID_BODY", "the body has to be a JSON object or array")),
            Err(error) => Err(ApiError::MalformedJson(error.to_string())),
        }
    }

    /// One object; no body is an empty one.
    pub(crate) fn into_object(self) -> Result<Record, ApiError> {
        match self {
            Self::Nothing => Ok(Map::new()),
            Self::One(values) => Ok(values),
            Self::Many(_) => Err(ApiError::invalid("INVALID_BODY", "the body has to be a JSON object")),
        }
    }

    /// One object that has to be there.
    pub(crate) fn into_given_object(self) -> Result<Record, ApiError> {
        if self == Self::Nothing {
            return Err(ApiError::invalid("EMPTY_BODY", "the body has to be a JSON object"));
        }
        self.into_object()
    }

    /// The keys for `add`, `set` and `remove`: bare keys or objects that hold them.
    pub(crate) fn into_keys(self) -> Vec<Value> {
        match self {
            Self::Nothing => Vec::new(),
            Self::One(values) => vec![Value::Object(values)],
            Self::Many(items) => items,
        }
    }
}

/// Reads a body as it is, at most `limit_bytes` of it.
///
/// # Errors
///
/// 413 over the limit; 400 for a body that does not come to its end.
pub(super) async fn read(body: Body, limit_bytes: usize) -> Result<Vec<u8>, ApiError> {
    tokio::time::timeout(READ_TIMEOUT, collect(body, limit_bytes))
        .await
        .map_err(|_| ApiError::invalid("INCOMPLETE_BODY", "the body took too long"))?
}

async fn collect(body: Body, limit_bytes: usize) -> Result<Vec<u8>, ApiError> {
    let mut chunks = body.into_data_stream();
    let mut bytes = Vec::new();
    let mut length: usize = 0;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| ApiError::invalid("INCOMPLETE_BODY", "the body ended early"))?;
        length = length.saturating_add(chunk.len());
        if length <= limit_bytes {
            bytes.extend_from_slice(&chunk);
        } else if length > DISCARD_BYTES {
            break;
        }
    }
    if length > limit_bytes { Err(ApiError::BodyTooLarge { limit_bytes }) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, want: &str) {
        let got = match Values::parse(text.as_bytes()) {
            Ok(Values::Nothing) => "nothing".to_owned(),
            Ok(Values::One(values)) => format!("one of {}", values.len()),
            Ok(Values::Many(items)) => format!("many of {}", items.len()),
            Err(error) => error.status().as_u16().to_string(),
        };
        assert_eq!(got, want, "{}", &text[..text.len().min(60)]);
    }

    #[test]
    fn bodies() {
        check("", "nothing");
        check(" \n", "nothing");
        check("null", "nothing");
        check("{}", "one of 0");
        check(r#"{"a": 1}"#, "one of 1");
        check("[1, {}]", "many of 2");
        check("1", "400");
        check("{", "400");
        check("a=b", "400");
        check(&"[".repeat(100_000), "400");
        check(&format!("{}{}", r#"{"a":"#.repeat(500), "}".repeat(500)), "400");
    }

    #[tokio::test]
    async fn limit() {
        let error = Values::read(Body::from(vec![b' '; 11]), 10).await.expect_err("over the limit");
        assert_eq!(error.status().as_u16(), 413);
        assert_eq!(Values::read(Body::from("[1]"), 3).await.expect("fits"), Values::Many(vec![1.into()]));
    }
}
