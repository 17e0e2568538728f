//! One write with everything it starts, in one transaction; then the synchronous workflows.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::{Value, json};
use store::{
    AssociationKind, Collection, Conn, Filter, Find, Page, Record, Schema, Tx, WriteOptions, write::AssociationChange,
};
use tracing::Instrument as _;

use super::{
    action::{Input, Shape, Wanted, Write, no_source},
    post_action::{self, Asker, Event, Queued, Start},
    resource::Resource,
    verdict,
};
use crate::{
    access::{RequestContext, accounts::AccountGuard},
    host::Host,
    http::{
        answer::{Answer, Reply},
        error::ApiError,
    },
};

/// Deepest nesting of association values: as deep as the store goes.
const NESTING_MAX: usize = 16;

/// What a transaction did.
struct Done {
    answer: Answer,
    queued: Queued,
}

impl Write {
    /// Does the write and what it starts.
    ///
    /// # Errors
    ///
    /// Before the commit nothing is stored; after it, the verdict of a synchronous workflow.
    pub(crate) async fn perform(self, host: &Arc<Host>, context: &RequestContext) -> Result<Reply, ApiError> {
        let asker = Asker::new(Arc::clone(&host.plugins), self.bindings.clone(), context);
        let claim = host.engine.claim();
        // The writer's task has no span of its own.
        let span = tracing::Span::current();
        let done = host
            .store
            .write(move |tx: &mut Tx| -> BoxFuture<'_, Result<Done, ApiError>> {
                let work = async move {
                    let (answer, starts) = self.write(tx, &asker).await?;
                    Ok(Done { answer, queued: post_action::enqueue(tx, starts, &claim).await? })
                };
                Box::pin(work.instrument(span))
            })
            .await?;
        if !done.queued.event_key.is_empty() {
            tracing::Span::current().record("event", &done.queued.event_key);
        }
        let messages = verdict::judge(&host.engine, &done.queued.chain).await?;
        if !done.queued.background.is_empty() {
            host.engine.wake(&done.queued.background);
        }
        Ok(Reply { answer: done.answer, messages })
    }

    async fn write(self, tx: &mut Tx, asker: &Asker) -> Result<(Answer, Vec<Start>), ApiError> {
        // The schema may have changed since the request was prepared.
        let resource = self.resource.renew(tx.schema())?;
        let work = Work { resource, guard: self.guard, options: self.options };
        let (answer, records, submitted) = match self.input {
            Input::Create { items, shape } => {
                let submitted = submitted_paths(tx.schema(), work.collection(), &items);
                let mut records = Vec::with_capacity(items.len());
                for item in items {
                    records.push(work.create(tx, item).await?);
                }
                let answer = match (shape, records.first()) {
                    (Shape::One, Some(record)) => Answer::record(record.clone()),
                    (Shape::One, None) => Answer::Empty,
                    (Shape::Many, _) => Answer::records(records.clone()),
                };
                (answer, records, submitted)
            }
            Input::Update { values, wanted } => {
                let filter = work.matching(tx, &wanted).await?;
                let submitted = submitted_paths(tx.schema(), work.collection(), std::slice::from_ref(&values));
                let records = work.update(tx, &filter, values).await?;
                (Answer::records(records.clone()), records, submitted)
            }
            Input::Upsert { agree, create, update } => {
                let submitted = submitted_paths(tx.schema(), work.collection(), std::slice::from_ref(&create));
                match (work.first(tx, &agree).await?, update) {
                    // Nothing was written, so nothing fires.
                    (Some(record), None) => (Answer::record(record), Vec::new(), submitted),
                    (Some(record), Some(update)) => {
                        let key = work.collection().key_of(&record).ok_or_else(no_key)?;
                        let filter = Filter::by_key(work.collection(), &key)?;
                        let records = work.update(tx, &filter, update).await?;
                        (Answer::records(records.clone()), records, submitted)
                    }
                    (None, _) => {
                        let record = work.create(tx, create).await?;
                        (Answer::record(record.clone()), vec![record], submitted)
                    }
                }
            }
            Input::Destroy { wanted } => {
                let filter = work.matching(tx, &wanted).await?;
                work.guard.destroy(tx, &filter).await?;
                // Associations are followed while the records are still there.
                let doomed = Find { filter: filter.clone(), ..Find::all(work.collection().clone()) };
                let records = tx.find(&doomed).await?;
                let starts = starts(tx, asker, self.action.event(), work.collection(), &records, &[]).await?;
                let gone = tx.destroy(work.collection(), &filter).await?;
                return Ok((Answer::Data(json!(gone.len())), starts));
            }
            Input::Associate { change, keys } => {
                work.associate(tx, change, &keys).await?;
                return Ok((Answer::Empty, Vec::new()));
            }
        };
        let starts = starts(tx, asker, self.action.event(), work.collection(), &records, &submitted).await?;
        Ok((answer, starts))
    }
}

