//! Loads the plugins of a manifest and answers the two questions the rest of the host has: does anything wait for this
//! action, and what does it decide?
//!
//! ```text
//! plugin.toml ─ manifest ─┐
//!                         ├─ image (checksum, preflight, private copy) ─ loader ─ registry ─ Plugins
//! lib….so ────── locate ──┘                                                └ bridge: the only module that names ABI types
//! ```
//!
//! A library is looked at before the linker sees it, opened from a copy that nobody else writes to, asked for its
//! versions before its layout, and never unloaded. What a plugin registers is admitted as a whole or not at all.
//! No lock is held while a plugin runs, and whatever a plugin does ends in a [`PluginError`](plugin_api::PluginError):
//! one plugin's failure is a line in its [`PluginReport`], not the end of the host.
//!
//! What plugins ask of the host in turn goes through `services`.
//!
//! This module knows nothing of HTTP, of the database or of what an action does.

mod bridge;
mod error;
mod image;
mod interests;
mod loader;
mod locate;
mod manifest;
mod preflight;
mod private_folder;
mod registry;
mod report;
mod services;

pub use error::{LoadProblem, PluginHostError};
pub use loader::check;
pub use manifest::{Manifest, ManifestEntry};
pub use registry::{HookAnswer, LoadedTrigger, Plugins};
pub use report::{HookReport, PluginReport, PluginState, TriggerReport};
pub(crate) use services::{Answering, Backend, Caller};
