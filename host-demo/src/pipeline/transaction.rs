//! One write with everything it starts, in one transaction; then the synchronous workflows.

use std::{convert::Infallible, sync::Arc};

use futures::future::BoxFuture;
use serde_json::{Value, json};
use store::{
    AssociationKind, Collection, Conn, Filter, Find, Page, Record, Schema, StoreError, Tx, WriteOptions,
    write::AssociationChange,
};
use tracing::Instrument as _;

use super::{
    action::{Input, Shape, Wanted, Write, WriteAction, no_source},
    asker::{Asker, Curiosity},
    custom_action,
    explain::Considered,
    interception::{Interceptors, Passage, Passed},
    outbox::{self, Posted},
    post_action::{self, Event, Heard, Starts},
    resource::Resource,
    verdict::{self, Done},
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

/// How a write that is not meant ends: it told what it would have done, or failed.
enum Rehearsed {
    Told(Vec<Considered>),
    Failed(ApiError),
}

impl From<StoreError> for Rehearsed {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl Write {
    /// Lets the interceptors have their say, then does the write and what it starts.
    ///
    /// # Errors
    ///
    /// Before the commit nothing of the action is stored; after it, the verdict of a synchronous workflow.
    pub(crate) async fn perform(mut self, host: &Arc<Host>, context: &RequestContext) -> Result<Reply, ApiError> {
        let (action, curiosity) = (self.action, self.curiosity);
        let asker = Asker::new(host, self.bound.clone(), context, curiosity);
        let interceptors = Interceptors::ask(&asker, host, action.event(), &self.resource.collection).await?;
        let Passed { messages, heard, event_key } = match interceptors.run(host, &asker, &mut self).await? {
            Passage::On(passed) => passed,
            Passage::LeftOut(Passed { messages, heard, .. }) => {
                let explain = curiosity.told(heard.into_lines());
                return Ok(Reply { answer: Answer::Empty, messages, explain });
            }
        };
        let done = if asker.source.is_main() {
            self.commit(host, asker, heard, event_key).await?
        } else {
            self.commit_elsewhere(host, asker, heard, event_key).await?
        };
        verdict::conclude(host, done, messages, curiosity).await
    }

    /// One transaction: the write, and the executions that it starts.
    async fn commit(
        self,
        host: &Arc<Host>,
        asker: Asker,
        heard: Heard,
        event_key: Option<String>,
    ) -> Result<Done, ApiError> {
        let claim = host.engine.claim();
        // The writer's task has no span of its own.
        let span = tracing::Span::current();
        host.store
            .write(move |tx: &mut Tx| -> BoxFuture<'_, Result<Done, ApiError>> {
                let work = async move {
                    let (answer, starts) = self.carry_out(tx, &asker, heard).await?;
                    let queued = post_action::enqueue(tx, starts.executions, Some(&claim), event_key).await?;
                    Ok(Done { answer, queued, considered: starts.considered })
                };
                Box::pin(work.instrument(span))
            })
            .await
    }

    /// One transaction of a further database: the write, and a message that holds the executions. Then one of main that takes it.
    async fn commit_elsewhere(
        self,
        host: &Arc<Host>,
        asker: Asker,
        heard: Heard,
        event_key: Option<String>,
    ) -> Result<Done, ApiError> {
        type Written = (Answer, Vec<Considered>, Option<Posted>);
        let span = tracing::Span::current();
        let source = asker.source.clone();
        let (answer, considered, posted) = source
            .store()
            .write(move |tx: &mut Tx| -> BoxFuture<'_, Result<Written, ApiError>> {
                let work = async move {
                    let (answer, starts) = self.carry_out(tx, &asker, heard).await?;
                    let posted = outbox::post(tx, &asker.source, starts.executions, event_key).await?;
                    Ok((answer, starts.considered, posted))
                };
                Box::pin(work.instrument(span))
            })
            .await?;
        let queued = outbox::take_at_once(host, &source, posted).await?;
        Ok(Done { answer, queued, considered })
    }

    /// The write within its transaction, for good.
    async fn carry_out(self, tx: &mut Tx, asker: &Asker, heard: Heard) -> Result<(Answer, Starts), ApiError> {
        let (action, curiosity) = (self.action, self.curiosity);
        tx.set_cause(asker.cause());
        let mut in_vain = Vec::new();
        let written = self.write(tx, asker, heard, &mut in_vain).await;
        let (answer, starts) = written.map_err(|error| error.explained(in_vain))?;
        if action == WriteAction::Trigger && starts.executions.is_empty() {
            let considered = curiosity.told(starts.considered).unwrap_or_default();
            return Err(custom_action::nothing_done().explained(considered));
        }
        Ok((answer, starts))
    }

    /// Does the write, says what it starts, and takes everything back. Interceptors are told of, but not run.
    ///
    /// # Errors
    ///
    /// What the write itself would end with.
    pub(crate) async fn rehearse(
        self,
        host: &Arc<Host>,
        context: &RequestContext,
    ) -> Result<Vec<Considered>, ApiError> {
        let asker = Asker::new(host, self.bound.clone(), context, self.curiosity);
        let interceptors = Interceptors::ask(&asker, host, self.action.event(), &self.resource.collection).await?;
        let heard = interceptors.foresee();
        let told = asker
            .source
            .store()
            .clone()
            .write(move |tx: &mut Tx| -> BoxFuture<'_, Result<Infallible, Rehearsed>> {
                Box::pin(async move {
                    // The error is what makes the store take back what was written.
                    Err(match self.write(tx, &asker, heard, &mut Vec::new()).await {
                        Ok((_, starts)) => Rehearsed::Told(starts.considered),
                        Err(error) => Rehearsed::Failed(error),
                    })
                })
            })
            .await;
        match told {
            Err(Rehearsed::Told(considered)) => Ok(considered),
            Err(Rehearsed::Failed(error)) => Err(error),
        }
    }

    /// Writes, and says what that starts. Leaves in `in_vain` what there is to say to those who ask if it fails.
    async fn write(
        self,
        tx: &mut Tx,
        asker: &Asker,
        heard: Heard,
        in_vain: &mut Vec<Considered>,
    ) -> Result<(Answer, Starts), ApiError> {
        // The schema may have changed since the request was prepared.
        let resource = self.resource.renew(tx.schema())?;
        let work = Work { resource, guard: self.guard, options: self.options };
        let mut decision = asker.decide_within(tx, self.action.event(), work.collection(), heard).await?;
        if asker.curiosity != Curiosity::Silent {
            *in_vain = decision.if_the_action_fails();
        }
        let (mut answer, mut records, submitted) = match self.input {
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
                decision.look_back(tx, work.collection(), &filter).await?;
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
                        decision.look_back(tx, work.collection(), &filter).await?;
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
                decision.look_back(tx, work.collection(), &filter).await?;
                let event = Event { collection: work.collection(), records: &records, submitted: &[] };
                let starts = decision.starts(tx, asker, &event).await?;
                let gone = tx.destroy(work.collection(), &filter).await?;
                return Ok((Answer::Data(json!(gone.len())), starts));
            }
            Input::Associate { change, keys } => {
                work.associate(tx, change, &keys).await?;
                return Ok((Answer::Empty, Starts::default()));
            }
            Input::Trigger { wanted } => {
                let filter = work.matching(tx, &wanted).await?;
                // What one execution gets is bounded like what one action starts.
                if tx.count(work.collection(), &filter).await? > post_action::EXECUTIONS_MAX as u64 {
                    return Err(post_action::too_many());
                }
                let records = tx.find(&Find { filter, ..Find::all(work.collection().clone()) }).await?;
                (Answer::Empty, records, Vec::new())
            }
        };
        // Workflows within the transaction may refuse the change, or add to it: what follows sees what they leave behind.
        if tx.tell_changes().await? {
            work.renew(tx, &mut records).await?;
            answer = match answer {
                Answer::Data(Value::Array(_)) => Answer::records(records.clone()),
                Answer::Data(Value::Object(_)) => records.first().cloned().map_or(Answer::Empty, Answer::record),
                other => other,
            };
        }
        let event = Event { collection: work.collection(), records: &records, submitted: &submitted };
        let starts = decision.starts(tx, asker, &event).await?;
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
        let values = self.guard.stamp(values, tx.clock_ms());
        let changed = tx.update(self.collection(), filter, values, &self.options).await?;
        self.guard.settle(tx, &changed, roles.as_ref()).await?;
        Ok(changed)
    }

    /// Reads once more what was written, as far as it is still there. Associations stay as they were submitted.
    async fn renew(&self, tx: &mut Tx, records: &mut [Record]) -> Result<(), ApiError> {
        let collection = self.collection();
        for record in records {
            let Some(key) = collection.key_of(record) else { continue };
            let find = Find { filter: Filter::by_key(collection, &key)?, ..Find::all(Arc::clone(collection)) };
            record.extend(tx.find(&find).await?.into_iter().next().unwrap_or_default());
        }
        Ok(())
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
