//! Requests to the routes that plugins offer: `/api/<route>/<path>`, without a sign-in. A path with a `:` is an address like any other.

use std::sync::Arc;

use axum::{
    Json,
    body::Body,
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use plugin_api::{RouteAnswer, RouteRefusal, RouteRequest};
use serde_json::json;
use tokio::task::spawn_blocking;
use tracing::Span;

use super::{body, error::ApiError};
use crate::{
    host::{BODY_LIMIT_BYTES, Host},
    pipeline::{Started, start_from_route},
    plugins::{Plugins, RouteVerdict},
};

/// A route and the path below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    route: String,
    path: String,
}

/// Says whether a path below `/api/` is a plugin's to answer.
pub(super) fn target(host: &Host, path: &str) -> Option<Target> {
    let (route, path) = path.split_once('/').filter(|_| !path.contains(':'))?;
    let is_there = host.plugins.current().has_route(route);
    is_there.then(|| Target { route: route.to_owned(), path: path.to_owned() })
}

/// Says whether a path could only have been the route of a plugin that is not there.
pub(super) fn is_nowhere(host: &Host, path: &str) -> bool {
    let first = path.split_once('/').filter(|_| !path.contains(':')).map(|(first, _)| first);
    first.is_some_and(|first| host.store.schema().collection(first).is_err())
}

/// Asks the plugin, and starts what it wants to start.
///
/// # Errors
///
/// The plugin's refusal; 503 if it cannot answer; 413; the verdict of a synchronous workflow.
pub(super) async fn answer(host: &Arc<Host>, target: Target, head: &Parts, body: Body) -> Result<Response, ApiError> {
    let body = body::read(body, BODY_LIMIT_BYTES).await?;
    let plugins = host.plugins.current();
    let at_ms = host.store.clock().now_ms();
    // It may have gone while the body came.
    let verdict = ask(Arc::clone(&plugins), target, head, body, at_ms).await?.ok_or_else(ApiError::unknown_path)?;
    let RouteVerdict { plugin, result } = verdict;
    match result {
        Ok(RouteAnswer::Start(start)) => {
            let started = start_from_route(host, plugins, plugin, start).await?;
            Ok(match started {
                Started::Ended { output, messages } => {
                    let messages: Vec<_> = messages.into_iter().map(|message| json!({"message": message})).collect();
                    let mut body = json!({"data": output});
                    if !messages.is_empty() {
                        body["messages"] = messages.into();
                    }
                    Json(body).into_response()
                }
                Started::Queued(id) => {
                    (StatusCode::ACCEPTED, Json(json!({"data": {"execution": {"id": id}}}))).into_response()
                }
            })
        }
        Ok(RouteAnswer::Refuse(RouteRefusal { status, message })) => Err(ApiError::RefusedByRoute { status, message }),
        // A later version's answer is not understood here, like one that is missing.
        Ok(_) | Err(_) => Err(ApiError::RouteUnavailable { plugin: plugin.to_string() }),
    }
}

/// Asks the plugin on a thread where it may take its time: on one that serves connections, a slow answer could keep all of them
/// from being served.
async fn ask(
    plugins: Arc<Plugins>,
    target: Target,
    head: &Parts,
    body: Vec<u8>,
    at_ms: i64,
) -> Result<Option<RouteVerdict>, ApiError> {
    let headers: Vec<(String, String)> = head
        .headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect();
    let (method, query) = (head.method.clone(), head.uri.query().unwrap_or_default().to_owned());
    // What the plugin logs belongs to the request.
    let span = Span::current();
    let asked = spawn_blocking(move || {
        let _entered = span.entered();
        let mut request = RouteRequest::new(method.as_str(), &target.path);
        request.query = &query;
        request.headers = &headers;
        request.body = &body;
        request.at_ms = at_ms;
        plugins.answer(&target.route, &request)
    });
    asked.await.map_err(|error| ApiError::Internal(error.to_string()))
}
