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
    Plugin, PluginError, Service, Services,
    abi::{in_process, registrar::Offers},
    service::NoServices,
};
use plugin_loader::{Images, LibraryProblem, Offered, PluginLibrary};
use serde_json::{Value, json};

use crate::{
    inside::calling,
    services::{Session, TestServices},
};

/// Why there is no plugin to test.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no such file.
    #[error("there is no library {}; is the crate a cdylib, and is this its integration test?", path.display())]
    NotFound {
        /// The library.
        path: PathBuf,
    },
    /// A host could not open it either.
    #[error("the library {} {problem}", path.display())]
    Library {
        /// The library.
        path: PathBuf,
        /// What is wrong.
        problem: LibraryProblem,
    },
    /// The plugin needs services that it was not granted.
    #[error("the plugin needs the services {}, which it is not granted", missing.join(", "))]
    NotGranted {
        /// What it lacks.
        missing: Vec<String>,
    },
    /// The plugin refused to start, or failed.
    #[error("the plugin failed to start: {0}")]
    Register(PluginError),
}

/// A plugin that was made.
pub(crate) struct Made {
    pub(crate) offered: Arc<Offered>,
    /// What it may ask, if there are services.
    pub(crate) session: Option<Arc<Session>>,
    /// What was linked, for debuggers.
    _images: Images,
}

/// A plugin that a [`crate::TestHost`] has yet to make, with its settings and services. Each clone is made on its own.
#[derive(Debug, Clone)]
pub struct PluginUnderTest {
    source: Source,
    settings: Value,
    services: Option<TestServices>,
    grants: Option<Vec<Service>>,
}

#[derive(Debug, Clone)]
enum Source {
    InProcess(InProcess),
    Library(PathBuf),
}

/// A plugin that is linked into this program.
#[derive(Debug, Clone)]
struct InProcess {
    id: &'static str,
    needs: &'static [Service],
    make: fn(&Value, Arc<dyn Services>) -> Result<Offers, PluginError>,
}

impl PluginUnderTest {
    /// The plugin as it is linked into this program.
    pub fn in_process<P: Plugin>() -> Self {
        Self::new(Source::InProcess(InProcess { id: P::ID, needs: P::NEEDS, make: in_process::make::<P> }))
    }

    /// The plugin in a library.
    pub fn library(path: impl AsRef<Path>) -> Self {
        Self::new(Source::Library(path.as_ref().to_owned()))
    }

    fn new(source: Source) -> Self {
        Self { source, settings: json!({}), services: None, grants: None }
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

    /// With these services, of which it is granted those that it says it needs. Without services, all that it asks is an error.
    #[must_use]
    pub fn with_services(mut self, services: &TestServices) -> Self {
        self.services = Some(services.clone());
        self
    }

    /// Granted these services and no others, as in `plugin.toml`.
    #[must_use]
    pub fn with_grants(mut self, grants: impl IntoIterator<Item = Service>) -> Self {
        self.grants = Some(grants.into_iter().collect());
        self
    }

    /// Makes the plugin.
    pub(crate) fn make(self) -> Result<Made, OpenError> {
        let Self { source, settings, services, grants } = self;
        let mut images = Images::default();
        let opened = match source {
            Source::InProcess(plugin) => Opened::InProcess(plugin),
            Source::Library(path) => Opened::Library(open(&path, &mut images)?),
        };
        let session = match services {
            Some(services) => Some(Arc::new(opened.session(services, grants)?)),
            None => None,
        };
        let asked: Arc<dyn Services> = match &session {
            Some(session) => Arc::<Session>::clone(session),
            None => Arc::new(NoServices),
        };
        let offered = calling(|| match opened {
            Opened::InProcess(plugin) => (plugin.make)(&settings, asked).and_then(Offered::read),
            Opened::Library(library) => library.make(&settings, asked),
        });
        Ok(Made { offered: Arc::new(offered.map_err(OpenError::Register)?), session, _images: images })
    }
}

/// A plugin that can be made.
enum Opened {
    InProcess(InProcess),
    Library(PluginLibrary),
}

impl Opened {
    /// Grants what the plugin needs, or what the scenario grants.
    fn session(&self, services: TestServices, grants: Option<Vec<Service>>) -> Result<Session, OpenError> {
        let (id, needs) = match self {
            Self::InProcess(plugin) => (plugin.id, plugin.needs.iter().map(ToString::to_string).collect()),
            Self::Library(library) => (library.id(), library.needs().map_err(OpenError::Register)?),
        };
        let known = || needs.iter().filter_map(|name| Service::from_name(name)).collect();
        let grants: Vec<Service> = grants.unwrap_or_else(known);
        let is_granted = |name: &&String| Service::from_name(name).is_some_and(|service| grants.contains(&service));
        let missing: Vec<String> = needs.iter().filter(|name| !is_granted(name)).cloned().collect();
        if missing.is_empty() { Ok(Session::new(id, grants, services)) } else { Err(OpenError::NotGranted { missing }) }
    }
}

/// Opens a library as a host does.
fn open(path: &Path, images: &mut Images) -> Result<PluginLibrary, OpenError> {
    if !path.exists() {
        return Err(OpenError::NotFound { path: path.to_owned() });
    }
    let opened = images.take(path, None).and_then(|copy| PluginLibrary::open(&copy, path));
    opened.map_err(|problem| OpenError::Library { path: path.to_owned(), problem })
}
