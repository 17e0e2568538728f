//! The writing actions: permissions first, then everything in one transaction, then the synchronous workflows.

use std::sync::Arc;

use futures::future::BoxFuture;
use plugin_api::Action;
use serde_json::{Value, json};
use store::{
    AssociationKind, Collection, Conn, Filter, Find, Page, Record, Schema, Tx, UserId, WriteOptions,
    write::AssociationChange,
};

use super::{
    post_action::{self, Asker, Event, Queued},
    resource::Resource,
    verdict,
};
use crate::{
    access::{Allowance, RequestContext, Right, Role, accounts::AccountGuard},
    host::Host,
    http::{
        answer::{Answer, Reply},
        body::Values,
        error::ApiError,
        params::Params,
    },
};

/// Deepest nesting of association values: as deep as the store goes.
const NESTING_MAX: usize = 16;

/// A writing action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WriteAction {
    /// Makes a record, or one for each item of an array.
    Create,
    /// Changes the matching records.
    Update,
    /// Deletes the matching records.
    Destroy,
    /// Changes the record that agrees in `filterKeys`, or makes one.
    UpdateOrCreate,
    /// Answers the record that agrees in `filterKeys`, or makes one.
    FirstOrCreate,
    /// Changes links of an association.
    Associate(AssociationChange),
}

impl WriteAction {
    /// Reads the name in an address.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "create" => Self::Create,
            "update" => Self::Update,
            "destroy" => Self::Destroy,
            "updateOrCreate" => Self::UpdateOrCreate,
            "firstOrCreate" => Self::FirstOrCreate,
            "add" => Self::Associate(AssociationChange::Add),
            "set" => Self::Associate(AssociationChange::Set),
            "remove" => Self::Associate(AssociationChange::Remove),
            _ => return None,
        })
    }

    /// What plugins are told; links fire nothing.
    fn event(self) -> Option<Action> {
        match self {
            Self::Create => Some(Action::Create),
            Self::Update => Some(Action::Update),
            Self::Destroy => Some(Action::Destroy),
            Self::UpdateOrCreate => Some(Action::UpdateOrCreate),
            Self::FirstOrCreate => Some(Action::FirstOrCreate),
            Self::Associate(_) => None,
        }
    }
}

/// A permitted write: what is left to do needs no further question about rights.
pub(crate) struct Write {
    resource: Resource,
    action: WriteAction,
    /// What is to be done, with the values that the role may set and hashed secrets.
    input: Input,
    guard: AccountGuard,
    bindings: String,
    options: WriteOptions,
}

enum Input {
    Create { items: Vec<Record>, shape: Shape },
    Update { values: Record, wanted: Wanted },
    Destroy { wanted: Wanted },
    Upsert { agree: Value, create: Record, update: Option<Record> },
    Associate { change: AssociationChange, keys: Vec<Value> },
}

/// Whether a create answers one record or an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    One,
    Many,
}

/// Which records are meant.
struct Wanted {
    keys: Vec<Value>,
    filter: Option<Value>,
}

/// What a transaction did.
struct Done {
    answer: Answer,
    queued: Queued,
}

