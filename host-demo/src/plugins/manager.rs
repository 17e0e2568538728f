//! The plugins of a running host: which snapshot counts, and how it is replaced by the next one.
//!
//! ```text
//! prepare ─ reads the manifest, loads what is new beside what runs ─ Next
//! Next::tell ─ the enabled workflows, to the new plugins
//! commit ─ writes the manifest, then swaps the snapshots
//! ```
//!
//! Whatever fails before the swap leaves the manifest and the running plugins as they were: what was loaded in vain is dropped
//! (its code stays mapped, as all code does). A host that stops between the two steps of a commit starts with what the
//! manifest says, which is what was wanted.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Weak},
};

use arc_swap::ArcSwap;
use plugin_api::{ErrorKind, PluginError, Workflow};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_util::task::TaskTracker;

use super::{
    error::{ChangeError, PluginHostError},
    manifest::{Manifest, ManifestEntry},
    manifest_edit::ManifestEdit,
    report::PluginState,
    services::Backend,
    snapshot::{Plugins, Slot},
};

/// What an administrator wants. Hosts tell each other in this form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    /// Load a plugin that the manifest lists; put it back in service if it was taken out of it.
    Enable {
        /// Which.
        id: String,
    },
    /// Take a plugin's triggers and hooks out.
    Disable {
        /// Which.
        id: String,
        /// Also if the host needs it.
        force: bool,
    },
    /// Let another library take over from the running one.
    Upgrade {
        /// Which.
        id: String,
        /// The library, as a manifest names it; the one in the manifest if there is none.
        library: Option<String>,
        /// The checksum to expect from now on.
        sha256: Option<String>,
    },
    /// Do what the manifest says now about one plugin, loading it anew.
    Reload {
        /// Which.
        id: String,
    },
    /// Do what the manifest says now about all; those that it says the same about, and whose library is the same, stay.
    ReloadAll,
}

/// The plugins of a running host.
pub struct PluginManager {
    manifest: Option<PathBuf>,
    live: ArcSwap<Plugins>,
}

/// What is to follow the running plugins.
pub struct Next {
    plugins: Plugins,
    earlier: Arc<Plugins>,
    edit: ManifestEdit,
}

impl PluginManager {
    /// Loads the plugins of a manifest; without one there are none.
    ///
    /// # Errors
    ///
    /// The manifest cannot be read, or a required plugin failed.
    pub fn load(manifest: Option<PathBuf>) -> Result<Self, PluginHostError> {
        let plugins = match &manifest {
            Some(path) => Plugins::load(&Manifest::read(path)?)?,
            None => Plugins::none(),
        };
        Ok(Self::new(plugins, manifest))
    }

    /// Begins with plugins that were loaded of a manifest.
    pub fn new(plugins: Plugins, manifest: Option<PathBuf>) -> Self {
        plugins.begin();
        Self { manifest, live: ArcSwap::from_pointee(plugins) }
    }

    /// Lets the plugins call services from now on, which run on this runtime, among `tasks`.
    pub(crate) fn open_services(&self, backend: Weak<dyn Backend>, tasks: TaskTracker) {
        self.current().door().open(backend, tasks);
    }

    /// Lets the plugins call no services any more.
    pub(crate) fn close_services(&self) {
        self.current().door().close();
    }

    /// Loads what can be loaded, also if a required plugin fails: for somebody who puts a manifest right while no host runs.
    ///
    /// # Errors
    ///
    /// The manifest cannot be read.
    pub fn load_for_repair(manifest: PathBuf) -> Result<Self, PluginHostError> {
        let plugins = Plugins::load_for_repair(&Manifest::read(&manifest)?)?;
        Ok(Self::new(plugins, Some(manifest)))
    }

    /// The plugins as they are now. Whoever asks more than one thing about an action asks one snapshot.
    pub fn current(&self) -> Arc<Plugins> {
        self.live.load_full()
    }

    /// Loads what a change needs. `None` if nothing has to be swapped. One change at a time: the caller keeps others out until
    /// this one is committed or given up.
    ///
    /// # Errors
    ///
    /// The change makes no sense, or a plugin cannot be loaded.
    pub fn prepare(&self, change: &Change) -> Result<Option<Next>, ChangeError> {
        let earlier = self.current();
        let mut edit = ManifestEdit::open(self.manifest.as_deref().ok_or(ChangeError::NoManifest)?)?;
        let manifest = edit.manifest()?;
        let slots = match change {
            Change::ReloadAll => manifest.plugins.into_iter().map(|entry| unless_same(&earlier, entry)).collect(),
            Change::Enable { id } => {
                listed(&manifest, id)?;
                edit.set_enabled(id, true);
                if let Some(member) = earlier.member(id) {
                    edit.write()?;
                    member.restore();
                    return Ok(None);
                }
                one_fresh(&earlier, &edit.manifest()?, id)
            }
            Change::Disable { id, force } => {
                if listed(&manifest, id)?.required && !force {
                    return Err(ChangeError::Required { id: id.clone() });
                }
                edit.set_enabled(id, false);
                one_fresh(&earlier, &edit.manifest()?, id)
            }
            Change::Upgrade { id, library, sha256 } => {
                if !listed(&manifest, id)?.enabled {
                    return Err(ChangeError::Disabled { id: id.clone() });
                }
                if let Some(library) = library {
                    within_reach(&earlier, &edit, id, library)?;
                    edit.set_library(id, library);
                }
                if let Some(sha256) = sha256 {
                    edit.set_sha256(id, sha256);
                }
                one_fresh(&earlier, &edit.manifest()?, id)
            }
            Change::Reload { id } => {
                // An entry that is gone from the manifest goes.
                if earlier.position(id).is_none() {
                    listed(&manifest, id)?;
                }
                one_fresh(&earlier, &manifest, id)
            }
        };
        let plugins = earlier.next(slots).map_err(ChangeError::NotLoaded)?;
        Ok(Some(Next { plugins, earlier, edit }))
    }

