//! What an action would start, without doing it.
//!
//! If the records are known (named, or given as values) the action is done in a transaction that is taken back, so that the
//! answer is the one the action itself would give. If they are not, the plugins' decision alone is told, and what depends on
//! a record is left open.

use std::sync::Arc;

use plugin_api::CollectionRef;
use serde_json::Value;

use super::{
    action::{Write, WriteAction},
    asker::{Asker, Curiosity},
    button::Bound,
    custom_action,
    explain::Considered,
    interception::Interceptors,
    resource::Resource,
};
use crate::{
    access::RequestContext,
    host::Host,
    http::{
        body::Values,
        error::ApiError,
        params::{Origin, Params},
    },
};

/// Tells the workflows that an action would consider, and what would become of them.
///
/// # Errors
///
/// 400 without a collection (but for `trigger`) or an action that fires, 404 for a collection that is not there, 403 for all but administrators; if records are known, what
/// the action itself would end with.
pub(crate) async fn foresee(
    host: &Arc<Host>,
    context: &RequestContext,
    mut params: Params,
    values: Values,
) -> Result<Vec<Considered>, ApiError> {
    context.role().require_manager()?;
    let required = |name: &str| ApiError::invalid("INVALID_PARAMETER", format!("\"{name}\" is required"));
    let collection = params.question.collection.take();
    params.curiosity = match params.question.origin {
        Origin::User => Curiosity::Why,
        Origin::Node => Curiosity::WhyNotFromNodes,
    };
    if collection.is_none() && params.question.action.as_deref() == Some("trigger") {
        return custom_action::foresee(host, context, params).await;
    }
    let name = CollectionRef::parse(&collection.ok_or_else(|| required("collection"))?);
    let context = &context.at(host, name.data_source()).await?;
    let (source, name) = (context.source(), name.name());
    let action = params.question.action.take().ok_or_else(|| required("action"))?;
    let fires_nothing = || ApiError::invalid("INVALID_PARAMETER", format!("action \"{action}\" fires nothing"));
    let action = WriteAction::from_name(&action).filter(|action| action.event().is_some()).ok_or_else(fires_nothing)?;
    let schema = source.store().schema();
    let collection = schema.collection(name).map_err(|_| ApiError::unknown_resource(name))?.clone();
    let resource = Resource { collection: Arc::clone(&collection), source: None, key: None };
    if !super::is_writable(&resource, action) {
        return Err(ApiError::unknown_resource(name));
    }
    let is_known = match action {
        WriteAction::Create | WriteAction::UpdateOrCreate | WriteAction::FirstOrCreate => values != Values::Nothing,
        WriteAction::Update | WriteAction::Destroy | WriteAction::Trigger => {
            params.filter_by_tk.as_ref().is_some_and(|key| *key != Value::Null)
        }
        WriteAction::Associate(_) => false,
    };
    if is_known {
        let values = if values == Values::Nothing { Values::One(store::Record::new()) } else { values };
        let button = params.button.take();
        let mut write = Write::prepare(context, &schema, resource, action, params, values).await?;
        write.press(host, context.source(), button).await?;
        return write.rehearse(host, context).await;
    }
    let bound =
        Bound::of(host, params.button, &source.reference(&collection), action, params.trigger_workflows).await?;
    let asker = Asker::new(host, bound, context, params.curiosity);
    let heard = Interceptors::ask(&asker, host, action.event(), &collection).await?.foresee();
    let mut conn = host.store.read().await?;
    Ok(asker.decide(&mut conn, &schema, action.event(), &collection, heard).await?.without_records())
}
