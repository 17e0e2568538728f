//! `auth:check` and `auth:signOut`; signing in happens before there is a context.

use serde_json::Value;

use super::Call;
use crate::{
    access::RequestContext,
    http::{answer::Answer, error::ApiError},
};

pub(super) fn answer(context: &RequestContext, call: &Call) -> Result<Answer, ApiError> {
    match call.address.action.as_str() {
        "check" => {
            let mut user = context.actor().record.clone();
            user.insert(
                "roles".to_owned(),
                context.role_names().iter().map(|name| Value::from(name.as_str())).collect(),
            );
            user.insert("roleName".to_owned(), context.role().name().into());
            Ok(Answer::record(user))
        }
        // Tokens are not kept anywhere: the client forgets its own.
        "signOut" => Ok(Answer::Empty),
        _ => Err(call.unknown_action()),
    }
}
