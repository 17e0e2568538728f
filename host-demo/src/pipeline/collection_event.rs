//! What changes of records start, whoever makes them: hears of them from the store, in the transaction that makes them, asks the
//! plugins, and stores the executions in the same transaction.
//!
//! They run in the background after the commit, except synchronous ones of a trigger type that wants them within the transaction:
//! these run here, one after the other, and the change is theirs to refuse (`verdict_within`). The background ones are stored
//! first: what a synchronous one changes comes after what it reacts to.
//!
//! In a further database changes are heard that this host makes there, and what they start goes the way of [`outbox`]; nothing
//! runs within its transactions.

use std::sync::{Arc, Weak};

use futures::future::BoxFuture;
use plugin_api::{
    Action, ActionEvent, AssociationPath, CollectionRef, ExecutionMode, Firing, Phase, Previous,
    schema::MAIN_DATA_SOURCE,
};
use serde_json::Value;
use store::{
    Cause, Collection, Conn, NewExecution, Record, RecordChange, RecordChangeKind, RecordListener, Schema, Select,
    Store, StoreError, Tx, WorkflowId, WorkflowRow,
};
use uuid::Uuid;
use workflow::loop_guard;

use super::{
    asker::startable,
    outbox,
    post_action::{EXECUTIONS_MAX, Start},
    schema_view::CollectionsView,
    terms::{Actor, Realm, Terms},
    verdict_within,
};
use crate::{
    data_sources::DataSource,
    host::Host,
    plugins::{CollectionName, HookAnswer, Plugins},
    triggers,
};

/// The host's ear at a store, which keeps neither the host nor itself alive by that.
pub(crate) struct CollectionEvents {
    host: Weak<Host>,
    /// The data source's key.
    source: Arc<str>,
}

/// One execution that a change starts.
struct Wanted {
    workflow: WorkflowRow,
    mode: ExecutionMode,
    context: Record,
}

/// Changes of one kind in one collection.
struct Event {
    collection: Arc<Collection>,
    action: Action,
    changes: Vec<RecordChange>,
}

impl CollectionEvents {
    /// Makes every change of records heard from now on.
    pub(crate) fn listen(host: &Arc<Host>) {
        Self::listen_elsewhere(host, MAIN_DATA_SOURCE.into(), &host.store);
    }

    /// The same for the changes that this host makes in a further database.
    pub(crate) fn listen_elsewhere(host: &Arc<Host>, source: Arc<str>, store: &Store) {
        store.listen(Arc::new(Self { host: Arc::downgrade(host), source }));
    }

    fn is_main(&self) -> bool {
        &*self.source == MAIN_DATA_SOURCE
    }
}

impl RecordListener for CollectionEvents {
    fn catch_up(&self, number: i64) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            match self.host.upgrade().filter(|_| self.is_main()) {
                Some(host) => host.follow_up_to(number).await,
                None => Ok(()),
            }
        })
    }

    fn listens(&self, collection: &Collection, kind: RecordChangeKind) -> bool {
        let Some(host) = self.host.upgrade() else { return false };
        (self.is_main() && host.clock.watches(&collection.name))
            || waits_for(&host.plugins.current(), &self.source, collection, action(kind))
    }

    fn hear<'t>(
        &'t self,
        tx: &'t mut Tx,
        cause: Cause,
        changes: Vec<RecordChange>,
    ) -> BoxFuture<'t, Result<(), StoreError>> {
        Box::pin(async move {
            match self.host.upgrade() {
                Some(host) if self.is_main() => {
                    host.clock.hear(tx, &changes).await?;
                    start(&host, tx, &cause, changes).await
                }
                Some(host) => start_elsewhere(&host, &self.source, tx, &cause, changes).await,
                None => Ok(()),
            }
        })
    }
}

