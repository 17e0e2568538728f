//! `notifications`: what workflows have told the user who asks.

use serde_json::{Value, json};
use store::{Filter, WriteOptions};

use super::{Call, own};
use crate::{
    access::RequestContext,
    host::Host,
    http::{answer::Answer, error::ApiError},
};

const COLLECTION: &str = "notifications";

pub(super) async fn answer(host: &Host, context: &RequestContext, call: Call) -> Result<Answer, ApiError> {
    match call.address.action.as_str() {
        "list" | "get" => own::read(host, context, call).await,
        "count" => {
            let mut conn = host.store.read().await?;
            let schema = conn.schema().clone();
            let collection = own::collection(&schema, COLLECTION)?;
            let unread = own::filter(&schema, &collection, context, &[])?;
            let unread = unread.and(Filter::parse(&schema, &collection, &json!({"read": false}))?);
            Ok(Answer::Data(json!({"unread": conn.count(&collection, &unread).await?})))
        }
        "read" => mark_as_read(host, context, named(&call)?).await,
        "readAll" => mark_as_read(host, context, Vec::new()).await,
        "destroy" => {
            let (context, keys) = (context.clone(), named(&call)?);
            let gone = host
                .store
                .write::<_, ApiError, _>(move |tx| {
                    Box::pin(async move {
                        let collection = own::collection(tx.schema(), COLLECTION)?;
                        let filter = own::filter(tx.schema(), &collection, &context, &keys)?;
                        Ok(tx.destroy(&collection, &filter).await?)
                    })
                })
                .await?;
            Ok(Answer::Data(json!(gone.len())))
        }
        _ => Err(call.unknown_action()),
    }
}

/// The keys that the request names: at least one.
fn named(call: &Call) -> Result<Vec<Value>, ApiError> {
    let keys = call.keys();
    if keys.is_empty() {
        return Err(ApiError::invalid("FILTER_REQUIRED", "\"filterByTk\" is required"));
    }
    Ok(keys)
}

/// Marks those with the keys, or all; answers how many were unread.
async fn mark_as_read(host: &Host, context: &RequestContext, keys: Vec<Value>) -> Result<Answer, ApiError> {
    let context = context.clone();
    let marked = host
        .store
        .write::<_, ApiError, _>(move |tx| {
            Box::pin(async move {
                let collection = own::collection(tx.schema(), COLLECTION)?;
                let unread = Filter::parse(tx.schema(), &collection, &json!({"read": false}))?;
                let filter = own::filter(tx.schema(), &collection, &context, &keys)?.and(unread);
                let values = [("read".to_owned(), Value::Bool(true))].into_iter().collect();
                Ok(tx.update(&collection, &filter, values, &WriteOptions::default()).await?)
            })
        })
        .await?;
    Ok(Answer::Data(json!(marked.len())))
}
