//! The routes, and what every request goes through: an id, a span, a task of its own, and JSON even for a panic.

use std::{any::Any, borrow::Cow, sync::Arc};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    middleware,
    response::{IntoResponse, Response},
    routing::{any, get},
};
use plugin_api::schema::MAIN_DATA_SOURCE;
use serde_json::json;
use tower_http::{ServiceBuilderExt, catch_panic::CatchPanicLayer, request_id::MakeRequestUuid, trace::TraceLayer};
use tracing::Instrument;

use super::{
    address::Address, answer::Reply, body::Values, error::ApiError, measure::measure, params::Params, plugin_route,
};
use crate::{
    access::{RequestContext, sign_in},
    host::{BODY_LIMIT_BYTES, Host},
    resources::{self, Call, execution_stream},
    server::HostRole,
};

const API: &str = "/api/";

/// All routes.
pub(crate) fn router(host: Arc<Host>) -> Router {
    let layers = tower::ServiceBuilder::new()
        .set_x_request_id(MakeRequestUuid)
        .layer(TraceLayer::new_for_http().make_span_with(span))
        .propagate_x_request_id()
        .layer(CatchPanicLayer::custom(panicked));
    let api = match host.role {
        HostRole::Serve | HostRole::Both => Router::new().route("/api/{*path}", any(api)),
        HostRole::Work => Router::new(),
    };
    api.route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .fallback(async || ApiError::unknown_path())
        .layer(layers)
        .layer(middleware::from_fn(measure))
        .with_state(host)
}

fn span(request: &Request) -> tracing::Span {
    let id = request.headers().get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
    // Without the query: it may carry a token.
    tracing::info_span!("request", otel.kind = "server", method = %request.method(), path = request.uri().path(), id)
}

fn panicked(_: Box<dyn Any + Send>) -> Response {
    ApiError::Internal("a request panicked".to_owned()).into_response()
}

/// Answers in a task of its own, so that what was begun is finished even if the caller goes away.
async fn api(State(host): State<Arc<Host>>, request: Request) -> Response {
    let task = host.requests.spawn(answer(Arc::clone(&host), request).in_current_span());
    match task.await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => error.into_response(),
        Err(error) => ApiError::Internal(error.to_string()).into_response(),
    }
}

async fn answer(host: Arc<Host>, request: Request) -> Result<Response, ApiError> {
    if host.is_draining() {
        return Err(ApiError::ShuttingDown);
    }
    host.catch_up().await?;
    let (head, body) = request.into_parts();
    if let Some(target) = plugin_route::target(&host, head.uri.path().strip_prefix(API).unwrap_or_default()) {
        return plugin_route::answer(&host, target, &head, body).await;
    }
    let path = head.uri.path().strip_prefix(API).unwrap_or_default();
    let address = Address::parse(&head.method, path).map_err(|error| match error {
        ApiError::MethodNotAllowed if plugin_route::is_nowhere(&host, path) => ApiError::unknown_path(),
        other => other,
    })?;
    let mut params = Params::parse(head.uri.query().unwrap_or_default())?;
    name_button(&mut params, &head.headers)?;
    if address.source.is_none() && address.resource == "auth" && address.action == "signIn" {
        let values = Values::read(body, BODY_LIMIT_BYTES).await?;
        let answer = sign_in(&host.store, &host.tokens, &values.into_object()?).await?;
        return Ok(Reply::from(answer).into_response());
    }
    let source = data_source(&head.headers);
    let context = RequestContext::open(&host, &head.headers, &params, &source).await?;
    let values = Values::read(body, BODY_LIMIT_BYTES).await?;
    let call = Call { address, params, values };
    if context.source().is_main() && execution_stream::is_asked_for(&call) {
        return execution_stream::open(&host, &context, &call).await;
    }
    // `event` is the key of the executions that the action starts: those in the background carry it too.
    let (resource, action) = (&call.address.resource, &call.address.action);
    let span = tracing::info_span!("action", resource, action, event = tracing::field::Empty);
    Ok(resources::dispatch(&host, &context, call).instrument(span).await?.into_response())
}

/// A client that sets headers for all its requests may name the pressed button there.
fn name_button(params: &mut Params, headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(name) = headers.get("x-button") else { return Ok(()) };
    let name = String::from_utf8_lossy(name.as_bytes()).into_owned();
    match &params.button {
        Some(other) if *other != name => {
            Err(ApiError::invalid("INVALID_PARAMETER", "\"button\" and \"X-Button\" name different buttons"))
        }
        Some(_) | None => {
            params.button = Some(name).filter(|name| !name.is_empty());
            Ok(())
        }
    }
}

/// Which data source a request is about.
fn data_source(headers: &HeaderMap) -> Cow<'_, str> {
    headers.get("x-data-source").map_or(MAIN_DATA_SOURCE.into(), |name| String::from_utf8_lossy(name.as_bytes()))
}

async fn healthz() -> Response {
    Json(json!({"alive": true})).into_response()
}

/// 200 while requests are welcome and the database answers, else 503; with the state of each plugin.
async fn readyz(State(host): State<Arc<Host>>) -> Response {
    let database = host.store.ping().await.is_ok();
    let is_ready = database && !host.is_draining();
    let plugins = host.plugins.current().status().into_iter();
    let plugins: serde_json::Map<_, _> = plugins.map(|report| (report.id, report.state.name().into())).collect();
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({"ready": is_ready, "database": database, "draining": host.is_draining(), "plugins": plugins});
    (status, Json(body)).into_response()
}
