//! Which wrong to do, and where.

use std::path::PathBuf;

use plugin_api::Phase;
use schemars::JsonSchema;
use serde::Deserialize;

/// Without any, the plugin behaves.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where to panic.
    pub(crate) panics: Vec<Place>,
    /// It panics only as long as this file is there.
    pub(crate) panics_while: Option<PathBuf>,
    /// When the hook is asked.
    pub(crate) phase: Asked,
    /// Where to call every service of the host.
    pub(crate) calls: Vec<Place>,
    /// What the hook plans.
    pub(crate) plan: Planned,
    /// Threads that call every service again and again until they hear that the host is stopping, and once more.
    pub(crate) threads: usize,
    /// Whether the hook has a thread start the workflow that the request binds by its id, and waits for it.
    pub(crate) waits_for_thread: bool,
    /// The hook does not answer until this file is there.
    pub(crate) slow_until: Option<PathBuf>,
    /// Events that the hook logs.
    pub(crate) log_events: usize,
    /// Whether the trigger type is offered twice.
    pub(crate) offers_twice: bool,
    /// The name of a node type to offer.
    pub(crate) node: Option<String>,
    /// Whether a clock is offered: it panics while this file is there.
    pub(crate) clock_fails_while: Option<PathBuf>,
    /// What the clock says.
    pub(crate) clock_tells: Told,
    /// The file to which a line is added for what came of each call of a service.
    pub(crate) journal: Option<PathBuf>,
}

/// An entry point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Place {
    Register,
    Info,
    Validate,
    Enable,
    Disable,
    Manual,
    Plan,
    DropTrigger,
    DropHook,
}

/// When the hook is asked about a create.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Asked {
    /// Before it.
    Before,
    /// For what follows it.
    #[default]
    After,
    /// For each new record, whoever makes it.
    Changed,
}

impl From<Asked> for Phase {
    fn from(asked: Asked) -> Self {
        match asked {
            Asked::Before => Self::Before,
            Asked::After => Self::After,
            Asked::Changed => Self::Changed,
        }
    }
}

/// A plan for each action.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Planned {
    /// None.
    #[default]
    Nothing,
    /// Workflows that do not exist, with numbers of all kinds.
    UnknownWorkflows,
    /// The workflows that the request binds by their ids, along a path and with preloads that are not there.
    UnknownPaths,
    /// The workflows that the request binds by their ids, whoever's they are.
    OthersWorkflows,
    /// More than anybody reads.
    Huge,
}

/// What a clock says is due, and when it wants to be asked again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Told {
    /// Every moment at which it is asked; again a second later.
    #[default]
    Now,
    /// What was settled before.
    Settled,
    /// What has not come yet.
    Future,
    /// The same moment again.
    Twice,
    /// Nothing wrong, and wants to be asked again at once.
    AskedInThePast,
    /// Nothing wrong, and wants to be asked again each millisecond.
    AskedForever,
}
