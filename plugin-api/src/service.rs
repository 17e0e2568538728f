//! What a host does for a plugin besides calling it: services, used through a [`Host`].
//!
//! A plugin states what it needs ([`crate::Plugin::NEEDS`]), and the operator grants it in `plugin.toml`. A plugin that needs
//! what it is not granted is not loaded, and what is not granted cannot be called.
//!
//! Two of them are not called but *offered*: the host calls the plugin's routes and clocks, if they are granted.
//!
//! The others are for the plugin's *own* threads, such as one that listens to a queue. A call blocks its thread until the host has
//! answered, for a few seconds at most. From inside a call of the host (a hook, a trigger's method, a drop) every service
//! answers with an error at once: such a call stands in the middle of a request, often inside its transaction, and what it waited
//! for could wait for it. For the same reason a thread holds no lock that a hook takes while it calls a service: hook and thread would
//! wait for each other until the call is given up.
//!
//! Reading order: [`Service`], what can be granted; [`Host`], the handle; [`Services`], the same as a trait, for hosts and for
//! the tests of a plugin; then the questions and answers.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    error::PluginError,
    id::{ExecutionId, UserId, WorkflowId},
    schema::{AssociationPath, CollectionRef},
};

/// The longest question in bytes, as JSON text: as much as the body of an HTTP request may have.
pub const QUESTION_BYTES_MAX: usize = 1 << 20;

/// Something that a host does for plugins, if it is granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Service {
    /// Reading records: [`Host::record`], [`Host::records`].
    Records,
    /// Starting workflows: [`Host::start_workflow`].
    Workflows,
    /// Answering requests of people who are not signed in: [`crate::Registrar::route`]. Since 1.3; before, routes needed no grant.
    Routes,
    /// Starting workflows by the clock: [`crate::Registrar::clock`]. Since 1.3.
    Clock,
}

impl Service {
    /// Every service.
    pub const ALL: [Self; 4] = [Self::Records, Self::Workflows, Self::Routes, Self::Clock];

    /// Its name in `plugin.toml`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::Workflows => "workflows",
            Self::Routes => "routes",
            Self::Clock => "clock",
        }
    }

    /// The service with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.name() == name)
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a host without services has: each call is an error.
#[derive(Debug, Clone, Copy)]
pub struct NoServices;

impl Services for NoServices {}

/// Does what the services promise. A host implements it, and so may a test of a plugin, for the calls that it expects.
///
/// Besides what each method says, a host answers [`crate::ErrorKind::Unavailable`] while it starts, when it stops, when it has
/// dropped the plugin, when it takes too long, and for a service that it does not have; and [`crate::ErrorKind::Fault`] for a
/// service that is not granted, and for a call from inside one of its own.
pub trait Services: Send + Sync + 'static {
    /// See [`Host::record`].
    ///
    /// # Errors
    ///
    /// See there.
    fn record(&self, question: ReadRecord) -> Result<Option<Map<String, Value>>, PluginError> {
        let _ = question;
        Err(absent(Service::Records))
    }

    /// See [`Host::records`].
    ///
    /// # Errors
    ///
    /// See there.
    fn records(&self, question: ReadRecords) -> Result<RecordPage, PluginError> {
        let _ = question;
        Err(absent(Service::Records))
    }

    /// See [`Host::start_workflow`].
    ///
    /// # Errors
    ///
    /// See there.
    fn start_workflow(&self, question: StartWorkflow) -> Result<ExecutionId, PluginError> {
        let _ = question;
        Err(absent(Service::Workflows))
    }
}

fn absent(service: Service) -> PluginError {
    PluginError::unavailable(format!("This host does not have the service \"{service}\""))
}

/// The host, as a plugin may use it: cheap to clone, for any thread, for as long as the process lives. [`crate::Registrar::host`]
/// gives it.
#[derive(Clone)]
pub struct Host(Arc<dyn Services>);

impl Host {
    /// A host that does what `services` do.
    pub fn new(services: impl Services) -> Self {
        Self(Arc::new(services))
    }

    /// A host without services: each call is an error.
    pub fn without_services() -> Self {
        Self::new(NoServices)
    }

