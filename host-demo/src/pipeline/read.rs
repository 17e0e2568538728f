//! The reading actions.

use serde_json::Value;
use store::{Conn, Filter, Find, Sort};

use super::resource::Resource;
use crate::{
    access::{Allowance, RequestContext},
    http::{
        answer::Answer,
        error::ApiError,
        params::{Paging, Params},
    },
};

/// Reads a page of the matching records, and counts them all.
pub(crate) async fn list(
    conn: &mut Conn,
    context: &RequestContext,
    resource: &Resource,
    params: Params,
) -> Result<Answer, ApiError> {
    let paging = params.paging;
    let mut find = find(conn, context, resource, params, None).await?;
    find.page = Some(paging.page());
    let records = conn.find(&find).await?;
    match paging {
        Paging::Counted(page) => {
            let count = conn.count(&find.collection, &find.filter).await?;
            Ok(Answer::List { records, count, page })
        }
        Paging::Uncounted(_) => Ok(Answer::records(records)),
    }
}

/// Reads one record: the one with the key, else the first match.
///
/// # Errors
///
/// 404 if there is none.
pub(crate) async fn get(
    conn: &mut Conn,
    context: &RequestContext,
    resource: &Resource,
    params: Params,
    key: Option<Value>,
) -> Result<Answer, ApiError> {
    let mut find = find(conn, context, resource, params, key).await?;
    find.page = Some(store::Page { number: 1, size: 1 });
    conn.find(&find).await?.into_iter().next().map(Answer::record).ok_or_else(ApiError::no_record)
}

async fn find(
    conn: &mut Conn,
    context: &RequestContext,
    resource: &Resource,
    params: Params,
    key: Option<Value>,
) -> Result<Find, ApiError> {
    let schema = conn.schema().clone();
    let collection = &resource.collection;
    let allowance = Allowance { role: context.role(), schema: &schema, update_associations: &[] };
    let select = allowance.select(collection, params.select)?;
    allowance.sort(collection, &params.sort)?;
    let mut filter = Filter::default();
    if let Some(wire) = &params.filter {
        allowance.filter(collection, wire)?;
        filter = Filter::parse(&schema, collection, wire)?;
    }
    for key in [params.filter_by_tk, key].into_iter().flatten() {
        filter = filter.and(Filter::by_key(collection, &key)?);
    }
    if let Some(source) = &resource.source {
        source.may_be_seen(context)?;
        filter = filter.and(source.scope(conn, collection).await?);
    }
    let sort = params.sort.iter().map(|key| Sort::parse(collection, key)).collect::<Result<_, _>>()?;
    Ok(Find { filter, sort, select, ..Find::all(collection.clone()) })
}
