//! Opens a library that was just built. A host does the same with more care: it also survives files that are damaged, or that were
//! built for something else.

#![expect(unsafe_code, reason = "opening a library runs code that no compiler has seen together with ours")]

use std::path::{Path, PathBuf};

use abi_stable::{
    library::{AbiHeaderRef, LibHeader},
    sabi_trait::TD_Opaque,
    std_types::RSlice,
};
use libloading::Library;
use plugin_api::{
    PluginError,
    abi::{
        log::{Callsite, Field, LogObject, Parent, RawLogSink, RawLogSink_TO},
        module::{PluginModuleRef, ROOT_SYMBOL},
    },
};

/// Why there is no plugin to test.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The library cannot be opened.
    #[error("{} cannot be opened: {reason}; is the crate a cdylib, and is this its integration test?", path.display())]
    Link {
        /// The library.
        path: PathBuf,
        /// What the linker says.
        reason: String,
    },
    /// The library has no root symbol.
    #[error("{} exports no plugin; does its crate call export_plugin!?", path.display())]
    NoPlugin {
        /// The library.
        path: PathBuf,
    },
    /// The library was built with another version of the API.
    #[error("{} does not fit this plugin-api: {reason}", path.display())]
    Incompatible {
        /// The library.
        path: PathBuf,
        /// What differs, in one line.
        reason: String,
    },
    /// The plugin refused to start, or failed.
    #[error("the plugin failed to start: {0}")]
    Register(PluginError),
}

/// Opens a library for the rest of the process: what comes out of it refers into its image.
pub(crate) fn open(path: &Path) -> Result<PluginModuleRef, OpenError> {
    // SAFETY: the initialisers of the library run; whoever tests it trusts it.
    let library = unsafe { Library::new(path) }
        .map_err(|error| OpenError::Link { path: path.to_owned(), reason: error.to_string() })?;
    let library: &'static Library = Box::leak(Box::new(library));
    // SAFETY: whoever exports a symbol of this name exports an abi_stable header, whose magic is checked next; the library is
    // never closed, so the reference stays valid.
    let header = unsafe { library.get::<AbiHeaderRef>(ROOT_SYMBOL.as_bytes()) }
        .map_err(|_| OpenError::NoPlugin { path: path.to_owned() })?;
    let module = (*header).upgrade().and_then(LibHeader::init_root_module::<PluginModuleRef>);
    module.map_err(|error| {
        // The rest is the whole layout of both sides.
        let reason = error.to_string().lines().find(|line| !line.trim().is_empty()).unwrap_or_default().to_owned();
        OpenError::Incompatible { path: path.to_owned(), reason }
    })
}

/// A log that nobody reads.
pub(crate) fn log() -> LogObject {
    RawLogSink_TO::from_value(Unread, TD_Opaque)
}

struct Unread;

impl RawLogSink for Unread {
    fn register(&self, _: Callsite<'_>) -> u64 {
        1
    }

    fn enabled(&self, _: u64) -> bool {
        false
    }

    fn event(&self, _: u64, _: Parent, _: RSlice<'_, Field>) {}

    fn new_span(&self, _: u64, _: Parent, _: RSlice<'_, Field>) -> u64 {
        1
    }

    fn record(&self, _: u64, _: u64, _: RSlice<'_, Field>) {}

    fn follows_from(&self, _: u64, _: u64) {}

    fn enter(&self, _: u64) {}

    fn exit(&self, _: u64) {}

    fn clone_span(&self, span: u64) -> u64 {
        span
    }

    fn try_close(&self, _: u64) -> bool {
        false
    }
}