impl Write {
    /// Checks rights and shapes, drops the values that the role may not set, and hashes secrets.
    ///
    /// # Errors
    ///
    /// 403 without the right, 400 for values or parameters of another shape.
    pub(crate) async fn prepare(
        context: &RequestContext,
        schema: &Schema,
        resource: Resource,
        action: WriteAction,
        params: Params,
        values: Values,
    ) -> Result<Self, ApiError> {
        let collection = &resource.collection;
        let role = context.role();
        let allowance = Allowance { role, schema, update_associations: &params.update_association_values };
        let wanted = || -> Result<Wanted, ApiError> {
            let wanted = Wanted {
                keys: params.filter_by_tk.iter().chain(&resource.key).cloned().collect(),
                filter: params
                    .filter
                    .clone()
                    .filter(|filter| filter.as_object().is_some_and(|members| !members.is_empty())),
            };
            let is_one = resource.source.as_ref().is_some_and(|source| source.association.kind.is_to_one());
            if wanted.keys.is_empty() && wanted.filter.is_none() && !is_one {
                return Err(ApiError::invalid("FILTER_REQUIRED", "\"filterByTk\" or \"filter\" is required"));
            }
            if let Some(filter) = &wanted.filter {
                allowance.filter(collection, filter)?;
            }
            Ok(wanted)
        };
        let input = match action {
            WriteAction::Create => {
                let (items, shape) = match values {
                    Values::Many(items) => (objects(items)?, Shape::Many),
                    one => (vec![one.into_given_object()?], Shape::One),
                };
                role.permit(collection, Right::Create)?;
                let mut permitted = Vec::with_capacity(items.len());
                for item in items {
                    let item = allowance.values(collection, Right::Create, item)?;
                    permitted.push(store::secret::hash_secrets(schema, collection, item).await?);
                }
                Input::Create { items: permitted, shape }
            }
            WriteAction::Update => {
                let values = allowance.values(collection, Right::Update, values.into_given_object()?)?;
                let wanted = wanted()?;
                Input::Update { values: store::secret::hash_secrets(schema, collection, values).await?, wanted }
            }
            WriteAction::Destroy => {
                role.permit(collection, Right::Destroy)?;
                Input::Destroy { wanted: wanted()? }
            }
            WriteAction::UpdateOrCreate | WriteAction::FirstOrCreate => {
                let values = values.into_given_object()?;
                let agree = agreement(&params.filter_keys, &values)?;
                let create = allowance.values(collection, Right::Create, values.clone())?;
                let update = if action == WriteAction::UpdateOrCreate {
                    let update = allowance.values(collection, Right::Update, values)?;
                    Some(store::secret::hash_secrets(schema, collection, update).await?)
                } else {
                    allowance.select(collection, store::Select::default())?;
                    None
                };
                allowance.filter(collection, &agree)?;
                Input::Upsert { agree, create: store::secret::hash_secrets(schema, collection, create).await?, update }
            }
            WriteAction::Associate(change) => {
                permit_links(role, &resource)?;
                let keys = resource.key.iter().chain(&params.filter_by_tk).cloned().chain(values.into_keys()).collect();
                Input::Associate { change, keys }
            }
        };
        Ok(Self {
            guard: AccountGuard::new(context, collection),
            action,
            input,
            bindings: params.trigger_workflows,
            options: WriteOptions {
                author: Some(UserId(context.actor().id.0)),
                update_associations: params.update_association_values,
            },
            resource,
        })
    }

