//! Opens a plugin's library, for whoever calls plugins: a server, and the tests of a plugin.
//!
//! ```text
//! lib….so ─ Images (checksum, preflight, private copy) ─ PluginLibrary (magic, version, layout) ─ make ─ Offered
//! ```
//!
//! A library is looked at before the linker sees it, opened from a copy that nobody else writes to, asked for its versions before
//! its layout, and never unloaded. Whatever a plugin does when it is called ends in a [`PluginError`](plugin_api::PluginError): its
//! own side of the ABI stops its panics, and this side those of what it calls. What a plugin logs reaches the `tracing` subscriber of
//! this program.
//!
//! Which libraries there are, who may load them, and what becomes of what they offer is the caller's.
//!
//! Reading order: [`Images`], [`PluginLibrary`], [`Offered`], [`Clock`]; `preflight`, `layout` and `log_sink` below them.

mod clock;
mod error;
mod image;
mod layout;
mod library;
mod log_sink;
mod offered;
mod preflight;
mod private_folder;

pub use clock::Clock;
pub use error::LibraryProblem;
pub use image::{Images, is_unchanged, sha256};
pub use library::PluginLibrary;
pub use offered::{Hook, NodeType, Offered, OfferedNode, OfferedTrigger, Route, Trigger};