    /// Writes the manifest, then lets the next snapshot count. Requests that are under way end with the one they have.
    ///
    /// # Errors
    ///
    /// The manifest cannot be written; nothing has changed.
    pub fn commit(&self, next: Next) -> Result<(), ChangeError> {
        next.edit.write()?;
        for gone in next.earlier.reports().iter().filter(|report| next.plugins.position(&report.id).is_none()) {
            metrics::gauge!("plugin_loaded", "plugin" => gone.id.clone()).set(0.0);
            metrics::gauge!("plugin_suspended", "plugin" => gone.id.clone()).set(0.0);
        }
        let plugins = Arc::new(next.plugins);
        self.live.store(Arc::clone(&plugins));
        plugins.follow(&next.earlier);
        Ok(())
    }
}

impl Next {
    /// Takes over what the plugins that stay know, and tells the new ones which workflows, given with their trigger types, are
    /// enabled. No workflow may be switched until the commit.
    ///
    /// # Errors
    ///
    /// A new plugin fails at one, or does not take one that its earlier version took. A workflow whose configuration was not
    /// accepted before either is passed over, as at a start.
    pub fn tell(&self, enabled: &[(String, Workflow<Value>)]) -> Result<(), ChangeError> {
        self.plugins.carry_over(&self.earlier);
        let is_new = |plugin: &str| self.plugins.member(plugin).is_some_and(|member| !self.earlier.has(member));
        for (type_id, workflow) in enabled {
            let Some(trigger) = self.plugins.trigger(type_id).filter(|trigger| is_new(trigger.plugin())) else {
                continue;
            };
            let Err(error) = trigger.enable(workflow) else { continue };
            let was_taken = self.earlier.knows(workflow.id);
            if was_taken || error.kind != ErrorKind::Invalid {
                return Err(not_taken(trigger.plugin(), workflow, error));
            }
            tracing::error!(workflow = %workflow.key, %error, "enabled, but its trigger does not take it");
        }
        Ok(())
    }

    /// The snapshot that is to follow.
    pub fn plugins(&self) -> &Plugins {
        &self.plugins
    }
}

fn not_taken(plugin: &str, workflow: &Workflow<Value>, error: PluginError) -> ChangeError {
    ChangeError::WorkflowNotTaken { id: plugin.to_owned(), workflow: workflow.key.clone(), error }
}

fn listed<'m>(manifest: &'m Manifest, id: &str) -> Result<&'m ManifestEntry, ChangeError> {
    let entry = manifest.plugins.iter().find(|entry| entry.id == id);
    entry.ok_or_else(|| ChangeError::Unlisted { id: id.to_owned() })
}

/// Administrators of the API choose among the libraries that the operator put beside the manifest or beside the one that runs;
/// a library is code, and whoever may choose any file may do anything. The manifest itself may name any.
fn within_reach(earlier: &Plugins, edit: &ManifestEdit, id: &str, library: &str) -> Result<(), ChangeError> {
    let path = Path::new(library);
    if path.components().count() <= 1 {
        return Ok(());
    }
    // One that is not there is told by the loader.
    let Ok(path) = fs::canonicalize(edit.folder().join(path)) else { return Ok(()) };
    let running = earlier.position(id).and_then(|position| earlier.reports()[position].path.as_deref()?.parent());
    let mut folders = [Some(edit.folder()), running].into_iter().flatten();
    let is_near = folders.any(|folder| fs::canonicalize(folder).is_ok_and(|folder| path.parent() == Some(&folder)));
    if is_near { Ok(()) } else { Err(ChangeError::OutOfReach { library: library.to_owned() }) }
}

/// Keeps a plugin that the manifest says the same about as before, and whose library is the same.
fn unless_same(earlier: &Plugins, entry: ManifestEntry) -> Slot {
    let running = earlier.member(&entry.id).filter(|member| member.entry == entry);
    let path = earlier.position(&entry.id).and_then(|position| earlier.reports()[position].path.as_deref());
    match (running, path, earlier.position(&entry.id)) {
        (Some(member), Some(path), Some(position)) if plugin_loader::is_unchanged(path, member.image()) => {
            Slot::Kept(position)
        }
        // One that did not load before must not keep the others from changing.
        (_, _, Some(position)) if earlier.reports()[position].state == PluginState::Failed => Slot::Retried(entry),
        _ => Slot::Fresh(entry),
    }
}

/// Everything as it runs, but for one plugin, which becomes what the manifest says, in the place that it has there.
fn one_fresh(earlier: &Plugins, manifest: &Manifest, id: &str) -> Vec<Slot> {
    let mut slots: Vec<Slot> = (0..earlier.reports().len()).map(Slot::Kept).collect();
    let entry = manifest.plugins.iter().find(|entry| entry.id == id).cloned();
    match (earlier.position(id), entry) {
        (Some(position), Some(entry)) => slots[position] = Slot::Fresh(entry),
        (Some(position), None) => drop(slots.remove(position)),
        (None, Some(entry)) => {
            let before: Vec<&str> =
                manifest.plugins.iter().map(|entry| entry.id.as_str()).take_while(|other| *other != id).collect();
            let behind = earlier.reports().iter().rposition(|report| before.contains(&report.id.as_str()));
            slots.insert(behind.map_or(0, |position| position + 1), Slot::Fresh(entry));
        }
        (None, None) => {}
    }
    slots
}