    /// Does the write and what it starts.
    ///
    /// # Errors
    ///
    /// Before the commit nothing is stored; after it, the verdict of a synchronous workflow.
    pub(crate) async fn perform(self, host: &Arc<Host>, context: &RequestContext) -> Result<Reply, ApiError> {
        let asker = Asker::new(Arc::clone(&host.plugins), self.bindings.clone(), context);
        let claim = host.engine.claim();
        let done = host
            .store
            .write(move |tx: &mut Tx| -> BoxFuture<'_, Result<Done, ApiError>> {
                Box::pin(async move {
                    let (answer, starts) = self.write(tx, &asker).await?;
                    Ok(Done { answer, queued: post_action::enqueue(tx, starts, &claim).await? })
                })
            })
            .await?;
        let messages = verdict::judge(&host.engine, &done.queued.chain).await?;
        if !done.queued.background.is_empty() {
            host.engine.wake(&done.queued.background);
        }
        Ok(Reply { answer: done.answer, messages })
    }

    async fn write(self, tx: &mut Tx, asker: &Asker) -> Result<(Answer, Vec<post_action::Start>), ApiError> {
        let Self { resource, action, input, guard, options, .. } = self;
        let collection = &resource.collection;
        match input {
            Input::Create { items, shape } => {
                let submitted = submitted_paths(tx.schema(), collection, &items);
                guard.values(&items)?;
                let mut records = Vec::with_capacity(items.len());
                for item in items {
                    records.push(create(tx, &resource, item, &options).await?);
                }
                let starts = starts(tx, asker, action, collection, &records, &submitted).await?;
                let answer = match shape {
                    Shape::One => records.into_iter().next().map_or(Answer::Empty, Answer::record),
                    Shape::Many => Answer::records(records),
                };
                Ok((answer, starts))
            }
            Input::Update { values, wanted } => {
                let filter = matching(tx, &resource, &wanted).await?;
                guard.values(std::slice::from_ref(&values))?;
                guard.change(tx, &filter).await?;
                let submitted = submitted_paths(tx.schema(), collection, std::slice::from_ref(&values));
                let records = tx.update(collection, &filter, guard.stamp(values), &options).await?;
                let starts = starts(tx, asker, action, collection, &records, &submitted).await?;
                Ok((Answer::records(records), starts))
            }
            Input::Destroy { wanted } => {
                let filter = matching(tx, &resource, &wanted).await?;
                guard.destroy(tx, &filter).await?;
                // Associations are followed while the records are still there.
                let mut find = Find::all(collection.clone());
                find.filter = filter.clone();
                let records = tx.find(&find).await?;
                let starts = starts(tx, asker, action, collection, &records, &[]).await?;
                let gone = tx.destroy(collection, &filter).await?;
                Ok((Answer::Data(json!(gone.len())), starts))
            }
            Input::Upsert { agree, create: values, update } => {
                let mut filter = Filter::parse(tx.schema(), collection, &agree)?;
                if let Some(source) = &resource.source {
                    filter = filter.and(source.scope(tx, collection).await?);
                }
                let mut find = Find::all(collection.clone());
                find.filter = filter;
                find.page = Some(Page { number: 1, size: 1 });
                let first = tx.find(&find).await?.into_iter().next();
                guard.values(std::slice::from_ref(&values))?;
                let submitted = submitted_paths(tx.schema(), collection, std::slice::from_ref(&values));
                match (first, update) {
                    (Some(record), None) => Ok((Answer::record(record), Vec::new())),
                    (Some(record), Some(update)) => {
                        let key = collection.key_of(&record).ok_or_else(no_key)?;
                        let filter = Filter::by_key(collection, &key)?;
                        guard.change(tx, &filter).await?;
                        let records = tx.update(collection, &filter, guard.stamp(update), &options).await?;
                        let starts = starts(tx, asker, action, collection, &records, &submitted).await?;
                        Ok((Answer::records(records), starts))
                    }
                    (None, _) => {
                        let record = create(tx, &resource, values, &options).await?;
                        let records = std::slice::from_ref(&record);
                        let starts = starts(tx, asker, action, collection, records, &submitted).await?;
                        Ok((Answer::record(record), starts))
                    }
                }
            }
            Input::Associate { change, keys } => {
                let source = resource.source.as_ref().ok_or_else(no_source)?;
                source.record(tx).await?;
                guard.links(tx, source, &keys).await?;
                tx.associate(&source.collection, &source.key, &source.association, &keys, change).await?;
                Ok((Answer::Empty, Vec::new()))
            }
        }
    }
}

async fn starts(
    conn: &mut Conn,
    asker: &Asker,
    action: WriteAction,
    collection: &Arc<Collection>,
    records: &[Record],
    submitted: &[String],
) -> Result<Vec<post_action::Start>, ApiError> {
    match action.event() {
        Some(action) => asker.starts(conn, &Event { action, collection, records, submitted }).await,
        None => Ok(Vec::new()),
    }
}

