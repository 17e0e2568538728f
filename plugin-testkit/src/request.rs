//! Requests to routes.

use plugin_api::RouteRequest;
use serde_json::Value;

/// A request of somebody outside to a route of the plugin. Without more it comes at the beginning of 1970 and has no query,
/// headers or body.
#[derive(Debug, Clone)]
pub struct Request {
    pub(crate) route: String,
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    at_ms: i64,
}

impl Request {
    /// A request to `/api/<route>/<path>`.
    pub fn new(method: &str, route: &str, path: &str) -> Self {
        Self {
            route: route.to_owned(),
            method: method.to_ascii_uppercase(),
            path: path.to_owned(),
            query: String::new(),
            headers: Vec::new(),
            body: Vec::new(),
            at_ms: 0,
        }
    }

    /// A POST to `/api/<route>/<path>`.
    pub fn post(route: &str, path: &str) -> Self {
        Self::new("POST", route, path)
    }

    /// With what comes after `?`, as sent.
    #[must_use]
    pub fn query(mut self, query: &str) -> Self {
        query.clone_into(&mut self.query);
        self
    }

    /// With a header more.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.to_owned()));
        self
    }

    /// With this body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// With this body, as `application/json`.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }

    /// At another time, in milliseconds since 1970.
    #[must_use]
    pub fn at_ms(mut self, at_ms: i64) -> Self {
        self.at_ms = at_ms;
        self
    }

    /// As the plugin gets it.
    pub(crate) fn as_route_request(&self) -> RouteRequest<'_> {
        let mut request = RouteRequest::new(&self.method, &self.path);
        request.query = &self.query;
        request.headers = &self.headers;
        request.body = &self.body;
        request.at_ms = self.at_ms;
        request
    }
}
