//! What a request changes in records, for whoever starts something from it.
//!
//! ```text
//! the functions that write a row ─ note it, if somebody listens to such changes ─ Notes
//! the request has done its work  ─ in the same transaction, the listener hears of the net changes
//! ```
//!
//! So it makes no difference who writes: a user's action, a workflow's node, a value nested in another record, a link. A record
//! that is written several times in one request has changed once, from what it was before the request to what it is after it;
//! one that was made and deleted again has not changed at all. What the listener itself writes is not told, unless it does so in
//! a step ([`Tx::step`]): that is a request within the request, and its changes are told at its end.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, OnceLock},
};

use futures::future::BoxFuture;

use crate::{
    Record,
    db::Tx,
    error::StoreError,
    id::ExecutionId,
    query::{Plan, Select},
    schema::Collection,
    write::is_writable,
};

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecordChangeKind {
    /// It is new.
    Created,
    /// It was there and is there.
    Updated,
    /// It is gone.
    Destroyed,
}

/// A record before and after a request, without its hidden fields and without associations.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordChange {
    /// The record's collection.
    pub collection: Arc<Collection>,
    /// What became of it.
    pub kind: RecordChangeKind,
    /// As it was; `None` if it was not there.
    pub before: Option<Record>,
    /// As it is; `None` if it is gone.
    pub after: Option<Record>,
}

/// Why a request writes: what it is that goes on in what is started from its changes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cause {
    /// The executions that led to it, the outermost first; empty if no workflow did.
    pub stack: Vec<ExecutionId>,
    /// What is known about who did it, by name; empty if nobody did.
    pub context: Record,
}

/// Hears of changed records.
pub trait RecordListener: Send + Sync + 'static {
    /// Sees to it that what follows is judged by all changes of other hosts up to this number (see [`crate::hosts`]). Called at the
    /// beginning of each transaction on a database that hosts may share; at most times there is nothing to do.
    fn catch_up(&self, number: i64) -> BoxFuture<'_, Result<(), StoreError>> {
        let _ = number;
        Box::pin(async { Ok(()) })
    }

    /// Says whether changes of this kind matter. Asked for each statement that writes records, so it has to be quick.
    fn listens(&self, collection: &Collection, kind: RecordChangeKind) -> bool;

    /// Hears of what a request has changed, in the order in which it first did, at the end of the request's transaction.
    /// Changes of other kinds may be among them. An error undoes the request.
    fn hear<'t>(
        &'t self,
        tx: &'t mut Tx,
        cause: Cause,
        changes: Vec<RecordChange>,
    ) -> BoxFuture<'t, Result<(), StoreError>>;
}

/// The store's one listener, once there is one.
pub(crate) type Listener = Arc<OnceLock<Arc<dyn RecordListener>>>;

/// What the request that is being worked on has changed so far.
#[derive(Default)]
pub(crate) struct Notes {
    cause: Cause,
    touched: Vec<Touched>,
    /// Where a record stands in `touched`: by its collection and its key of now.
    places: HashMap<(String, String), usize>,
    /// A record that is noted once is followed, whatever happens to it.
    collections: HashSet<String>,
}

struct Touched {
    collection: Arc<Collection>,
    before: Option<Record>,
    after: Option<Record>,
}

impl Notes {
    fn note(&mut self, collection: &Arc<Collection>, before: Option<Record>, after: Option<Record>) {
        let place = |record: Option<&Record>| {
            let key = collection.key_of(record?)?;
            Some((collection.name.clone(), key.to_string()))
        };
        let (then, now) = (place(before.as_ref()), place(after.as_ref()));
        let known = then.as_ref().or(now.as_ref()).and_then(|place| self.places.get(place)).copied();
        let index = match known {
            Some(index) => {
                self.touched[index].after = after;
                index
            }
            None => {
                self.collections.insert(collection.name.clone());
                self.touched.push(Touched { collection: Arc::clone(collection), before, after });
                self.touched.len() - 1
            }
        };
        // A deleted record keeps its place: one that is made with its key is the same one.
        match (then, now) {
            (Some(place), None) | (None, Some(place)) => {
                self.places.insert(place, index);
            }
            (Some(then), Some(now)) => {
                self.places.remove(&then);
                self.places.insert(now, index);
            }
            (None, None) => {}
        }
    }

