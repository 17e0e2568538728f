//! Which further databases there are on this host, and how each is doing.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use plugin_api::schema::MAIN_DATA_SOURCE;
use store::{LeftOut, Store, StoreError};
use tokio::{sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;
use workflow::Sources;

use super::{
    schemas::{Further, Schemas},
    settings::{Folder, Settings},
    source::DataSource,
};

/// How long a request waits for a database that is being connected: as long as a server nearby takes, not one that does not answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// All further databases of this host.
pub(crate) struct DataSources {
    main: Store,
    folder: Folder,
    entries: ArcSwap<BTreeMap<Arc<str>, Arc<Entry>>>,
    /// Made anew when an entry comes, goes or changes its state.
    further: ArcSwap<Further>,
    /// Held while `entries` and `further` are replaced, for no longer.
    changing: Mutex<()>,
    /// Held while one is followed: the store is asked inside, so the order of the calls does not matter.
    pub(super) one_at_a_time: tokio::sync::Mutex<()>,
}

/// One of them.
pub(super) struct Entry {
    pub(super) key: Arc<str>,
    pub(super) settings: Settings,
    state: watch::Sender<State>,
    /// Cancelled when it is replaced or removed.
    pub(super) closing: CancellationToken,
}

/// How one is doing.
#[derive(Clone)]
enum State {
    /// It is not to be used.
    Disabled,
    /// Nobody knows yet.
    Connecting,
    /// It is open.
    Connected(Arc<Connection>),
    /// It cannot be reached; it is tried again.
    Failed(Arc<str>),
}

/// Whether a table of ours there can be used, or else why not, in a sentence.
pub(crate) type OwnTable = Result<(), Arc<str>>;

/// An open one.
#[derive(Clone)]
pub(super) struct Connection {
    pub(super) store: Store,
    /// Whether what a change starts can be written down with it.
    pub(super) outbox: OwnTable,
    /// Whether what nodes write is written once, whoever dies when.
    pub(super) receipts: OwnTable,
    /// What was left out when the structure was last read.
    pub(super) left_out: Arc<Vec<LeftOut>>,
    /// Why it does not answer at the moment, if it does not.
    pub(super) trouble: Option<Arc<str>>,
}

/// How one is doing, for those who look.
pub(crate) enum Standing {
    Disabled,
    Connecting,
    /// It cannot be reached, in a sentence.
    Failed(Arc<str>),
    Connected {
        collections: usize,
        outbox: OwnTable,
        receipts: OwnTable,
        left_out: Arc<Vec<LeftOut>>,
    },
}

impl Entry {
    pub(super) fn new(key: &str, settings: Settings) -> Self {
        let state = if settings.is_enabled() { State::Connecting } else { State::Disabled };
        Self { key: key.into(), settings, state: watch::Sender::new(state), closing: CancellationToken::new() }
    }

    /// What it has open.
    pub(super) fn connection(&self) -> Option<Arc<Connection>> {
        match &*self.state.borrow() {
            State::Connected(connection) => Some(Arc::clone(connection)),
            State::Disabled | State::Connecting | State::Failed(_) => None,
        }
    }

    /// Waits for a database that is being connected.
    async fn settled(&self) -> State {
        let mut states = self.state.subscribe();
        // If it takes longer, it is as it is.
        drop(timeout(PATIENCE, states.wait_for(|state| !matches!(state, State::Connecting))).await);
        self.state.borrow().clone()
    }
}

impl DataSources {
    /// Those that are written down, none of them connected yet.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub(crate) async fn load(main: Store, folder: Folder) -> Result<Self, StoreError> {
        let rows = main.read().await?.data_sources().await?;
        let sources = Self {
            main,
            folder,
            entries: ArcSwap::default(),
            further: ArcSwap::default(),
            changing: Mutex::default(),
            one_at_a_time: tokio::sync::Mutex::default(),
        };
        for row in rows {
            sources.put(Arc::new(Entry::new(&row.key, Settings::of(row.facts))));
        }
        Ok(sources)
    }

    /// Finds one by its key, main too, and waits a moment if it is being connected.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] (`UNKNOWN_DATA_SOURCE`, `DATA_SOURCE_DISABLED`), [`StoreError::SourceUnavailable`].
    pub(crate) async fn find(&self, key: &str) -> Result<DataSource, StoreError> {
        if key == MAIN_DATA_SOURCE {
            return Ok(DataSource::main(self.main.clone()));
        }
        let Some(entry) = self.entry(key) else {
            let message = format!("data source {key} does not exist");
            return Err(StoreError::Invalid { code: "UNKNOWN_DATA_SOURCE", message });
        };
        match entry.settled().await {
            State::Connected(connection) => {
                Ok(DataSource::further(Arc::clone(&entry.key), connection.store.clone(), connection.outbox.is_ok()))
            }
            State::Disabled => {
                let message = format!("data source {key} is disabled");
                Err(StoreError::Invalid { code: "DATA_SOURCE_DISABLED", message })
            }
            State::Connecting | State::Failed(_) => Err(StoreError::SourceUnavailable { key: key.to_owned() }),
        }
    }

    /// Finds one that is connected now.
    pub(crate) fn connected(&self, key: &str) -> Option<DataSource> {
        let entry = self.entry(key)?;
        let connection = entry.connection()?;
        Some(DataSource::further(Arc::clone(&entry.key), connection.store.clone(), connection.outbox.is_ok()))
    }

    /// The collections of all, with these as those of main.
    pub(crate) fn schemas(&self, main: &Arc<store::Schema>) -> Schemas {
        Schemas::new(Arc::clone(main), self.further.load_full())
    }

    /// How one is doing, after a moment if it is being connected; `None` if there is none.
    pub(crate) async fn standing(&self, key: &str) -> Option<Standing> {
        Some(match self.entry(key)?.settled().await {
            State::Disabled => Standing::Disabled,
            State::Connecting => Standing::Connecting,
            State::Failed(problem) => Standing::Failed(problem),
            State::Connected(connection) => match &connection.trouble {
                Some(problem) => Standing::Failed(Arc::clone(problem)),
                None => Standing::Connected {
                    collections: connection.store.schema().collections().count(),
                    outbox: connection.outbox.clone(),
                    receipts: connection.receipts.clone(),
                    left_out: connection.left_out.clone(),
                },
            },
        })
    }

    /// The folder whose files may be opened.
    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The host's own database.
    pub(crate) fn main(&self) -> &Store {
        &self.main
    }

    pub(super) fn entry(&self, key: &str) -> Option<Arc<Entry>> {
        self.entries.load().get(key).cloned()
    }

    pub(super) fn entries(&self) -> Vec<Arc<Entry>> {
        self.entries.load().values().cloned().collect()
    }

    /// Puts one in the place of the one with its key, whose keeper ends.
    pub(super) fn put(&self, entry: Arc<Entry>) {
        self.change(|entries| entries.insert(Arc::clone(&entry.key), entry));
    }

    pub(super) fn remove(&self, key: &str) {
        self.change(|entries| entries.remove(key));
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<Arc<str>, Arc<Entry>>) -> Option<Arc<Entry>>) {
        let _turn = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut entries = BTreeMap::clone(&self.entries.load());
        if let Some(former) = change(&mut entries) {
            former.closing.cancel();
        }
        self.entries.store(Arc::new(entries));
        self.publish_schemas();
    }

    /// Takes note of what an entry has open now.
    pub(super) fn connect(&self, entry: &Entry, connection: Connection) {
        self.settle(entry, State::Connected(Arc::new(connection)));
    }

    /// Takes note that an entry cannot be reached.
    pub(super) fn fail(&self, entry: &Entry, problem: &str) {
        self.settle(entry, State::Failed(problem.into()));
    }

    /// Takes note of whether an open one answers, and tells the log when that has changed.
    pub(super) fn note_trouble(&self, entry: &Entry, trouble: Option<String>) {
        entry.state.send_if_modified(|state| {
            let State::Connected(connection) = state else { return false };
            if connection.trouble.as_deref() == trouble.as_deref() {
                return false;
            }
            match &trouble {
                Some(problem) => {
                    tracing::warn!(source = &*entry.key, problem, "the data source, or main for it, does not answer");
                }
                None => tracing::info!(source = &*entry.key, "the data source answers again"),
            }
            *connection = Arc::new(Connection { trouble: trouble.map(Into::into), ..Connection::clone(connection) });
            true
        });
    }

    fn settle(&self, entry: &Entry, state: State) {
        let _turn = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        entry.state.send_replace(state);
        self.publish_schemas();
    }

    fn publish_schemas(&self) {
        let entries = self.entries.load();
        let schema = |entry: &Arc<Entry>| entry.connection().map(|connection| connection.store.schema());
        let further = entries.iter().map(|(key, entry)| (Arc::clone(key), schema(entry))).collect();
        self.further.store(Arc::new(further));
    }

    /// Closes all that are open; the host stops.
    pub(crate) async fn close(&self) {
        for entry in self.entries() {
            entry.closing.cancel();
            if let Some(connection) = entry.connection() {
                connection.store.close().await;
            }
        }
    }
}

#[async_trait]
impl Sources for DataSources {
    async fn store(&self, key: &str) -> Result<Store, StoreError> {
        Ok(self.find(key).await?.store().clone())
    }
}
