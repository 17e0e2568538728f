//! Counts requests by method and status, and how long they took.

use std::time::Instant;

use axum::{extract::Request, http::Method, middleware::Next, response::Response};

/// Passes a request on and counts its answer.
pub(super) async fn measure(request: Request, next: Next) -> Response {
    let (method, begun) = (method_label(request.method()), Instant::now());
    let response = next.run(request).await;
    let status = response.status().as_u16().to_string();
    metrics::counter!("http_requests_total", "method" => method, "status" => status).increment(1);
    metrics::histogram!("http_request_duration_seconds", "method" => method).record(begun.elapsed());
    response
}

/// Callers can make up methods; labels are few.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