    fn take(&mut self) -> (Cause, Vec<RecordChange>) {
        let Self { cause, touched, .. } = std::mem::take(self);
        let changes = touched.into_iter().filter_map(|Touched { collection, before, after }| {
            let kind = match (&before, &after) {
                (None, None) => return None,
                (None, Some(_)) => RecordChangeKind::Created,
                (Some(_), Some(_)) => RecordChangeKind::Updated,
                (Some(_), None) => RecordChangeKind::Destroyed,
            };
            Some(RecordChange { collection, kind, before, after })
        });
        (cause, changes.collect())
    }
}

impl Tx {
    /// Says why the rest of this request writes.
    pub fn set_cause(&mut self, cause: Cause) {
        self.notes.cause = cause;
    }

    /// Says whether such a change has to be noted.
    pub(crate) fn is_heard(&self, collection: &Collection, kind: RecordChangeKind) -> bool {
        let Some(listener) = self.listener.get() else { return false };
        is_writable(collection)
            && (self.notes.collections.contains(&collection.name) || listener.listens(collection, kind))
    }

    /// Notes changes of records of a collection, as they were before and as they are after it.
    pub(crate) fn note_records(
        &mut self,
        collection: &Collection,
        changes: impl IntoIterator<Item = (Option<Record>, Option<Record>)>,
    ) {
        let shared = match self.schema().collection(&collection.name) {
            Ok(shared) => Arc::clone(shared),
            Err(_) => Arc::new(collection.clone()),
        };
        for (before, after) in changes {
            self.notes.note(&shared, before, after);
        }
    }

    /// Notes an update: pairs what records were with what they are.
    pub(crate) fn note_update(&mut self, collection: &Collection, before: Vec<Record>, after: &[Record]) {
        let key = |record: &Record| collection.key_of(record).map(|key| key.to_string());
        let mut earlier: Vec<Option<Record>> = before.into_iter().map(Some).collect();
        let places: HashMap<Option<String>, usize> =
            earlier.iter().enumerate().map(|(place, record)| (record.as_ref().and_then(key), place)).collect();
        let (same, moved): (Vec<&Record>, Vec<&Record>) =
            after.iter().partition(|record| key(record).is_some() && places.contains_key(&key(record)));
        let mut pairs: Vec<(Option<Record>, Option<Record>)> = same
            .into_iter()
            .map(|record| (places.get(&key(record)).and_then(|place| earlier[*place].take()), Some(record.clone())))
            .collect();
        // Those whose key was changed, or that have none: in the order of the rows.
        pairs.extend(earlier.into_iter().flatten().zip(moved).map(|(was, is)| (Some(was), Some(is.clone()))));
        self.note_records(collection, pairs);
    }

    /// Tells the listener now, not at the end of the request, what was changed so far. What is changed later is another change,
    /// for the same cause. Says whether that has led to steps of somebody's: records may be others than before then.
    ///
    /// # Errors
    ///
    /// The listener's: the request must not go on.
    pub async fn tell_changes(&mut self) -> Result<bool, StoreError> {
        let (cause, steps) = (self.notes.cause.clone(), self.steps());
        self.tell_notes().await?;
        self.notes.cause = cause;
        Ok(self.steps() > steps)
    }

    /// Lets the listener follow what other hosts had changed when the transaction began.
    pub(crate) async fn let_listener_catch_up(&self) -> Result<(), StoreError> {
        match self.listener.get() {
            Some(listener) if self.has_rivals() && !self.is_further() => listener.catch_up(self.host_version()).await,
            Some(_) | None => Ok(()),
        }
    }

    /// Tells the listener what was changed.
    pub(crate) async fn tell_notes(&mut self) -> Result<(), StoreError> {
        let (cause, mut changes) = self.notes.take();
        let Some(listener) = self.listener.get().cloned().filter(|_| !changes.is_empty()) else { return Ok(()) };
        for change in &mut changes {
            let plan = Plan::new(self.schema(), &change.collection, &Select::default())?;
            change.before.iter_mut().chain(&mut change.after).for_each(|record| plan.strip(record));
        }
        let told = listener.hear(self, cause, changes).await;
        self.notes = Notes::default();
        told
    }
}
