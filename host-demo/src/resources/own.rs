//! Records of a built-in collection that belong to a user each, by their field `userId`.
//!
//! Everybody reads their own, whatever their role may see; administrators may read those of all, if they say so.

use std::sync::Arc;

use serde_json::{Value, json};
use store::{Collection, Filter, Schema};

use super::Call;
use crate::{
    access::{RequestContext, Role},
    host::Host,
    http::{answer::Answer, error::ApiError, params::Whose},
    pipeline,
};

/// Answers `list` and `get`, with the parameters that lists of records have.
///
/// # Errors
///
/// 403 for fields beyond those of the collection itself, and for `all=1` of those who are no administrators.
pub(super) async fn read(host: &Host, context: &RequestContext, call: Call) -> Result<Answer, ApiError> {
    let Call { address, mut params, .. } = call;
    match params.whose {
        Whose::All => {
            context.role().require_manager()?;
            pipeline::read(context, &address, params).await
        }
        Whose::Own => {
            let collection = collection(&host.store.schema(), &address.resource)?;
            let own = json!({"userId": context.actor().id});
            params.filter = Some(match params.filter.take() {
                Some(filter) => json!({"$and": [own, filter]}),
                None => own,
            });
            pipeline::read(&context.in_role(Role::owner_of(&collection)), &address, params).await
        }
    }
}

/// Matches the records of a user, and of these only those with the keys if there are some.
pub(super) fn filter(
    schema: &Schema,
    collection: &Collection,
    context: &RequestContext,
    keys: &[Value],
) -> Result<Filter, ApiError> {
    let own = Filter::parse(schema, collection, &json!({"userId": context.actor().id}))?;
    Ok(if keys.is_empty() { own } else { own.and(Filter::by_key(collection, &Value::Array(keys.to_vec()))?) })
}

/// The collection of a resource.
pub(super) fn collection(schema: &Schema, name: &str) -> Result<Arc<Collection>, ApiError> {
    Ok(schema.collection(name)?.clone())
}