    /// Reads one record by its key, as committed; `None` if there is none. Secrets are left out. Nobody's rights are asked about:
    /// the grant is the right.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Invalid`] for a collection, key or association that does not exist; what [`Services`] says.
    pub fn record(&self, question: ReadRecord) -> Result<Option<Map<String, Value>>, PluginError> {
        self.0.record(question)
    }

    /// Reads a page of the records that a filter matches. Otherwise as [`Self::record`].
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Invalid`] for a name, filter or page that does not fit; what [`Services`] says.
    pub fn records(&self, question: ReadRecords) -> Result<RecordPage, PluginError> {
        self.0.records(question)
    }

    /// Starts a workflow in the background: answers when its execution is stored, so that it runs whatever happens to the
    /// process. The workflow has to be enabled and of one of the plugin's own trigger types.
    ///
    /// Without an answer, because the host stopped or took too long, the execution may be stored or not: a plugin that tries again
    /// starts it at least once.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Invalid`] for another plugin's workflow, one that is not enabled, or a user who does not exist; what
    /// [`Services`] says.
    pub fn start_workflow(&self, question: StartWorkflow) -> Result<ExecutionId, PluginError> {
        self.0.start_workflow(question)
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").finish_non_exhaustive()
    }
}

/// Asks for one record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReadRecord {
    /// Its collection.
    pub collection: CollectionRef,
    /// Its primary key: a number, a text, or an object of the key's fields.
    pub key: Value,
    /// Associations loaded with it.
    #[serde(default)]
    pub appends: Vec<AssociationPath>,
}

impl ReadRecord {
    /// Asks for a record without associations; set the public fields that matter.
    pub fn new(collection: CollectionRef, key: impl Into<Value>) -> Self {
        Self { collection, key: key.into(), appends: Vec::new() }
    }
}

/// Asks for a page of records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReadRecords {
    /// Their collection.
    pub collection: CollectionRef,
    /// A filter as in the host's API, `{"amount": {"$gt": 500}}`; without members it matches all.
    #[serde(default)]
    pub filter: Map<String, Value>,
    /// Scalar fields, the first counts most; `-name` is descending. The key decides last.
    #[serde(default)]
    pub sort: Vec<String>,
    /// Associations loaded with each.
    #[serde(default)]
    pub appends: Vec<AssociationPath>,
    /// Which page, from 1.
    pub page: u64,
    /// Records of a page, 1 to 2,000.
    pub page_size: u64,
}

impl ReadRecords {
    /// Asks for the first 20 records by key, without associations; set the public fields that matter.
    pub fn new(collection: CollectionRef) -> Self {
        let (filter, sort, appends) = (Map::new(), Vec::new(), Vec::new());
        Self { collection, filter, sort, appends, page: 1, page_size: 20 }
    }
}

/// A page of records.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RecordPage {
    /// The records, in order.
    pub records: Vec<Map<String, Value>>,
    /// How many match on all pages.
    pub count: u64,
}

/// Asks for an execution of a workflow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StartWorkflow {
    /// The workflow version, as [`crate::Trigger::enable`] got it.
    pub workflow: WorkflowId,
    /// What nodes find as `$context.data`.
    pub data: Value,
    /// The user in whose name it runs; nobody's if there is none.
    #[serde(default)]
    pub user: Option<UserId>,
    /// What nodes find as `$context.roleName`.
    #[serde(default)]
    pub role: Option<String>,
}

impl StartWorkflow {
    /// Starts a workflow in nobody's name; set the public fields that matter.
    pub fn new(workflow: WorkflowId, data: impl Into<Value>) -> Self {
        Self { workflow, data: data.into(), user: None, role: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_everywhere() {
        for service in Service::ALL {
            assert_eq!(serde_json::to_value(service).expect("plain JSON"), service.name());
            assert_eq!(Service::from_name(service.name()), Some(service));
        }
        assert_eq!(Service::from_name("teleport"), None);
    }

    #[test]
    fn a_host_without_services_says_so() {
        let host = Host::without_services();
        let posts = CollectionRef::parse("posts");
        let error = host.record(ReadRecord::new(posts.clone(), 1)).expect_err("no records");
        assert_eq!(error, PluginError::unavailable("This host does not have the service \"records\""));
        assert!(host.records(ReadRecords::new(posts)).is_err());
        assert!(host.start_workflow(StartWorkflow::new(WorkflowId(1), Value::Null)).is_err());
    }
}
