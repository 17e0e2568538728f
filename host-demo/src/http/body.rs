//! The request body: JSON values, bounded in length and depth, whatever content type the caller states.
//!
//! `curl -d '{…}'` states a form although it sends JSON, so the content type is not asked.

use axum::body::{Body, to_bytes};
use serde_json::{Map, Value};
use store::Record;

use super::error::ApiError;

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
        let bytes = to_bytes(body, limit_bytes).await.map_err(|error| {
            if is_over_limit(&error) {
                ApiError::BodyTooLarge { limit_bytes }
            } else {
                ApiError::invalid("INCOMPLETE_BODY", "the body ended early")
            }
        })?;
        Self::parse(&bytes)
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

    /// The keys for `add`, `set` and `remove`: bare keys or objects that hold them.
    pub(crate) fn into_keys(self) -> Vec<Value> {
        match self {
            Self::Nothing => Vec::new(),
            Self::One(values) => vec![Value::Object(values)],
            Self::Many(items) => items,
        }
    }
}

fn is_over_limit(error: &axum::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if cause.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        source = cause.source();
    }
    false
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
