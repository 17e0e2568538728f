//! Whether a request may start a workflow: its signature and its token, compared in constant time.

use hmac::{Hmac, KeyInit as _, Mac as _};
use plugin_api::RouteRequest;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::config::Config;

/// Where a token may stand besides `Authorization`.
pub(crate) const TOKEN_HEADER: &str = "x-webhook-token";

/// Says whether the request proves what the configuration asks for. It does not say what is missing: that would help to guess.
pub(crate) fn holds(config: &Config, request: &RouteRequest<'_>) -> bool {
    let signed = config.secret.as_ref().is_none_or(|secret| is_signed(config, secret, request).unwrap_or(false));
    let known = config.token.as_ref().is_none_or(|token| sends(token, request));
    signed & known
}

/// `None` if something is missing or cannot be read.
fn is_signed(config: &Config, secret: &str, request: &RouteRequest<'_>) -> Option<bool> {
    let signature = header(request, &config.signature_header)?;
    let signature = hex::decode(signature.strip_prefix("sha256=").unwrap_or(signature)).ok()?;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    if let Some(name) = &config.timestamp_header {
        let time = header(request, name)?;
        let distance = (request.at_ms / 1_000).abs_diff(time.parse().ok()?);
        if distance > u64::from(config.tolerance_seconds) {
            return None;
        }
        mac.update(time.as_bytes());
        mac.update(b".");
    }
    mac.update(request.body);
    Some(mac.verify_slice(&signature).is_ok())
}

fn sends(token: &str, request: &RouteRequest<'_>) -> bool {
    let bearer = header(request, "authorization").and_then(|value| value.strip_prefix("Bearer "));
    let sent = [bearer, header(request, TOKEN_HEADER)];
    sent.into_iter().flatten().any(|sent| bool::from(sent.as_bytes().ct_eq(token.as_bytes())))
}

/// A header that was sent once.
fn header<'r>(request: &RouteRequest<'r>, name: &str) -> Option<&'r str> {
    let mut found = request.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
    match (found.next(), found.next()) {
        (Some((_, value)), None) => Some(value),
        _ => None,
    }
}
