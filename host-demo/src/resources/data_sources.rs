//! `dataSources`: the further databases. For administrators.

use std::sync::Arc;

use futures::{FutureExt as _, future::join_all};
use serde_json::{Value, json};
use store::{DataSource, HostChange, LeftOut, Record, StoreError};

use super::{Call, name_of, required_text};
use crate::{
    access::RequestContext,
    data_sources::{self, Settings, Standing},
    host::Host,
    http::{answer::Answer, error::ApiError},
};

pub(super) async fn answer(host: &Arc<Host>, context: &RequestContext, call: Call) -> Result<Answer, ApiError> {
    context.role().require_manager()?;
    let user = context.actor().id.0;
    match call.address.action.as_str() {
        "list" => list(host).await,
        "get" => {
            let key = call.key()?;
            Ok(Answer::record(describe(host, &present(host, name_of(&key)?).await?).await))
        }
        "create" => {
            let values = call.values.into_given_object()?;
            let key = required_text(&values, "key")?;
            tracing::info!(user, key, "a data source is to be added");
            create(host, key, &values).await
        }
        "update" => {
            let key = call.key()?;
            tracing::info!(user, ?key, "a data source is to be changed");
            update(host, name_of(&key)?.to_owned(), call.values.into_given_object()?).await
        }
        "destroy" => {
            let keys = call.keys();
            tracing::info!(user, ?keys, "data sources are to be removed");
            destroy(host, &keys).await
        }
        "refresh" => {
            let key = call.key()?;
            refresh(host, name_of(&key)?.to_owned()).await
        }
        "test" => test(host, call).await,
        _ => Err(call.unknown_action()),
    }
}

async fn list(host: &Arc<Host>) -> Result<Answer, ApiError> {
    let rows = host.store.read().await?.data_sources().await?;
    // Those that do not answer yet are waited for at the same time.
    let described = rows.iter().map(|row| describe(host, row).boxed()).collect::<Vec<_>>();
    Ok(Answer::records(join_all(described).await))
}

async fn create(host: &Arc<Host>, key: String, values: &Record) -> Result<Answer, ApiError> {
    let settings = Settings::read(values, None)?;
    // What can never be opened is not even written down.
    settings.connection(host.data_sources.folder()).map_err(|problem| ApiError::invalid("INVALID_VALUE", problem))?;
    let row = host
        .store
        .write::<_, ApiError, _>(move |tx| {
            Box::pin(async move { Ok(tx.create_data_source(&key, settings.facts()).await?) })
        })
        .await?;
    data_sources::follow(host, &row.key).await?;
    Ok(Answer::record(describe(host, &row).await))
}

async fn update(host: &Arc<Host>, key: String, values: Record) -> Result<Answer, ApiError> {
    if values.get("key").is_some_and(|wanted| *wanted != key.as_str()) {
        return Err(ApiError::invalid("INVALID_VALUE", "\"key\" of a data source is fixed when it is made"));
    }
    let folder = host.data_sources.folder().clone();
    let row = host
        .store
        .write::<_, ApiError, _>(move |tx| {
            Box::pin(async move {
                let known = tx.data_source(&key).await?.ok_or_else(|| no_source(&key))?;
                let settings = Settings::read(&values, Some(&Settings::of(known.facts)))?;
                settings.connection(&folder).map_err(|problem| ApiError::invalid("INVALID_VALUE", problem))?;
                Ok(tx.update_data_source(&key, settings.facts()).await?)
            })
        })
        .await?;
    data_sources::follow(host, &row.key).await?;
    Ok(Answer::records(vec![describe(host, &row).await]))
}

