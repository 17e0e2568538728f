//! Looks after our tables in a further database. Takes up what was written into an outbox and not taken at once: whoever wrote it has
//! died, or could not reach main. Forgets the receipts that ended executions have left behind.
//!
//! Every host does so for every data source. Taking is a transaction of main that begins with a receipt, so however many see a
//! message, one takes it.

use std::{
    collections::HashSet,
    sync::{Arc, Weak},
    time::Duration,
};

use store::{Store, StoreError, outbox::OutboxMessage};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::registry::{Connection, Entry};
use crate::{error::causes, host::Host, pipeline::outbox};

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(2);
/// How old a message is before others take it: whoever wrote it needs milliseconds.
const AGE: Duration = Duration::from_secs(5);
/// Most messages of one look.
const AT_ONCE: u32 = 100;
/// How long a receipt is kept at least: far longer than anybody needs between seeing a message and taking it.
const RECEIPT_AGE: Duration = Duration::from_secs(3_600);
/// Between two looks at the receipts for what nodes have written. Only who dies leaves one.
const SWEEP_PAUSE: Duration = Duration::from_secs(60);
/// How old such a receipt is before others forget it: whoever wrote it does so after a second.
const SWEEP_AGE: Duration = Duration::from_secs(60);

/// Looks after one data source.
pub(super) struct Relay {
    host: Weak<Host>,
    entry: Arc<Entry>,
    store: Store,
    has_outbox: bool,
    has_receipts: bool,
    next_sweep: Instant,
    /// Messages that make no sense here. They stay where they are, for whoever can do something about it.
    unreadable: HashSet<Uuid>,
}

impl Relay {
    pub(super) fn new(host: &Arc<Host>, entry: &Arc<Entry>, connection: &Connection) -> Self {
        Self {
            host: Arc::downgrade(host),
            entry: Arc::clone(entry),
            store: connection.store.clone(),
            has_outbox: connection.outbox.is_ok(),
            has_receipts: connection.receipts.is_ok(),
            next_sweep: Instant::now(),
            unreadable: HashSet::new(),
        }
    }

    /// Goes on until nobody waits for it any more.
    pub(super) async fn run(mut self) {
        loop {
            let Some(host) = self.host.upgrade() else { return };
            let looked = self.look(&host).await;
            let trouble = looked.as_ref().err().map(|error| causes(error));
            host.data_sources.note_trouble(&self.entry, trouble);
            drop(host);
            if !matches!(looked, Ok(true)) {
                sleep(PAUSE).await;
            }
        }
    }

    /// Does what there is to do; says whether there may be more.
    async fn look(&mut self, host: &Arc<Host>) -> Result<bool, StoreError> {
        if self.has_receipts && self.next_sweep <= Instant::now() {
            let receipts = self.store.sweep_write_receipts(&host.store, SWEEP_AGE).await?;
            if receipts > 0 {
                tracing::info!(source = &*self.entry.key, receipts, "forgotten: whoever wrote them did not");
            }
            self.next_sweep = Instant::now() + SWEEP_PAUSE;
        }
        if self.has_outbox { self.round(host).await } else { self.store.ping().await.map(|()| false) }
    }

    /// Takes what is old enough; says whether there may be more.
    async fn round(&mut self, host: &Arc<Host>) -> Result<bool, StoreError> {
        let known = u32::try_from(self.unreadable.len()).unwrap_or(u32::MAX);
        let messages = self.store.outbox(AT_ONCE.saturating_add(known), AGE).await?;
        let found = messages.len();
        let mut taken = Vec::with_capacity(found);
        for OutboxMessage { id, message } in messages {
            if self.unreadable.contains(&id) {
                continue;
            }
            match outbox::take_later(host, &self.entry.key, id, message).await {
                Ok(true) => taken.push(id),
                Ok(false) => {
                    self.unreadable.insert(id);
                }
                Err(error) => {
                    self.store.forget_outbox(&taken).await?;
                    return Err(error);
                }
            }
        }
        self.store.forget_outbox(&taken).await?;
        let more = found > self.unreadable.len() && found >= AT_ONCE as usize;
        if !more {
            outbox::forget_receipts(host, &self.entry.key, &self.store, RECEIPT_AGE).await?;
        }
        Ok(more)
    }
}
