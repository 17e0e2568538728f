//! The address of a request: which action, on which resource, on which record.
//!
//! ```text
//! <resource>:<action>[/<key>]
//! <source>/<key>/<association>:<action>[/<key>]
//! ```
//!
//! Without `:<action>` the HTTP verb chooses it. Segments are percent-decoded one by one, so a key may hold `/` and `:`.
//! Whether the names exist is for others to say.

use axum::http::Method;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::error::ApiError;

/// Longest path that is read, in bytes: three names, an action and two composite keys fit many times over.
const PATH_MAX_BYTES: usize = 4_096;

/// The record and association field that an association resource hangs from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Source {
    /// The resource left of the association.
    pub(crate) resource: String,
    /// The key of its record.
    pub(crate) key: Value,
}

/// A parsed address.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Address {
    /// Set for an association resource.
    pub(crate) source: Option<Source>,
    /// The resource; for an association resource the association's name.
    pub(crate) resource: String,
    /// The action's name as given, or as the verb says.
    pub(crate) action: String,
    /// The key at the end of the path.
    pub(crate) key: Option<Value>,
}

impl Address {
    /// Reads the part of the path after `/api/`, still percent-encoded.
    ///
    /// # Errors
    ///
    /// 404 for paths of another shape, 400 for text that is not UTF-8.
    pub(crate) fn parse(method: &Method, path: &str) -> Result<Self, ApiError> {
        if path.len() > PATH_MAX_BYTES {
            return Err(ApiError::invalid("INVALID_PATH", format!("the path is longer than {PATH_MAX_BYTES} bytes")));
        }
        // The colon is looked for before decoding, except that clients may encode it in a name, never in a key.
        let segments = path.trim_end_matches('/').split('/').map(decode).collect::<Result<Vec<_>, _>>()?;
        let (source, rest) = match segments.as_slice() {
            [first, ..] if first.is_empty() => return Err(ApiError::unknown_path()),
            [resource, key, rest @ ..] if !rest.is_empty() && !resource.contains(':') => {
                (Some(Source { resource: resource.clone(), key: key_value(key)? }), rest)
            }
            all => (None, all),
        };
        let (name, key) = match rest {
            [name] => (name, None),
            [name, key] => (name, Some(key_value(key)?)),
            _ => return Err(ApiError::unknown_path()),
        };
        let (resource, action) = match name.split_once(':') {
            Some((resource, action)) => (resource.to_owned(), action.to_owned()),
            None => (name.clone(), verb(method, key.is_some())?.to_owned()),
        };
        if resource.is_empty() || action.is_empty() {
            return Err(ApiError::unknown_path());
        }
        Ok(Self { source, resource, action, key })
    }
}

fn decode(segment: &str) -> Result<String, ApiError> {
    percent_decode_str(segment)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| ApiError::invalid("INVALID_PATH", "the path is not UTF-8"))
}

/// Reads a key: JSON text of an object (composite keys) or an array (several records), else the text as it is.
pub(crate) fn key_value(text: &str) -> Result<Value, ApiError> {
    if text.starts_with(['{', '[']) {
        return serde_json::from_str(text)
            .map_err(|_| ApiError::invalid("INVALID_PARAMETER", "a key that starts like JSON has to be JSON"));
    }
    Ok(Value::String(text.to_owned()))
}

fn verb(method: &Method, one: bool) -> Result<&'static str, ApiError> {
    match (method.as_str(), one) {
        ("GET" | "HEAD", false) => Ok("list"),
        ("GET" | "HEAD", true) => Ok("get"),
        ("POST", false) => Ok("create"),
        ("PUT" | "PATCH", _) => Ok("update"),
        ("DELETE", _) => Ok("destroy"),
        _ => Err(ApiError::MethodNotAllowed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &Method, path: &str, want: &str) {
        let got = match Address::parse(method, path) {
            Ok(a) => {
                let source = a.source.map(|s| format!("{}[{}].", s.resource, s.key)).unwrap_or_default();
                let key = a.key.map(|k| format!("[{k}]")).unwrap_or_default();
                format!("{source}{}{key} {}", a.resource, a.action)
            }
            Err(error) => error.status().as_u16().to_string(),
        };
        assert_eq!(got, want, "{method} {path}");
    }

    #[test]
    fn addresses() {
        check(&Method::POST, "posts:create", "posts create");
        check(&Method::GET, "posts:list", "posts list");
        check(&Method::POST, "posts:update/85", r#"posts["85"] update"#);
        check(&Method::POST, "posts", "posts create");
        check(&Method::GET, "posts/", "posts list");
        check(&Method::GET, "posts/1", r#"posts["1"] get"#);
        check(&Method::PUT, "posts/1", r#"posts["1"] update"#);
        check(&Method::PATCH, "posts/1", r#"posts["1"] update"#);
        check(&Method::DELETE, "posts/1", r#"posts["1"] destroy"#);
        check(&Method::POST, "categories/7/posts:create", r#"categories["7"].posts create"#);
        check(&Method::POST, "categories/7/posts:update/9", r#"categories["7"].posts["9"] update"#);
        check(&Method::GET, "categories/7/posts", r#"categories["7"].posts list"#);
        check(&Method::GET, "categories/7/posts/9", r#"categories["7"].posts["9"] get"#);
        check(&Method::GET, "roles/a%2Fb%3Ac/users", r#"roles["a/b:c"].users list"#);
        check(&Method::POST, "posts%3Acreate", "posts create");
        check(&Method::GET, "pt:get/%7B%22a%22%3A1%7D", r#"pt[{"a":1}] get"#);
    }

    #[test]
    fn refusals() {
        check(&Method::POST, "", "404");
        check(&Method::POST, "/posts:create", "404");
        check(&Method::POST, ":create", "404");
        check(&Method::POST, "posts:", "404");
        check(&Method::POST, "posts:create/1/2", "404");
        check(&Method::POST, "a/1/b/2/c", "404");
        check(&Method::POST, "posts/1", "405");
        check(&Method::OPTIONS, "posts", "405");
        check(&Method::POST, "%ff:create", "400");
        check(&Method::POST, "posts:update/%7Bx", "400");
        check(&Method::POST, &"x".repeat(5_000), "400");
    }
}
