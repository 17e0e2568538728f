//! Keeps one further database open: connects, tries again while it cannot be reached, and relays what its outbox holds.

use std::{sync::Arc, time::Duration};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use store::{LeftOut, Store, StoreError, TableState};
use tokio::time::{sleep, timeout};

use super::{
    registry::{Connection, DataSources, Entry, OwnTable},
    relay::Relay,
    settings::{Folder, Settings},
};
use crate::{error::causes, host::Host, pipeline::CollectionEvents};

/// Between two attempts to connect: soon enough that nobody has to ask for it, later when it has not helped.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How long an attempt may take.
const ATTEMPT: Duration = Duration::from_secs(20);

/// Opens all that are written down, each in its own time.
pub(crate) fn open_all(host: &Arc<Host>) {
    for entry in host.data_sources.entries() {
        keep(host, entry);
    }
}

/// Does what the store says now about one: opens it, opens it anew, closes it, or looks at its structure again.
///
/// # Errors
///
/// Errors of the host's own database. What the other one says is told by its standing.
pub(crate) async fn follow(host: &Arc<Host>, key: &str) -> Result<(), StoreError> {
    let sources = &host.data_sources;
    let _turn = sources.one_at_a_time.lock().await;
    let written = sources.main().read().await?.data_source(key).await?;
    let (Some(row), known) = (written, sources.entry(key)) else {
        sources.remove(key);
        return Ok(());
    };
    let settings = Settings::of(row.facts);
    match known {
        Some(entry) if entry.settings.connects_like(&settings) => {
            if let Err(error) = read_structure(sources, &entry).await {
                tracing::warn!(source = key, problem = causes(&error), "its structure cannot be read");
            }
        }
        Some(_) | None => {
            let entry = Arc::new(Entry::new(key, settings));
            sources.put(Arc::clone(&entry));
            keep(host, entry);
        }
    }
    Ok(())
}

/// Reads the structure of one anew. One that could not be reached is tried at once.
///
/// # Errors
///
/// What the further database says; errors of main.
pub(crate) async fn refresh(host: &Arc<Host>, key: &str) -> Result<(), StoreError> {
    let sources = &host.data_sources;
    let Some(entry) = sources.entry(key).filter(|entry| entry.settings.is_enabled()) else { return Ok(()) };
    if entry.connection().is_some() {
        return read_structure(sources, &entry).await;
    }
    let entry = Arc::new(Entry::new(key, entry.settings.clone()));
    sources.put(Arc::clone(&entry));
    keep(host, entry);
    Ok(())
}

/// Connects and reads the structure, and leaves nothing behind: how many collections there are, and what is left out.
///
/// # Errors
///
/// In a sentence.
pub(crate) async fn try_out(settings: &Settings, folder: &Folder) -> Result<(usize, Arc<Vec<LeftOut>>), String> {
    let (url, options) = settings.connection(folder)?;
    let tried = async {
        let store = Store::connect(&url, &options).await?;
        let left_out = store.refresh_structure().await;
        let collections = store.schema().collections().count();
        store.close().await;
        Ok::<_, StoreError>((collections, left_out?))
    };
    attempt(async { tried.await.map_err(|error| causes(&error)) }).await
}

/// Waits as long as an attempt may take.
async fn attempt<T>(attempt: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let late = |_late| Err(format!("it does not answer within {} seconds", ATTEMPT.as_secs()));
    timeout(ATTEMPT, attempt).await.unwrap_or_else(late)
}

async fn read_structure(sources: &DataSources, entry: &Entry) -> Result<(), StoreError> {
    let Some(now) = entry.connection() else { return Ok(()) };
    let left_out = now.store.refresh_structure().await?;
    sources.connect(entry, Connection { left_out, trouble: None, ..Connection::clone(&now) });
    Ok(())
}

/// Begins to keep one.
fn keep(host: &Arc<Host>, entry: Arc<Entry>) {
    if !entry.settings.is_enabled() {
        return;
    }
    let host_of_task = Arc::clone(host);
    host.requests.spawn(async move {
        let stopping = host_of_task.stopping();
        tokio::select! {
            () = stopping.cancelled() => {}
            () = entry.closing.cancelled() => {}
            () = keep_open(&host_of_task, &entry) => {}
        }
        // A host that stops closes all of them when its executions have ended.
        if let (false, Some(connection)) = (stopping.is_cancelled(), entry.connection()) {
            connection.store.close().await;
            tracing::info!(source = &*entry.key, "the data source is closed");
        }
    });
}

async fn keep_open(host: &Arc<Host>, entry: &Arc<Entry>) {
    let sources = &host.data_sources;
    let pauses = ExponentialBuilder::new()
        .with_min_delay(FIRST_PAUSE)
        .with_max_delay(LONGEST_PAUSE)
        .with_jitter()
        .without_max_times()
        .build();
    for pause in pauses {
        match attempt(open(sources, entry)).await {
            Ok(connection) => {
                CollectionEvents::listen_elsewhere(host, Arc::clone(&entry.key), &connection.store);
                tracing::info!(
                    source = &*entry.key,
                    outbox = connection.outbox.is_ok(),
                    receipts = connection.receipts.is_ok(),
                    "the data source is connected"
                );
                let relay = Relay::new(host, entry, &connection);
                sources.connect(entry, connection);
                return relay.run().await;
            }
            Err(problem) => {
                tracing::warn!(source = &*entry.key, problem, "the data source cannot be connected");
                sources.fail(entry, &problem);
            }
        }
        sleep(pause).await;
    }
}

/// Connects, reads the structure, and sees which of our tables are there.
async fn open(sources: &DataSources, entry: &Entry) -> Result<Connection, String> {
    let (url, options) = entry.settings.connection(sources.folder())?;
    let store = Store::connect(&url, &options).await.map_err(|error| causes(&error))?;
    let opened = async {
        let left_out = store.refresh_structure().await?;
        let outbox = usable(store.prepare_outbox().await?);
        let receipts = usable(store.prepare_write_receipts().await?);
        Ok::<_, StoreError>((left_out, outbox, receipts))
    };
    match opened.await {
        Ok((left_out, outbox, receipts)) => Ok(Connection { store, outbox, receipts, left_out, trouble: None }),
        Err(error) => {
            store.close().await;
            Err(causes(&error))
        }
    }
}

fn usable(table: TableState) -> OwnTable {
    match table {
        TableState::Ready => Ok(()),
        TableState::Missing(reason) => Err(reason.into()),
    }
}
