//! The plugins of a manifest, loaded into this process as a server would load them.

use std::path::Path;

use crate::plugins::{Change, ChangeError, Manifest, PluginDetails, PluginManager, PluginReport, Plugins};

/// What becomes of each plugin, also of those after a required one that fails.
pub(super) fn list(manifest: &Path) -> Result<Vec<PluginReport>, String> {
    let plugins = Manifest::read(manifest).and_then(|manifest| Plugins::load_for_repair(&manifest));
    Ok(plugins.map_err(|error| error.to_string())?.status())
}

/// Everything about one plugin.
pub(super) fn info(manifest: &Path, id: &str) -> Result<PluginDetails, String> {
    let plugins = Manifest::read(manifest).and_then(|manifest| Plugins::load_for_repair(&manifest));
    let details = plugins.map_err(|error| error.to_string())?.details(id);
    details.ok_or_else(|| ChangeError::Unlisted { id: id.to_owned() }.to_string())
}

/// Changes the manifest, if the plugins can be loaded so.
pub(super) fn change(manifest: &Path, change: &Change) -> Result<PluginDetails, String> {
    let manager = PluginManager::load_for_repair(manifest.to_owned()).map_err(|error| error.to_string())?;
    let changed = manager.prepare(change).and_then(|next| next.map_or(Ok(()), |next| manager.commit(next)));
    changed.map_err(|error| error.to_string())?;
    let (Change::Enable { id } | Change::Disable { id, .. } | Change::Upgrade { id, .. } | Change::Reload { id }) =
        change
    else {
        return Err(ChangeError::NoManifest.to_string());
    };
    manager.current().details(id).ok_or_else(|| ChangeError::Unlisted { id: id.clone() }.to_string())
}