async fn destroy(host: &Arc<Host>, keys: &[Value]) -> Result<Answer, ApiError> {
    if keys.is_empty() {
        return Err(ApiError::invalid("FILTER_REQUIRED", "\"filterByTk\" is required"));
    }
    let keys: Vec<String> = keys.iter().map(|key| name_of(key).map(str::to_owned)).collect::<Result<_, _>>()?;
    let meant = keys.clone();
    let gone = host
        .store
        .write::<_, StoreError, _>(move |tx| {
            Box::pin(async move {
                let mut gone = 0;
                for key in meant {
                    gone += u64::from(tx.destroy_data_source(&key).await?);
                }
                Ok(gone)
            })
        })
        .await?;
    for key in &keys {
        data_sources::follow(host, key).await?;
    }
    Ok(Answer::Data(json!(gone)))
}

/// Reads the structure anew, on every host; one that could not be reached is tried at once.
async fn refresh(host: &Arc<Host>, key: String) -> Result<Answer, ApiError> {
    let row = present(host, &key).await?;
    data_sources::refresh(host, &key).await?;
    host.store
        .write::<_, StoreError, _>(move |tx| {
            Box::pin(async move {
                tx.tell_hosts(HostChange::DataSource { key });
                Ok(())
            })
        })
        .await?;
    Ok(Answer::record(describe(host, &row).await))
}

/// Connects and reads the structure, with what the body says, or with what is written down as the body changes it. Nothing is
/// stored, here or there.
async fn test(host: &Arc<Host>, call: Call) -> Result<Answer, ApiError> {
    let known = match call.keys().first() {
        Some(key) => Some(Settings::of(present(host, name_of(key)?).await?.facts)),
        None => None,
    };
    let settings = Settings::read(&call.values.into_object()?, known.as_ref())?;
    let tried = data_sources::try_out(&settings, host.data_sources.folder()).await;
    let (collections, left_out) = tried.map_err(|problem| ApiError::invalid("DATA_SOURCE_UNREACHABLE", problem))?;
    Ok(Answer::Data(json!({"collections": collections, "leftOut": told(&left_out)})))
}

async fn present(host: &Host, key: &str) -> Result<DataSource, ApiError> {
    host.store.read().await?.data_source(key).await?.ok_or_else(|| no_source(key))
}

fn no_source(key: &str) -> ApiError {
    ApiError::NotFound { code: "NOT_FOUND", what: format!("data source {key}") }
}

/// The tables and columns that are no collections and fields, and why.
fn told(left_out: &[LeftOut]) -> Value {
    left_out.iter().map(|it| json!({"table": it.table, "column": it.column, "reason": it.reason})).collect()
}

/// What is written down, without secrets, and how it is doing on this host.
async fn describe(host: &Host, row: &DataSource) -> Record {
    let standing = host.data_sources.standing(&row.key).await;
    let mut record = row.facts.options.clone();
    let mut say = |name: &str, value: Value| drop(record.insert(name.to_owned(), value));
    say("key", row.key.as_str().into());
    say("displayName", row.facts.display_name.clone().into());
    say("type", row.facts.kind.as_str().into());
    say("enabled", row.facts.enabled.into());
    say("createdAt", row.created_at.as_str().into());
    say("updatedAt", row.updated_at.as_str().into());
    let (state, error) = match &standing {
        None | Some(Standing::Disabled) => ("disabled", None),
        Some(Standing::Connecting) => ("connecting", None),
        Some(Standing::Failed(problem)) => ("failed", Some(problem.to_string())),
        Some(Standing::Connected { .. }) => ("connected", None),
    };
    say("state", state.into());
    say("error", error.into());
    if let Some(Standing::Connected { collections, outbox, receipts, left_out }) = standing {
        say("collections", collections.into());
        say("outbox", outbox.is_ok().into());
        say("outboxProblem", outbox.err().as_deref().into());
        say("receipts", receipts.is_ok().into());
        say("receiptsProblem", receipts.err().as_deref().into());
        say("leftOut", told(&left_out));
    } else {
        // Whether there are such tables is not known.
        say("outbox", Value::Null);
        say("receipts", Value::Null);
    }
    record
}
