//! Loads the plugins of a manifest and answers the two questions the rest of the host has: does anything wait for this
//! action, and what does it decide?
//!
//! ```text
//! plugin.toml ─ manifest ─┐
//!                         ├─ loader ─ member ─ registry ─ snapshot: Plugins
//! lib….so ────── locate ──┘     └ the crate plugin-loader, which opens the library
//! ```
//!
//! [`PluginManager`] holds the snapshot that counts and replaces it by the next one as a whole. A `breaker` in each member takes a plugin
//! that keeps failing out of service.
//!
//! How a library is opened is `plugin-loader`'s. What a plugin registers is admitted as a whole or not at all.
//! No lock is held while a plugin runs, and whatever a plugin does ends in a [`PluginError`](plugin_api::PluginError):
//! one plugin's failure is a line in its [`PluginReport`], not the end of the host.
//!
//! What plugins ask of the host in turn goes through `services`.
//!
//! This module knows nothing of HTTP, of the database or of what an action does.

mod breaker;
mod error;
mod interests;
mod loaded_node;
mod loaded_trigger;
mod loader;
mod locate;
mod manager;
mod manifest;
mod manifest_edit;
mod member;
mod registry;
mod report;
mod services;
mod snapshot;

pub use breaker::BreakerSettings;
pub use error::{ChangeError, LoadProblem, PluginHostError};
pub use interests::CollectionName;
pub use loaded_node::LoadedNode;
pub use loaded_trigger::LoadedTrigger;
pub use loader::check;
pub use manager::{Change, Next, PluginManager};
pub use manifest::{Manifest, ManifestEntry};
pub(crate) use member::FIRINGS_MAX;
pub use report::{HookReport, NodeReport, PluginDetails, PluginReport, PluginState, TriggerReport, WorkflowOfPlugin};
pub(crate) use services::{Answering, Backend, Caller};
pub use snapshot::{HookAnswer, Plugins, RouteVerdict};
