//! `users`: records like others, with post-action events, but for administrators.

use std::sync::Arc;

use super::Call;
use crate::{
    access::RequestContext,
    host::Host,
    http::{answer::Reply, body::Values, error::ApiError},
    pipeline,
};

pub(super) async fn answer(host: &Arc<Host>, context: &RequestContext, call: Call) -> Result<Reply, ApiError> {
    let Call { address, params, values } = call;
    if address.action == "create" {
        context.role().require_manager()?;
        if let Values::One(user) = &values {
            let is_named =
                ["username", "email"].iter().any(|name| user.get(*name).is_some_and(|value| !value.is_null()));
            if !is_named {
                return Err(ApiError::invalid("REQUIRED", "\"username\" or \"email\" is required"));
            }
        }
    }
    pipeline::perform(host, context, &address, params, values).await
}
