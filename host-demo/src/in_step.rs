//! Keeps this host in step with the others on its database: what they have changed of the schema, of workflows, of plugins and of
//! data sources.
//!
//! Nothing depends on being told in time. A request asks how far the database is before it is looked at, and every transaction
//! asks when it begins: so whoever was told by one host that a workflow is enabled finds it enabled at every other one. Hints of
//! other hosts, and a look from time to time, are for what happens without requests.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use store::{Hint, HostChange, HostVersion, Store, StoreError, WorkflowId};
use tokio::{
    sync::{Mutex, broadcast::error::RecvError},
    time::timeout,
};

use crate::{
    data_sources,
    host::Host,
    plugins::{Change, PluginState},
};

/// Between two looks without a hint: how late what nobody told of is noticed, if there are no requests either.
const PAUSE: Duration = Duration::from_secs(2);

/// How long somebody waits for the one who follows already.
const MOST_WAITING: Duration = Duration::from_secs(1);

/// How far this host is.
pub(crate) struct InStep {
    /// Names this host to the others; a new one at every start.
    name: String,
    /// The number of the last change that was followed.
    followed: AtomicI64,
    one_at_a_time: Mutex<()>,
}

impl InStep {
    /// Up to this version nothing has to be followed.
    pub(crate) fn from(version: HostVersion) -> Self {
        Self {
            name: uuid::Uuid::new_v4().to_string(),
            followed: AtomicI64::new(version.changes),
            one_at_a_time: Mutex::new(()),
        }
    }

    fn followed(&self) -> i64 {
        self.followed.load(Ordering::Acquire)
    }
}

impl Host {
    /// Takes up what other hosts have changed before this call.
    ///
    /// # Errors
    ///
    /// Database errors. What a plugin does not follow is logged.
    pub(crate) async fn catch_up(self: &Arc<Self>) -> Result<(), StoreError> {
        if !self.store.is_shared() {
            return Ok(());
        }
        let there = self.store.host_version().await?;
        if there.schema > self.store.schema().version() {
            take_up_schema(&self.store).await?;
        }
        self.follow_up_to(there.changes).await
    }

    /// Follows the changes up to a number, if that has not happened.
    pub(crate) async fn follow_up_to(self: &Arc<Self>, number: i64) -> Result<(), StoreError> {
        if self.in_step.followed() >= number {
            return Ok(());
        }
        // A plugin that is being told may wait for a thread of its own, and that one for this.
        let Ok(_turn) = timeout(MOST_WAITING, self.in_step.one_at_a_time.lock()).await else { return Ok(()) };
        let followed = self.in_step.followed();
        if followed >= number {
            return Ok(());
        }
        let (last, changes) = self.store.read().await?.host_changes(followed).await?;
        let mut workflows: Vec<(WorkflowId, String)> = Vec::new();
        let mut data_sources: BTreeSet<String> = BTreeSet::new();
        for change in changes {
            match change {
                HostChange::Workflow { id, trigger_type } => workflows.push((id, trigger_type)),
                HostChange::DataSource { key } => drop(data_sources.insert(key)),
                HostChange::Plugins { by, .. } if by == self.in_step.name => {}
                HostChange::Plugins { change, .. } => match serde_json::from_value::<Change>(change) {
                    Ok(change) => self.change_plugins_too(change).await,
                    Err(error) => tracing::error!(%error, "another host has changed its plugins in an unknown way"),
                },
            }
        }
        for key in data_sources {
            data_sources::follow(self, &key).await?;
        }
        // A plugin that another host has put into service is told of all workflows when it comes.
        workflows.sort_unstable();
        workflows.dedup();
        self.switch.follow_versions(&workflows).await?;
        self.in_step.followed.fetch_max(last, Ordering::AcqRel);
        Ok(())
    }

    /// Has other hosts change their plugins as this one has, also those that start later.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub(crate) async fn tell_of_plugins(&self, change: &Change) -> Result<(), StoreError> {
        let switched = match change {
            Change::Enable { id } => Some((id.clone(), true)),
            Change::Disable { id, .. } => Some((id.clone(), false)),
            Change::Upgrade { .. } | Change::Reload { .. } | Change::ReloadAll => None,
        };
        let Ok(change) = serde_json::to_value(change) else { return Ok(()) };
        let by = self.in_step.name.clone();
        self.store
            .write::<_, StoreError, _>(move |tx| {
                Box::pin(async move {
                    if let Some((plugin, enabled)) = switched {
                        tx.set_plugin_switch(&plugin, enabled).await?;
                    }
                    tx.tell_hosts(HostChange::Plugins { by, change });
                    Ok(())
                })
            })
            .await
    }

    /// Switches plugins as hosts of this database have been told to while they ran, whatever this one's manifest says. One that cannot be
    /// switched is logged, and stays as it is.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub(crate) async fn take_up_switches(&self) -> Result<(), StoreError> {
        let switches = self.store.read().await?.plugin_switches().await?;
        for (id, enabled) in switches {
            let plugins = self.plugins.current();
            let Some(report) = plugins.reports().iter().find(|report| report.id == id) else { continue };
            let is_off = report.state == PluginState::Disabled;
            if is_off == enabled {
                let change = if enabled { Change::Enable { id } } else { Change::Disable { id, force: true } };
                self.change_plugins_too(change).await;
            }
        }
        Ok(())
    }

    async fn change_plugins_too(&self, change: Change) {
        tracing::info!(?change, "another host has changed its plugins");
        if let Err(error) = self.switch.change(change.clone()).await {
            tracing::error!(?change, %error, "another host has changed its plugins, this one cannot");
        }
    }

    /// Keeps in step until the server stops.
    pub(crate) async fn keep_in_step(self: Arc<Self>) {
        let Some(mut hints) = self.store.hints() else { return };
        let stopping = self.stopping();
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                hint = hints.recv() => match hint {
                    Ok(Hint::Changed | Hint::Lost) | Err(RecvError::Lagged(_)) => {}
                    Ok(Hint::Queued(_) | Hint::Ready(_)) => continue,
                    Err(RecvError::Closed) => return,
                },
                () = tokio::time::sleep(PAUSE) => {}
            }
            match self.catch_up().await {
                Ok(()) => {}
                Err(StoreError::Closed) => return,
                Err(error) => tracing::warn!(%error, "changes of other hosts are not followed"),
            }
        }
    }
}

/// A transaction begins with the schema of now, and shows it to readers.
async fn take_up_schema(store: &Store) -> Result<(), StoreError> {
    store.write(|_| Box::pin(async { Ok(()) })).await
}