/// Makes one record, below its source if there is one.
async fn create(
    tx: &mut Tx,
    resource: &Resource,
    mut values: Record,
    options: &WriteOptions,
) -> Result<Record, ApiError> {
    let collection = &resource.collection;
    let Some(source) = &resource.source else { return Ok(tx.create(collection, values, options).await?) };
    let record = source.record(tx).await?;
    let association = &source.association;
    let change = match association.kind {
        AssociationKind::HasOne | AssociationKind::HasMany => {
            let value = record.get(&association.source_key).cloned().unwrap_or(Value::Null);
            values.insert(association.foreign_key.clone(), value);
            return Ok(tx.create(collection, values, options).await?);
        }
        AssociationKind::BelongsTo => AssociationChange::Set,
        AssociationKind::BelongsToMany => AssociationChange::Add,
    };
    let made = tx.create(collection, values, options).await?;
    let key = collection.key_of(&made).ok_or_else(no_key)?;
    tx.associate(&source.collection, &source.key, association, &[key], change).await?;
    Ok(made)
}

async fn matching(conn: &mut Conn, resource: &Resource, wanted: &Wanted) -> Result<Filter, ApiError> {
    let collection = &resource.collection;
    let mut filter = match &wanted.filter {
        Some(filter) => Filter::parse(conn.schema(), collection, filter)?,
        None => Filter::default(),
    };
    for key in &wanted.keys {
        filter = filter.and(Filter::by_key(collection, key)?);
    }
    if let Some(source) = &resource.source {
        filter = filter.and(source.scope(conn, collection).await?);
    }
    Ok(filter)
}

/// Changing links is a change of the source record's association field.
fn permit_links(role: &Role, resource: &Resource) -> Result<(), ApiError> {
    let source = resource.source.as_ref().ok_or_else(no_source)?;
    let fields = role.permit(&source.collection, Right::Update)?;
    if fields.reach(&source.collection, &source.name) { Ok(()) } else { Err(ApiError::Forbidden) }
}

fn no_source() -> ApiError {
    ApiError::invalid("NOT_AN_ASSOCIATION", "this action is for association resources")
}

fn no_key() -> ApiError {
    ApiError::invalid("NO_KEY", "the collection has no key")
}

fn objects(items: Vec<Value>) -> Result<Vec<Record>, ApiError> {
    if items.is_empty() {
        return Err(ApiError::invalid("EMPTY_BODY", "the array has to hold at least one object"));
    }
    items
        .into_iter()
        .map(|item| match item {
            Value::Object(values) => Ok(values),
            _ => Err(ApiError::invalid("INVALID_BODY", "each item of the array has to be an object")),
        })
        .collect()
}

fn agreement(names: &[String], values: &Record) -> Result<Value, ApiError> {
    if names.is_empty() {
        return Err(ApiError::invalid("INVALID_PARAMETER", "\"filterKeys\" is required"));
    }
    let conditions = names.iter().map(|name| match values.get(name) {
        Some(value) if !value.is_null() => Ok((name.clone(), json!({"$eq": value}))),
        _ => {
            Err(ApiError::invalid("INVALID_PARAMETER", format!("\"filterKeys\" names \"{name}\", which has no value")))
        }
    });
    Ok(Value::Object(conditions.collect::<Result<_, _>>()?))
}

/// The association paths that values name, parents first.
fn submitted_paths(schema: &Schema, collection: &Collection, items: &[Record]) -> Vec<String> {
    let mut paths = Vec::new();
    for item in items {
        collect_paths(schema, collection, item, "", NESTING_MAX, &mut paths);
    }
    paths
}

fn collect_paths(
    schema: &Schema,
    collection: &Collection,
    values: &Record,
    prefix: &str,
    depth: usize,
    paths: &mut Vec<String>,
) {
    for (name, value) in values {
        let Some(association) = collection.association(name) else { continue };
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        if !paths.contains(&path) {
            paths.push(path.clone());
        }
        let (Ok(target), Some(depth)) = (schema.collection(&association.target), depth.checked_sub(1)) else {
            continue;
        };
        let nested = match value {
            Value::Array(items) => items.as_slice(),
            other => std::slice::from_ref(other),
        };
        for values in nested.iter().filter_map(Value::as_object) {
            collect_paths(schema, target, values, &path, depth, paths);
        }
    }
}
