//! Opens a library and speaks the ABI with it.
//!
//! The order matters: the header's magic before anything in it, the version before the layout, the layout before the
//! first call. A library that was opened is never closed, because what came out of it refers into its image.

#![expect(unsafe_code, reason = "opening a library runs code that no compiler has seen together with ours")]

use std::{path::Path, sync::Arc};

use abi_stable::{
    library::{AbiHeader, AbiHeaderRef, LibHeader, LibraryError, RootModule},
    sabi_trait::TD_Opaque,
};
use libloading::Library;
use plugin_api::{
    PluginError, Services,
    abi::{
        log::RawLogSink_TO,
        module::{API_VERSION, PluginModuleRef, ROOT_SYMBOL},
    },
};
use serde_json::Value;

use crate::{Offered, error::LibraryProblem, layout, log_sink};

/// A plugin's library, open and found compatible. Nothing of the plugin's own code has run yet.
pub struct PluginLibrary {
    module: PluginModuleRef,
}

impl PluginLibrary {
    /// Opens the copy of a library that [`Images`](crate::Images) made, for the rest of the process. Its initialisers run: whoever
    /// names a library trusts it.
    ///
    /// `origin` is the path that people know.
    ///
    /// # Errors
    ///
    /// It is no plugin, or was built for something else.
    pub fn open(copy: &Path, origin: &Path) -> Result<Self, LibraryProblem> {
        let library = link(copy).map_err(|error| LibraryProblem::Link { reason: reason(&error, copy, origin) })?;
        // Never closed: see the module's documentation.
        let library: &'static Library = Box::leak(Box::new(library));
        let header = header(library, origin)?;
        check_version(header)?;
        let differences = match header.layout() {
            Some(theirs) => layout::check(theirs),
            None => Err(vec!["it does not say what its layout is".to_owned()]),
        };
        differences.map_err(|differences| LibraryProblem::Layout { ours: API_VERSION.to_owned(), differences })?;
        // SAFETY: the version and the layout were compared above.
        let module = unsafe { header.unchecked_layout::<PluginModuleRef>() }
            .map_err(|error| LibraryProblem::Root(error.to_string().lines().next().unwrap_or_default().to_owned()))?;
        Ok(Self { module })
    }

    /// The plugin's id.
    pub fn id(&self) -> &'static str {
        self.module.id().as_str()
    }

    /// The version of the plugin's crate.
    pub fn version(&self) -> &'static str {
        self.module.version().as_str()
    }

    /// The version of plugin-api it was built with.
    pub fn api_version(&self) -> &'static str {
        self.module.api_version().as_str()
    }

    /// The compiler it was built with.
    pub fn rustc(&self) -> &'static str {
        self.module.rustc().as_str()
    }

    /// The JSON Schema of the plugin's settings.
    ///
    /// # Errors
    ///
    /// A fault of the plugin.
    pub fn settings_schema(&self) -> Result<Value, PluginError> {
        self.module.read_settings_schema()
    }

    /// The names of the services that the plugin needs.
    ///
    /// # Errors
    ///
    /// A fault of the plugin.
    pub fn needs(&self) -> Result<Vec<String>, PluginError> {
        self.module.read_needs()
    }

    /// Makes the plugin, which may keep `services`.
    ///
    /// # Errors
    ///
    /// The settings do not fit, or the plugin refuses or is at fault; what it offered until then is dropped.
    pub fn make(&self, settings: &Value, services: Arc<dyn Services>) -> Result<Offered, PluginError> {
        let log = RawLogSink_TO::from_value(log_sink::LogSink, TD_Opaque);
        Offered::read(self.module.make_plugin(settings, log, services)?)
    }
}

/// Binds every symbol at once, so that a missing function is an error here and not a crash at its first call.
#[cfg(unix)]
fn link(path: &Path) -> Result<Library, libloading::Error> {
    use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
    // SAFETY: the initialisers of the library run; whoever named it trusts it.
    unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }.map(Into::into)
}

#[cfg(not(unix))]
fn link(path: &Path) -> Result<Library, libloading::Error> {
    // SAFETY: the initialisers of the library run; whoever named it trusts it.
    unsafe { Library::new(path) }
}

/// The innermost message, which is the linker's, with the path that people know.
fn reason(error: &libloading::Error, copy: &Path, origin: &Path) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string().replace(&copy.display().to_string(), &origin.display().to_string()).replace('\n', " ")
}

fn header(library: &'static Library, origin: &Path) -> Result<&'static LibHeader, LibraryProblem> {
    // SAFETY: whoever exports a symbol of this name exports an abi_stable header, whose magic is checked next; the
    // library is never closed, so the reference stays valid.
    let header = unsafe { library.get::<AbiHeaderRef>(ROOT_SYMBOL.as_bytes()) }
        .map_err(|_| LibraryProblem::NoPlugin { path: origin.to_owned() })?;
    let foundation = |reason: String| LibraryProblem::Foundation { reason, ours: API_VERSION.to_owned() };
    (*header).upgrade().map_err(|error| match error {
        LibraryError::InvalidAbiHeader(theirs) => {
            let ours = AbiHeader::VALUE;
            foundation(format!(
                "its ABI is {}.{}, the host's {}.{}",
                theirs.abi_major, theirs.abi_minor, ours.abi_major, ours.abi_minor
            ))
        }
        LibraryError::InvalidCAbi { .. } => foundation("structs are passed in another way".to_owned()),
        other => foundation(other.to_string().lines().next().unwrap_or_default().to_owned()),
    })
}

/// The same major version is compatible, older or newer: the API only grows.
fn check_version(header: &LibHeader) -> Result<(), LibraryProblem> {
    let (theirs, ours) = (header.version_strings(), PluginModuleRef::VERSION_STRINGS);
    match (theirs.parsed(), ours.parsed()) {
        (Ok(them), Ok(us)) if them.major == us.major => Ok(()),
        _ => Err(LibraryProblem::Version { theirs: theirs.to_string(), ours: ours.to_string() }),
    }
}
