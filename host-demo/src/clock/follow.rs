//! Follows which workflows are enabled: begins to keep the time for new ones, and ends it for others.

use std::collections::BTreeMap;

use plugin_api::{ClockWatch, schema::MAIN_DATA_SOURCE};
use store::{StoreError, WorkflowClock, WorkflowId, WorkflowRow};

use crate::{host::Host, plugins::Plugins, triggers::secrets};

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
            Ok(clock) => kept.extend(clock),
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

/// Begins to keep the time for a workflow. `None` if it was switched meanwhile.
async fn begin(host: &Host, plugins: &Plugins, row: &WorkflowRow) -> Result<Option<WorkflowClock>, StoreError> {
    let watch = plugins
        .watch(&row.trigger_type, &secrets::told(row))
        .map_err(|error| StoreError::Unheard { who: format!("the clock of \"{}\" ({error})", row.trigger_type) })?;
    // Changes of other programs there are not heard; refused when a workflow is configured, too.
    let elsewhere = watch.as_ref().filter(|watch| watch.collection.data_source() != MAIN_DATA_SOURCE);
    if let Some(ClockWatch { collection, .. }) = elsewhere {
        return Err(StoreError::Invalid {
            code: "UNKNOWN_COLLECTION",
            message: format!("{collection} is not in main"),
        });
    }
    let (collection, fields) = watch.map(|watch| (watch.collection.name().to_owned(), watch.fields)).unzip();
    let clock = WorkflowClock {
        workflow_id: row.id,
        enabled_since_ms: row.enabled_since_ms,
        collection,
        fields: fields.unwrap_or_default(),
    };
    // Records that change from here on are marked by their changes, those from before by the store.
    host.clock.watch_too(&clock);
    host.store
        .write(move |tx| {
            Box::pin(async move {
                let now = tx.workflow(clock.workflow_id).await?.filter(|row| row.enabled);
                if now.is_none_or(|row| row.enabled_since_ms != clock.enabled_since_ms) {
                    return Ok(None);
                }
                tx.begin_clock(&clock).await?;
                Ok(Some(clock))
            })
        })
        .await
}