/// Starts what changes in main want.
async fn start(host: &Arc<Host>, tx: &mut Tx, cause: &Cause, changes: Vec<RecordChange>) -> Result<(), StoreError> {
    let plugins = host.plugins.current();
    let event_key = Uuid::new_v4().to_string();
    let (mut background, mut within): (Vec<NewExecution>, Vec<(WorkflowRow, NewExecution)>) = Default::default();
    for Wanted { workflow, mode, context } in wanted(host, &plugins, MAIN_DATA_SOURCE, tx, cause, changes).await? {
        let (key, context) = (workflow.key.clone(), Value::Object(context));
        let stack = cause.stack.clone();
        let execution = NewExecution { stack, ..NewExecution::new(workflow.id, key, context, event_key.clone()) };
        if mode == ExecutionMode::Sync && triggers::runs_within(&plugins, &workflow) {
            within.push((workflow, execution));
        } else {
            background.push(execution);
        }
    }
    if !background.is_empty() {
        let mut woken: Vec<WorkflowId> = background.iter().map(|execution| execution.workflow_id).collect();
        woken.dedup();
        tx.enqueue(background).await?;
        let engine = Arc::downgrade(host);
        tx.afterwards(move || {
            if let Some(host) = engine.upgrade() {
                host.engine.wake(&woken);
            }
        });
    }
    verdict_within::run_all(&host.engine, tx, within).await
}

/// Writes down what changes in a further database want, and takes it up after the commit.
async fn start_elsewhere(
    host: &Arc<Host>,
    source: &str,
    tx: &mut Tx,
    cause: &Cause,
    changes: Vec<RecordChange>,
) -> Result<(), StoreError> {
    let plugins = host.plugins.current();
    let wanted = wanted(host, &plugins, source, tx, cause, changes).await?;
    // It is open, or there would be no change; if it has been replaced meanwhile, the outbox is the same.
    let Some(source) = host.data_sources.connected(source).filter(|_| !wanted.is_empty()) else { return Ok(()) };
    let starts = wanted.into_iter().map(|Wanted { workflow, context, .. }| Start {
        workflow: workflow.id,
        key: workflow.key,
        mode: ExecutionMode::Async,
        context: Value::Object(context),
        stack: cause.stack.clone(),
    });
    let posted = outbox::post(tx, &source, starts.collect(), None).await?;
    let host = Arc::clone(host);
    tx.afterwards(move || {
        let requests = host.requests.clone();
        requests.spawn(async move { take(&host, &source, posted).await });
    });
    Ok(())
}

async fn take(host: &Arc<Host>, source: &DataSource, posted: Option<outbox::Posted>) {
    match outbox::take_at_once(host, source, posted).await {
        Ok(queued) => host.engine.wake(&queued.background),
        Err(error) if source.has_outbox() => tracing::warn!(%error, "what a change started is taken up later"),
        Err(error) => tracing::error!(%error, "what a change started is lost"),
    }
}

/// What changes start, in order.
async fn wanted(
    host: &Host,
    plugins: &Plugins,
    source: &str,
    tx: &mut Tx,
    cause: &Cause,
    changes: Vec<RecordChange>,
) -> Result<Vec<Wanted>, StoreError> {
    let mut found = Vec::new();
    let mut main = if source == MAIN_DATA_SOURCE { None } else { Some(host.store.read().await?) };
    let main_schema = main.as_ref().map_or_else(|| Arc::clone(tx.schema()), |conn| Arc::clone(conn.schema()));
    let realm = Realm::new(&main_schema, tx.schema());
    for event in events(changes) {
        if !waits_for(plugins, source, &event.collection, event.action) {
            continue;
        }
        for (plugin, firing) in ask(host, plugins, source, &main_schema, &event)? {
            let conn: &mut Conn = main.as_mut().unwrap_or(&mut *tx);
            let Some(workflow) = startable(plugins, conn, &plugin, firing.workflow).await? else { continue };
            if !loop_guard::admits(conn, &workflow, &cause.stack).await? {
                tracing::debug!(workflow = %workflow.id, "led to the change itself, does not start again");
                continue;
            }
            let contexts = contexts(tx, &realm, cause, &event, &workflow, &firing).await?;
            let mode = firing.mode;
            found.extend(contexts.into_iter().map(|context| Wanted { workflow: workflow.clone(), mode, context }));
            if found.len() > EXECUTIONS_MAX {
                let message = format!("the change would start more than {EXECUTIONS_MAX} executions");
                return Err(StoreError::Invalid { code: "TOO_MANY_EXECUTIONS", message });
            }
        }
    }
    Ok(found)
}

fn action(kind: RecordChangeKind) -> Action {
    match kind {
        RecordChangeKind::Created => Action::Create,
        RecordChangeKind::Updated => Action::Update,
        RecordChangeKind::Destroyed => Action::Destroy,
    }
}

