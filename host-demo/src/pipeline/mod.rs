//! The one way through for data: an authenticated request becomes reads, or one transaction that does the action, asks the
//! plugins, and stores what they start.
//!
//! ```text
//! resource ─ which collection, below which source record
//! read     ─ list, get
//! action   ─ what is asked for, and whether the role may
//! button   ─ the button that a request names: what is bound to it
//! interception ─ what runs before the write, and may refuse it or change its values
//! transaction ─ the write and post_action in one transaction; then verdict
//! asker    ─ asks the hooks, and says which of their workflows may start
//! post_action ─ what the action starts: loads the trigger data, stores the executions
//! collection_event ─ starts workflows for changes of records, whoever makes them; verdict_within runs those that may refuse
//! outbox   ─ what a change in a further database starts, on its way to main
//! custom_action ─ starts workflows for a button that is about no record
//! route    ─ starts workflows for requests to a plugin's route
//! terms    ─ what records have to be like for a workflow to get them
//! explain  ─ why workflows fire or do not
//! foresee  ─ what an action would start, without doing it
//! verdict  ─ runs the synchronous executions in order and turns their outcome into the answer
//! ```
//!
//! Every entry takes a `RequestContext`: there is no data without one. Nothing here knows
//! HTTP headers, node types or the plugins' ABI.

mod action;
mod asker;
mod button;
mod collection_event;
mod custom_action;
mod explain;
mod foresee;
mod interception;
pub(crate) mod outbox;
mod post_action;
mod read;
mod resource;
mod route;
mod schema_view;
mod terms;
mod transaction;
mod verdict;
mod verdict_within;

use std::sync::Arc;

pub(crate) use action::{Write, WriteAction};
pub(crate) use asker::Curiosity;
pub(crate) use collection_event::CollectionEvents;
pub(crate) use custom_action::trigger_without_records;
pub(crate) use explain::{Considered, Reason};
pub(crate) use foresee::foresee;
pub(crate) use resource::{Resource, SourceRef};
pub(crate) use route::{Started, start as start_from_route};
pub(crate) use schema_view::CollectionsView;

use crate::{
    access::RequestContext,
    host::Host,
    http::{
        address::Address,
        answer::{Answer, Reply},
        body::Values,
        error::ApiError,
        params::Params,
    },
};
use store::schema::Origin;

/// Does a data action on any collection.
///
/// # Errors
///
/// Everything an [`ApiError`] can say.
pub(crate) async fn perform(
    host: &Arc<Host>,
    context: &RequestContext,
    address: &Address,
    mut params: Params,
    values: Values,
) -> Result<Reply, ApiError> {
    match address.action.as_str() {
        "list" | "get" => Ok(read(context, address, params).await?.into()),
        name => {
            let action =
                WriteAction::from_name(name).ok_or_else(|| ApiError::unknown_action(&address.resource, name))?;
            let schema = context.source().store().schema();
            let resource = Resource::resolve(&schema, address)?;
            if !is_writable(&resource, action) {
                return Err(ApiError::unknown_action(&address.resource, name));
            }
            let button = params.button.take();
            let mut write = Write::prepare(context, &schema, resource, action, params, values).await?;
            write.press(host, context.source(), button).await?;
            write.perform(host, context).await
        }
    }
}

/// Reads from any collection.
///
/// # Errors
///
/// Everything an [`ApiError`] can say.
pub(crate) async fn read(context: &RequestContext, address: &Address, params: Params) -> Result<Answer, ApiError> {
    let mut conn = context.source().store().read().await?;
    let resource = Resource::resolve(conn.schema(), address)?;
    match address.action.as_str() {
        "list" => read::list(&mut conn, context, &resource, params).await,
        "get" => read::get(&mut conn, context, &resource, params, address.key.clone()).await,
        name => Err(ApiError::unknown_action(&address.resource, name)),
    }
}

/// Of the built-in collections only users are records like others; the rest have resources of their own, with their rules.
fn is_writable(resource: &Resource, action: WriteAction) -> bool {
    let own = |origin: Origin, name: &str| origin != Origin::BuiltIn || name == "users";
    match (&resource.source, action) {
        (Some(source), WriteAction::Associate(_)) => {
            source.collection.origin != Origin::BuiltIn || (source.collection.name == "users" && source.name == "roles")
        }
        (Some(source), _) => {
            source.collection.origin != Origin::BuiltIn && own(resource.collection.origin, &resource.collection.name)
        }
        (None, _) => own(resource.collection.origin, &resource.collection.name),
    }
}
