//! Follows which workflows are enabled: begins to keep the time for new ones, and ends it for others.

use std::{collections::BTreeMap, time::Duration};

use plugin_api::{PluginError, schema::MAIN_DATA_SOURCE};
use store::{StoreError, WorkflowClock, WorkflowId, WorkflowRow};

use crate::{host::Host, plugins::Plugins, triggers::secrets};

/// How long transactions are waited for before others, who have their times too, get their turn.
const PATIENCE: Duration = Duration::from_secs(2);

/// What there is to know of the workflows that start by the clock.
#[derive(Debug, Default)]
pub(super) struct Followed {
    /// Those whose plugin is not there. What is due meanwhile is missed.
    pub(super) unattended: Vec<WorkflowId>,
    /// Whether one was not taken by its plugin, or by the store. That was told in the log; it may work later.
    pub(super) is_incomplete: bool,
}

/// Brings the clocks in the store in line with the enabled workflows. Its cost grows with those that start by the clock.
pub(super) async fn follow(host: &Host) -> Result<Followed, StoreError> {
    let plugins = host.plugins.current();
    host.clock.begin_again();
    let mut conn = host.store.read().await?;
    let rows = conn.enabled_workflows_of(&plugins.clock_types()).await?;
    let mut new: BTreeMap<WorkflowId, WorkflowRow> = rows.into_iter().map(|row| (row.id, row)).collect();
    let (mut followed, mut kept, mut ended) = (Followed::default(), Vec::new(), Vec::new());
    for clock in conn.workflow_clocks().await? {
        let id = clock.workflow_id;
        let is_current = |row: &WorkflowRow| row.enabled && row.enabled_since_ms == clock.enabled_since_ms;
        match new.get(&id) {
            Some(row) if is_current(row) => {
                new.remove(&id);
                kept.push(clock);
            }
            Some(_) => {}
            None if conn.workflow(id).await?.is_some_and(|row| is_current(&row)) => {
                followed.unattended.push(id);
                kept.push(clock);
            }
            None => ended.push(id),
        }
    }
    drop(conn);

    if !ended.is_empty() {
        end(host, ended).await?;
    }
    for row in new.values() {
        match begin(host, &plugins, row).await {
            Ok(Begun::Kept(clock)) => kept.push(clock),
            Ok(Begun::Switched) => {}
            Ok(Begun::NotYet) => followed.is_incomplete = true,
            Err(StoreError::Closed) => return Err(StoreError::Closed),
            Err(error) => {
                tracing::error!(workflow = %row.id, %error, "enabled, but cannot be started by the clock");
                followed.is_incomplete = true;
            }
        }
    }
    host.clock.watch(&kept);
    Ok(followed)
}

async fn end(host: &Host, workflows: Vec<WorkflowId>) -> Result<(), StoreError> {
    host.store
        .write(move |tx| {
            Box::pin(async move {
                for workflow in workflows {
                    tx.end_clock(workflow).await?;
                }
                Ok(())
            })
        })
        .await
}

/// What an enabled workflow waits with.
pub(super) fn clock_of(plugins: &Plugins, row: &WorkflowRow) -> Result<WorkflowClock, PluginError> {
    let watch = plugins.watch(&row.trigger_type, &secrets::told(row))?;
    // Changes of other programs there are not heard; refused when a workflow is configured, too.
    if let Some(watch) = watch.as_ref().filter(|watch| watch.collection.data_source() != MAIN_DATA_SOURCE) {
        return Err(PluginError::invalid(format!("{} is not in main", watch.collection)));
    }
    let (collection, fields) = watch.map(|watch| (watch.collection.name().to_owned(), watch.fields)).unzip();
    Ok(WorkflowClock {
        workflow_id: row.id,
        enabled_since_ms: row.enabled_since_ms,
        collection,
        fields: fields.unwrap_or_default(),
    })
}

/// What came of the attempt to keep the time for a workflow.
enum Begun {
    /// It is kept.
    Kept(WorkflowClock),
    /// The workflow was switched meanwhile.
    Switched,
    /// There are transactions under way that may not tell of what they change.
    NotYet,
}

/// Begins to keep the time for a workflow.
async fn begin(host: &Host, plugins: &Plugins, row: &WorkflowRow) -> Result<Begun, StoreError> {
    let clock = clock_of(plugins, row)
        .map_err(|error| StoreError::Unheard { who: format!("the clock of \"{}\" ({error})", row.trigger_type) })?;
    // Records that change from here on are marked by their changes, at other hosts from the moment at which the workflow was enabled. Those
    // from before are marked by the store, once all is there that began before.
    host.clock.watch_too(&clock);
    if clock.collection.is_some() && !host.store.outlast_predecessors(PATIENCE).await? {
        tracing::warn!(workflow = %row.id, "a transaction lasts long: until it ends, nothing is started by the clock");
        return Ok(Begun::NotYet);
    }
    host.store
        .write(move |tx| {
            Box::pin(async move {
                let now = tx.workflow(clock.workflow_id).await?.filter(|row| row.enabled);
                if now.is_none_or(|row| row.enabled_since_ms != clock.enabled_since_ms) {
                    return Ok(Begun::Switched);
                }
                tx.begin_clock(&clock).await?;
                Ok(Begun::Kept(clock))
            })
        })
        .await
}
