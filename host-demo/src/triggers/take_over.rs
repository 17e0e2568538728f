//! Changes of the plugins of a running host: a plugin comes, goes, or is replaced by another version of itself.
//!
//! The new plugin is loaded and told of the enabled workflows while the old one still answers. Then, with no workflow being
//! switched, one snapshot follows the other: an action is decided by the old plugin or by the new one, never by both or none.

use std::{collections::BTreeMap, sync::Arc};

use tokio::task::spawn_blocking;

use super::{TriggerSwitch, as_told};
use crate::{
    http::error::ApiError,
    plugins::{Change, ChangeError, Plugins},
};

impl TriggerSwitch {
    /// Does the change as a whole, or nothing.
    ///
    /// # Errors
    ///
    /// The change makes no sense, a plugin cannot be loaded or does not take its workflows, or the manifest cannot be written.
    pub(crate) async fn change(&self, change: Change) -> Result<(), ApiError> {
        let interrupted = |_| ApiError::Internal("a change of the plugins was interrupted".to_owned());
        let _change = self.one_change_of_plugins.lock().await;
        let plugins = Arc::clone(&self.plugins);
        let prepared = spawn_blocking(move || plugins.prepare(&change)).await.map_err(interrupted)??;
        let Some(next) = prepared else { return Ok(()) };

        let _turn = self.one_at_a_time.lock().await;
        let rows = self.store.read().await?.enabled_workflows().await?;
        let enabled: Vec<_> = rows.iter().map(|row| (row.trigger_type.clone(), as_told(row))).collect();
        let plugins = Arc::clone(&self.plugins);
        let committed = spawn_blocking(move || -> Result<(), ChangeError> {
            next.tell(&enabled)?;
            plugins.commit(next)
        });
        committed.await.map_err(interrupted)??;
        self.clock.workflows_changed();
        warn_of_stranded(&self.plugins.current(), rows.iter().map(|row| row.trigger_type.as_str()));
        Ok(())
    }
}

/// Tells the operator of enabled workflows that cannot fire any more.
fn warn_of_stranded<'r>(plugins: &Plugins, types: impl Iterator<Item = &'r str>) {
    let mut stranded: BTreeMap<&str, usize> = BTreeMap::new();
    for type_id in types.filter(|type_id| plugins.trigger(type_id).is_none()) {
        *stranded.entry(type_id).or_default() += 1;
    }
    for (trigger, workflows) in stranded {
        tracing::warn!(trigger, workflows, "enabled workflows cannot fire: no plugin offers their trigger");
    }
}
