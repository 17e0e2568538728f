//! `executions`: reading, and ending one from outside.

use std::sync::Arc;

use serde_json::json;
use store::ExecutionId;

use super::{Call, id_of, read, read_one};
use crate::{
    access::RequestContext,
    host::Host,
    http::{answer::Answer, error::ApiError},
};

pub(super) async fn answer(host: &Arc<Host>, context: &RequestContext, call: Call) -> Result<Answer, ApiError> {
    match call.address.action.as_str() {
        "list" | "get" => read(host, context, call).await,
        "cancel" => {
            context.role().require_manager()?;
            let id = ExecutionId(id_of(&call.key()?)?);
            host.engine.cancel(id).await?;
            Ok(Answer::record(read_one(host, "executions", json!(id.0), &["jobs"]).await?))
        }
        _ => Err(call.unknown_action()),
    }
}
