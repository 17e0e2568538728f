//! Why plugins cannot be loaded, in one line for the operator: which plugin, what is wrong, what to do.

use std::path::PathBuf;

use plugin_api::{PluginError, Service};
use plugin_loader::LibraryProblem;

/// The manifest, or a plugin that the host cannot do without, is in the way of starting.
#[derive(Debug, thiserror::Error)]
pub enum PluginHostError {
    /// The manifest cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    ManifestUnreadable {
        /// The manifest.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The manifest is not what it should be.
    #[error("{}: {problem}", path.display())]
    ManifestInvalid {
        /// The manifest.
        path: PathBuf,
        /// What is wrong, and where.
        problem: String,
    },
    /// Two entries have the same id.
    #[error(
        "plugin \"{id}\" is listed twice, as {} and as {}: remove one of the two entries",
        first.display(), second.display()
    )]
    DuplicateId {
        /// The id.
        id: String,
        /// The first entry's library.
        first: PathBuf,
        /// The second entry's library.
        second: PathBuf,
    },
    /// A required plugin failed.
    #[error("required plugin \"{id}\" {problem}")]
    Required {
        /// The plugin.
        id: String,
        /// Why.
        problem: LoadProblem,
    },
}

/// Why one plugin failed. Reads on from the plugin's name: `plugin "x" …`.
#[derive(Debug, thiserror::Error)]
pub enum LoadProblem {
    /// There is no such file.
    #[error("has no library at {}: build it, or correct \"library\" in the manifest", searched.join(", nor at "))]
    NotFound {
        /// Where the file could have been.
        searched: Vec<String>,
    },
    /// The file is no library that can be opened here.
    #[error(transparent)]
    Library(#[from] LibraryProblem),
    /// The manifest calls the plugin by another name than it does itself.
    #[error("calls itself \"{actual}\": correct \"id\" or \"library\" in the manifest")]
    OtherId {
        /// The plugin's own id.
        actual: String,
    },
    /// An id is not made of lower-case letters, digits and `-`.
    #[error("uses the id \"{id}\": its author should use lower-case letters, digits and \"-\"")]
    BadId {
        /// The id.
        id: String,
    },
    /// The settings do not fit the plugin's schema of them.
    #[error("does not accept its settings: {reason}; correct them in the manifest")]
    Settings {
        /// What does not fit.
        reason: String,
    },
    /// The plugin needs services that later hosts have.
    #[error("needs the services {}, which this host does not have: use a later host", services.join(", "))]
    UnknownServices {
        /// Their names.
        services: Vec<String>,
    },
    /// The plugin needs services that the manifest does not grant.
    #[error(
        "needs the services {}: if it may have them, add {} to its entry in the manifest",
        words(missing),
        toml(grants)
    )]
    NotGranted {
        /// What it lacks.
        missing: Vec<Service>,
        /// What its entry has to grant.
        grants: Vec<Service>,
    },
    /// The plugin refused, or failed, while it registered.
    #[error("failed to start: {0}")]
    Register(PluginError),
    /// Another plugin has the trigger type.
    #[error(
        "offers the trigger type \"{trigger}\", which plugin \"{owner}\" offers already: switch one of the two off"
    )]
    DuplicateTrigger {
        /// The trigger type.
        trigger: String,
        /// The plugin that has it.
        owner: String,
    },
    /// A node type is there already.
    #[error("offers the node type \"{node}\", which {owner} offers already")]
    DuplicateNode {
        /// The node type.
        node: String,
        /// Who has it.
        owner: String,
    },
    /// Another plugin, or the plugin itself, has the route.
    #[error("offers the route \"{route}\", which plugin \"{owner}\" offers already: switch one of the two off")]
    DuplicateRoute {
        /// The route's name.
        route: String,
        /// The plugin that has it.
        owner: String,
    },
}

/// Why the plugins of a running host stay as they are.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The host runs without a manifest.
    #[error("this host has no plugin manifest: start it with --manifest")]
    NoManifest,
    /// The manifest does not list the plugin.
    #[error("the manifest lists no plugin \"{id}\"")]
    Unlisted {
        /// The plugin.
        id: String,
    },
    /// The host needs the plugin.
    #[error(
        "plugin \"{id}\" is required: without it actions would go through that should start its workflows; force it if that is meant"
    )]
    Required {
        /// The plugin.
        id: String,
    },
    /// The plugin is switched off.
    #[error("plugin \"{id}\" is disabled: enable it")]
    Disabled {
        /// The plugin.
        id: String,
    },
    /// A plugin cannot be loaded, in one line that names it.
    #[error("{0}")]
    NotLoaded(String),
    /// A new plugin does not take an enabled workflow.
    #[error("plugin \"{id}\" does not take the enabled workflow {workflow}: {error}")]
    WorkflowNotTaken {
        /// The plugin.
        id: String,
        /// The workflow's key.
        workflow: String,
        /// What the plugin says.
        error: PluginError,
    },
    /// The library is not where administrators may take libraries from.
    #[error(
        "library \"{library}\" lies neither with the manifest nor with the library that runs: put it there, or into the manifest"
    )]
    OutOfReach {
        /// What was asked for.
        library: String,
    },
    /// The manifest cannot be read.
    #[error(transparent)]
    Manifest(#[from] PluginHostError),
    /// Somebody else changed the manifest in the same moment.
    #[error("{} was changed meanwhile: try again", path.display())]
    ChangedMeanwhile {
        /// The manifest.
        path: PathBuf,
    },
    /// The manifest cannot be written.
    #[error("{} cannot be written: {source}; let the host's user write it and its folder", path.display())]
    Unwritable {
        /// The manifest.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

fn words(services: &[Service]) -> String {
    services.iter().map(|service| service.name()).collect::<Vec<_>>().join(", ")
}

fn toml(services: &[Service]) -> String {
    let names: Vec<String> = services.iter().map(|service| format!("\"{service}\"")).collect();
    format!("grants = [{}]", names.join(", "))
}