fn waits_for(plugins: &Plugins, source: &str, collection: &Collection, action: Action) -> bool {
    plugins.waits_for(Phase::Changed, action, CollectionName::new(source, &collection.name), false)
}

/// Puts together what plugins are asked about at once, in the order of the first change of each.
fn events(changes: Vec<RecordChange>) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    for change in changes {
        let action = action(change.kind);
        match events.iter_mut().find(|it| it.action == action && it.collection.name == change.collection.name) {
            Some(event) => event.changes.push(change),
            None => {
                events.push(Event { collection: Arc::clone(&change.collection), action, changes: vec![change] });
            }
        }
    }
    events
}

/// Asks the plugins what an event starts, and who says so. Faults are logged where they happen.
fn ask(
    host: &Host,
    plugins: &Plugins,
    source: &str,
    main: &Arc<Schema>,
    event: &Event,
) -> Result<Vec<(Arc<str>, Firing)>, StoreError> {
    let schemas = host.data_sources.schemas(main);
    let view = CollectionsView(&schemas);
    let collection = CollectionRef::new(source, event.collection.name.as_str());
    let answers = plugins.plan(&ActionEvent::new(Phase::Changed, event.action, &collection, &view));
    if let Some(HookAnswer { plugin, .. }) = answers.iter().find(|answer| answer.required && answer.result.is_err()) {
        return Err(StoreError::Unheard { who: format!("plugin \"{plugin}\"") });
    }
    let plans = answers.into_iter().filter_map(|answer| Some((answer.plugin, answer.result.ok()?.firings)));
    Ok(plans
        .flat_map(|(plugin, firings)| firings.into_iter().map(move |firing| (Arc::clone(&plugin), firing)))
        .collect())
}

/// What each execution of a firing gets: one for each record that fulfils the terms.
async fn contexts(
    tx: &mut Tx,
    realm: &Realm,
    cause: &Cause,
    event: &Event,
    workflow: &WorkflowRow,
    firing: &Firing,
) -> Result<Vec<Record>, StoreError> {
    let terms = match Terms::new(realm, &event.collection, firing) {
        Ok(terms) if firing.path.is_empty() => terms,
        Ok(_) => {
            tracing::warn!(workflow = %workflow.id, path = %firing.path, "a change has no path, does not start");
            return Ok(Vec::new());
        }
        Err(error) => {
            tracing::warn!(workflow = %workflow.id, "its terms do not fit any more, does not start: {error}");
            return Ok(Vec::new());
        }
    };
    let records = match handed_over(tx, event, firing).await {
        Ok(records) => records,
        Err(StoreError::Invalid { message, .. }) => {
            tracing::warn!(workflow = %workflow.id, "cannot be loaded, does not start: {message}");
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let before = terms.remember_as_given(event.changes.iter().filter_map(|change| change.before.clone()));
    let role = cause.context.get("roleName").and_then(Value::as_str);
    let actor = Actor { user: cause.context.get("user").and_then(Value::as_object), role };
    let passed = terms.pass(tx, records, before, &actor).await?;
    let context = |data: Record, previous: Option<Record>| {
        let mut context = Record::from_iter([("data".to_owned(), Value::Object(data))]);
        context.extend(cause.context.clone());
        if firing.previous == Previous::Included {
            context.insert("previous".to_owned(), previous.map_or(Value::Null, Value::Object));
        }
        context
    };
    Ok(passed.records.into_iter().map(|(data, previous)| context(data, previous)).collect())
}

/// The records of an event, with the preloads of a firing. Deleted ones are what they were: nothing leads from them any more.
async fn handed_over(tx: &mut Tx, event: &Event, firing: &Firing) -> Result<Vec<Record>, StoreError> {
    let changes = event.changes.iter();
    let records: Vec<Record> =
        changes.filter_map(|change| change.after.as_ref().or(change.before.as_ref()).cloned()).collect();
    let keys: Vec<Value> = records.iter().filter_map(|record| event.collection.key_of(record)).collect();
    if firing.preloads.is_empty() || event.action == Action::Destroy || keys.len() < records.len() {
        return Ok(records);
    }
    let appends = firing.preloads.iter().map(AssociationPath::to_string).collect();
    tx.follow(&event.collection, &keys, &[], &Select { appends, ..Select::default() }).await
}
