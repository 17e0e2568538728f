//! The service `records`: what is committed, past the rights of any role, without what is hidden from everybody.

use std::sync::Arc;

use plugin_api::{AssociationPath, ReadRecord, ReadRecords, RecordPage};
use serde_json::Value;
use store::{Filter, Find, Page, Record, Select, Sort};

use crate::{host::Host, http::error::ApiError};

/// Reads one record by its key.
pub(super) async fn one(host: &Host, question: ReadRecord) -> Result<Option<Record>, ApiError> {
    let mut conn = host.data_sources.find(question.collection.data_source()).await?.store().read().await?;
    let collection = Arc::clone(conn.schema().collection(question.collection.name())?);
    let filter = Filter::by_key(&collection, &question.key)?;
    let page = Some(Page { number: 1, size: 1 });
    let find = Find { filter, page, select: select(&question.appends), ..Find::all(collection) };
    Ok(conn.find(&find).await?.into_iter().next())
}

/// Reads a page of the matching records, and counts them all.
pub(super) async fn page(host: &Host, question: ReadRecords) -> Result<RecordPage, ApiError> {
    let mut conn = host.data_sources.find(question.collection.data_source()).await?.store().read().await?;
    let collection = Arc::clone(conn.schema().collection(question.collection.name())?);
    let filter = Filter::parse(conn.schema(), &collection, &Value::Object(question.filter))?;
    let sort = question.sort.iter().map(|key| Sort::parse(&collection, key)).collect::<Result<_, _>>()?;
    let page = Some(Page { number: question.page, size: question.page_size });
    let find = Find { filter, sort, page, select: select(&question.appends), ..Find::all(collection) };
    let records = conn.find(&find).await?;
    let count = conn.count(&find.collection, &find.filter).await?;
    Ok(RecordPage { records, count })
}

fn select(appends: &[AssociationPath]) -> Select {
    Select { appends: appends.iter().map(AssociationPath::to_string).collect(), ..Select::default() }
}