/// The steps that writes are made of.
struct Work {
    resource: Resource,
    guard: AccountGuard,
    options: WriteOptions,
}

impl Work {
    fn collection(&self) -> &Arc<Collection> {
        &self.resource.collection
    }

    /// Makes one record, below its source if there is one.
    async fn create(&self, tx: &mut Tx, mut values: Record) -> Result<Record, ApiError> {
        self.guard.values(&values)?;
        let collection = self.collection();
        let roles = values.get("roles").cloned();
        let link = match &self.resource.source {
            None => None,
            Some(source) => {
                let record = source.record(tx).await?;
                let association = &source.association;
                match association.kind {
                    AssociationKind::HasOne | AssociationKind::HasMany => {
                        let value = record.get(&association.source_key).cloned().unwrap_or(Value::Null);
                        values.insert(association.foreign_key.clone(), value);
                        None
                    }
                    AssociationKind::BelongsTo => Some((source, AssociationChange::Set)),
                    AssociationKind::BelongsToMany => Some((source, AssociationChange::Add)),
                }
            }
        };
        let made = tx.create(collection, values, &self.options).await?;
        if let Some((source, change)) = link {
            let key = collection.key_of(&made).ok_or_else(no_key)?;
            tx.associate(&source.collection, &source.key, &source.association, &[key], change).await?;
        }
        self.guard.settle(tx, std::slice::from_ref(&made), roles.as_ref()).await?;
        Ok(made)
    }

    async fn update(&self, tx: &mut Tx, filter: &Filter, values: Record) -> Result<Vec<Record>, ApiError> {
        self.guard.values(&values)?;
        self.guard.change(tx, filter).await?;
        let roles = values.get("roles").cloned();
        let changed = tx.update(self.collection(), filter, self.guard.stamp(values), &self.options).await?;
        self.guard.settle(tx, &changed, roles.as_ref()).await?;
        Ok(changed)
    }

    async fn associate(&self, tx: &mut Tx, change: AssociationChange, keys: &[Value]) -> Result<(), ApiError> {
        let source = self.resource.source.as_ref().ok_or_else(no_source)?;
        source.record(tx).await?;
        self.guard.links(tx, source, keys).await?;
        Ok(tx.associate(&source.collection, &source.key, &source.association, keys, change).await?)
    }

    /// The first record that agrees.
    async fn first(&self, conn: &mut Conn, agree: &Value) -> Result<Option<Record>, ApiError> {
        let wanted = Wanted { keys: Vec::new(), filter: Some(agree.clone()) };
        let filter = self.matching(conn, &wanted).await?;
        let page = Some(Page { number: 1, size: 1 });
        Ok(conn.find(&Find { filter, page, ..Find::all(self.collection().clone()) }).await?.into_iter().next())
    }

    async fn matching(&self, conn: &mut Conn, wanted: &Wanted) -> Result<Filter, ApiError> {
        let collection = self.collection();
        let mut filter = match &wanted.filter {
            Some(filter) => Filter::parse(conn.schema(), collection, filter)?,
            None => Filter::default(),
        };
        for key in &wanted.keys {
            filter = filter.and(Filter::by_key(collection, key)?);
        }
        if let Some(source) = &self.resource.source {
            filter = filter.and(source.scope(conn, collection).await?);
        }
        Ok(filter)
    }
}

async fn starts(
    conn: &mut Conn,
    asker: &Asker,
    action: Option<plugin_api::Action>,
    collection: &Arc<Collection>,
    records: &[Record],
    submitted: &[String],
) -> Result<Vec<Start>, ApiError> {
    match action {
        Some(action) => asker.starts(conn, &Event { action, collection, records, submitted }).await,
        None => Ok(Vec::new()),
    }
}

fn no_key() -> ApiError {
    ApiError::invalid("NO_KEY", "the collection has no key")
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
