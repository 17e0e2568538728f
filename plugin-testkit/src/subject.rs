//! The plugin under test, wherever it comes from.

use std::{
    env::{
        self,
        consts::{DLL_PREFIX, DLL_SUFFIX},
    },
    path::{Path, PathBuf},
    sync::Arc,
};

use plugin_api::{
    Plugin, PluginError, Services,
    abi::{in_process, registrar::Offers},
    service::NoServices,
};
use serde_json::{Value, json};

use crate::library::{self, OpenError};

/// A plugin that a [`crate::TestHost`] has yet to make, with its settings.
#[derive(Debug)]
pub struct PluginUnderTest {
    source: Source,
    settings: Value,
}

#[derive(Debug)]
enum Source {
    InProcess(fn(&Value, Arc<dyn Services>) -> Result<Offers, PluginError>),
    Library(PathBuf),
}

impl PluginUnderTest {
    /// The plugin as it is linked into this program.
    pub fn in_process<P: Plugin>() -> Self {
        Self { source: Source::InProcess(in_process::make::<P>), settings: json!({}) }
    }

    /// The plugin in a library.
    pub fn library(path: impl AsRef<Path>) -> Self {
        Self { source: Source::Library(path.as_ref().to_owned()), settings: json!({}) }
    }

    /// The plugin in the library that cargo built of a crate (`plugin_x`), beside this test program.
    pub fn built(crate_name: &str) -> Self {
        let program = env::current_exe().unwrap_or_default();
        Self::library(program.with_file_name(format!("{DLL_PREFIX}{crate_name}{DLL_SUFFIX}")))
    }

    /// With the plugin's own settings, as in `plugin.toml`.
    #[must_use]
    pub fn with_settings(mut self, settings: Value) -> Self {
        self.settings = settings;
        self
    }

    /// Makes the plugin, for a host without services.
    pub(crate) fn make(self) -> Result<Offers, OpenError> {
        let services = Arc::new(NoServices);
        let made = match self.source {
            Source::InProcess(make) => make(&self.settings, services),
            Source::Library(path) => library::open(&path)?.make_plugin(&self.settings, library::log(), services),
        };
        made.map_err(OpenError::Register)
    }
}
