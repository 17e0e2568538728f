//! A plugin's [`RouteHandler`]. The head of a request crosses as JSON text, its body as bytes.

use std::borrow::Cow;

use abi_stable::{
    sabi_trait,
    sabi_trait::TD_Opaque,
    std_types::{RBox, RSlice, RStr, RString},
};
use serde::{Deserialize, Serialize};

use super::{
    error::{AbiResult, answer, read, result, write},
    guard::{GuardedDrop, guarded},
};
use crate::{
    error::PluginError,
    route::{RouteAnswer, RouteHandler, RouteRequest},
};

/// A handler that the host owns.
pub type RouteObject = RawRoute_TO<RBox<()>>;

/// The plugin's side of a [`RouteHandler`]. Since 1.2.
#[sabi_trait]
pub trait RawRoute: Send + Sync + 'static {
    /// Answers a request with a [`RouteAnswer`] as JSON text. The frozen prefix ends here.
    #[sabi(last_prefix_field)]
    fn answer(&self, head: RStr<'_>, body: RSlice<'_, u8>) -> AbiResult<RString>;
}

/// What a [`RouteRequest`] has besides its body.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head<'a> {
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow)]
    path: Cow<'a, str>,
    #[serde(borrow)]
    query: Cow<'a, str>,
    headers: Cow<'a, [(String, String)]>,
    at_ms: i64,
}

struct RouteProvider(GuardedDrop<Box<dyn RouteHandler>>);

impl RawRoute for RouteProvider {
    fn answer(&self, head: RStr<'_>, body: RSlice<'_, u8>) -> AbiResult<RString> {
        answer(guarded("a route", || {
            let head: Head<'_> = serde_json::from_str(head.as_str())
                .map_err(|error| PluginError::fault(format!("the head of the request cannot be read: {error}")))?;
            let request = RouteRequest {
                method: &head.method,
                path: &head.path,
                query: &head.query,
                headers: &head.headers,
                body: body.as_slice(),
                at_ms: head.at_ms,
            };
            write("answer of the route", &self.0.get().answer(&request)?)
        }))
    }
}

/// Offers a plugin's handler.
pub(crate) fn provide(handler: Box<dyn RouteHandler>) -> RouteObject {
    RawRoute_TO::from_value(RouteProvider(GuardedDrop::new("dropping a route", handler)), TD_Opaque)
}

/// A handler as the host calls it.
pub struct RouteClient(RouteObject);

impl RouteClient {
    pub(crate) fn new(handler: RouteObject) -> Self {
        Self(handler)
    }
}

impl RouteHandler for RouteClient {
    fn answer(&self, request: &RouteRequest<'_>) -> Result<RouteAnswer, PluginError> {
        let head = Head {
            method: request.method.into(),
            path: request.path.into(),
            query: request.query.into(),
            headers: request.headers.into(),
            at_ms: request.at_ms,
        };
        let head = write("head of the request", &head)?;
        read("answer of the route", &result(self.0.answer(head.as_rstr(), request.body.into()))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Refuses with what it was asked, and panics for DELETE.
    struct Echo;

    impl RouteHandler for Echo {
        fn answer(&self, request: &RouteRequest<'_>) -> Result<RouteAnswer, PluginError> {
            assert!(request.method != "DELETE", "not that");
            let RouteRequest { method, path, query, headers, body, at_ms } = request;
            Ok(RouteAnswer::refuse(418, format!("{method} {path} {query} {headers:?} {body:?} {at_ms}")))
        }
    }

    #[test]
    fn requests_and_answers_cross() {
        let client = RouteClient::new(provide(Box::new(Echo)));
        let headers = [("a\"b".to_owned(), "c".to_owned())];
        let request = RouteRequest {
            query: "x=%22",
            headers: &headers,
            body: &[0, 255],
            at_ms: 7,
            ..RouteRequest::new("PUT", "p")
        };
        let told = r#"PUT p x=%22 [("a\"b", "c")] [0, 255] 7"#;
        assert_eq!(client.answer(&request), Ok(RouteAnswer::refuse(418, told)));
        let error = client.answer(&RouteRequest::new("DELETE", "p")).expect_err("a panic");
        assert_eq!(error, PluginError::fault("panicked in a route: not that"));
    }
}
