//! Opens libraries and speaks the ABI with them: the one module of the host that names ABI types.
//!
//! The order matters: the header's magic before anything in it, the version before the layout, the layout before the
//! first call. A library that was opened is never closed, because what came out of it refers into its image.

#![expect(unsafe_code, reason = "opening a library runs code that no compiler has seen together with ours")]

mod layout;
mod log_sink;

use std::{path::Path, sync::Arc};

use abi_stable::{
    library::{AbiHeader, AbiHeaderRef, LibHeader, LibraryError, RootModule},
    sabi_trait::TD_Opaque,
};
use libloading::Library;
use plugin_api::{
    PluginError, Services,
    abi::{
        clock::ClockClient,
        hook::HookClient,
        log::RawLogSink_TO,
        module::{API_VERSION, PluginModuleRef, ROOT_SYMBOL},
        node::NodeClient,
        registrar::Offers,
        route::RouteClient,
        trigger::TriggerClient,
    },
};
use serde_json::Value;

use super::error::LoadProblem;

/// A trigger type of a plugin.
pub(super) type Trigger = TriggerClient;

/// A hook of a plugin; ask it as a [`plugin_api::ActionHook`].
pub(super) type Hook = HookClient;

/// A node type of a plugin.
pub(super) type NodeType = NodeClient;

/// A route of a plugin; ask it as a [`plugin_api::RouteHandler`].
pub(super) type Route = RouteClient;

/// A clock of a plugin.
pub(super) type Clock = ClockClient;

/// A plugin's library, open and found compatible. Nothing of the plugin's own code has run yet.
pub(super) struct OpenLibrary {
    module: PluginModuleRef,
}

impl OpenLibrary {
    /// Opens the copy of a library that passed the preflight.
    ///
    /// `origin` is the path that people know.
    pub(super) fn open(copy: &Path, origin: &Path) -> Result<Self, LoadProblem> {
        let library = link(copy).map_err(|error| LoadProblem::Link { reason: reason(&error, copy, origin) })?;
        // Never closed: see the module's documentation.
        let library: &'static Library = Box::leak(Box::new(library));
        let header = header(library, origin)?;
        check_version(header)?;
        let differences = match header.layout() {
            Some(theirs) => layout::check(theirs),
            None => Err(vec!["it does not say what its layout is".to_owned()]),
        };
        differences.map_err(|differences| LoadProblem::Layout { ours: API_VERSION.to_owned(), differences })?;
        // SAFETY: the version and the layout were compared above.
        let module = unsafe { header.unchecked_layout::<PluginModuleRef>() }
            .map_err(|error| LoadProblem::Register(PluginError::fault(error.to_string())))?;
        Ok(Self { module })
    }

    /// The plugin's id.
    pub(super) fn id(&self) -> &'static str {
        self.module.id().as_str()
    }

    /// The version of the plugin's crate.
    pub(super) fn version(&self) -> &'static str {
        self.module.version().as_str()
    }

    /// The version of plugin-api it was built with.
    pub(super) fn api_version(&self) -> &'static str {
        self.module.api_version().as_str()
    }

    /// The compiler it was built with.
    pub(super) fn rustc(&self) -> &'static str {
        self.module.rustc().as_str()
    }

    /// The JSON Schema of the plugin's settings.
    pub(super) fn settings_schema(&self) -> Result<Value, PluginError> {
        self.module.read_settings_schema()
    }

    /// The names of the services that the plugin needs.
    pub(super) fn needs(&self) -> Result<Vec<String>, PluginError> {
        self.module.read_needs()
    }

    /// Makes the plugin, which may keep `services`: its trigger types, and its hooks with the actions they are always asked about.
    pub(super) fn make(&self, settings: &Value, services: Arc<dyn Services>) -> Result<Offers, PluginError> {
        let log = RawLogSink_TO::from_value(log_sink::LogSink, TD_Opaque);
        self.module.make_plugin(settings, log, services)
    }
}

/// Binds every symbol at once, so that a missing function is an error here and not a crash at its first call.
#[cfg(unix)]
fn link(path: &Path) -> Result<Library, libloading::Error> {
    use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
    // SAFETY: the initialisers of the library run; the operator listed it in the manifest, and is trusted.
    unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }.map(Into::into)
}

#[cfg(not(unix))]
fn link(path: &Path) -> Result<Library, libloading::Error> {
    // SAFETY: the initialisers of the library run; the operator listed it in the manifest, and is trusted.
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

fn header(library: &'static Library, origin: &Path) -> Result<&'static LibHeader, LoadProblem> {
    // SAFETY: whoever exports a symbol of this name exports an abi_stable header, whose magic is checked next; the
    // library is never closed, so the reference stays valid.
    let header = unsafe { library.get::<AbiHeaderRef>(ROOT_SYMBOL.as_bytes()) }
        .map_err(|_| LoadProblem::NoPlugin { path: origin.to_owned() })?;
    let foundation = |reason: String| LoadProblem::Foundation { reason, ours: API_VERSION.to_owned() };
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
fn check_version(header: &LibHeader) -> Result<(), LoadProblem> {
    let (theirs, ours) = (header.version_strings(), PluginModuleRef::VERSION_STRINGS);
    match (theirs.parsed(), ours.parsed()) {
        (Ok(them), Ok(us)) if them.major == us.major => Ok(()),
        _ => Err(LoadProblem::Version { theirs: theirs.to_string(), ours: ours.to_string() }),
    }
}
