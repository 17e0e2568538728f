//! A trigger type: what starts a workflow, how it is configured and what it can be bound to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::{
    action::Interest,
    error::PluginError,
    id::{UserId, WorkflowId},
    plan::Batch,
    schema::{AssociationPath, CollectionRef, SchemaView},
    text::{LocalizedText, Translations},
};

/// When a workflow runs, seen from the action that starts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ExecutionMode {
    /// Before the answer, which carries its outcome.
    Sync,
    /// In the background, after the commit.
    Async,
}

/// An action button of the console that workflows can be bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Button {
    /// "Submit" and "Save" of a form.
    FormSubmit,
    /// "Update record" in a row.
    UpdateRecord,
    /// "Delete" in a row.
    DeleteRecord,
    /// "Trigger workflow".
    TriggerWorkflow,
}

/// What a binding may hand over to the workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum TriggerData {
    /// The whole record of the form or row.
    Record,
    /// A record at the end of associations that lead to one record each.
    ToOneAssociation,
    /// Each record at the end of an association path of any kind.
    ToManyAssociation,
}

/// A variable that the trigger gives to nodes, below `$context`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variable {
    /// Its name, as in `{{$context.data}}`.
    pub name: String,
    /// What people see.
    pub title: LocalizedText,
}

impl Variable {
    /// Names a variable.
    pub fn new(name: &str, title: &Translations) -> Self {
        Self { name: name.to_owned(), title: title.text() }
    }
}

/// How a trigger type can be bound to buttons, and what it hands over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BindingInfo {
    /// The buttons; empty if it cannot be bound.
    pub buttons: Vec<Button>,
    /// What a binding may hand over.
    pub data: Vec<TriggerData>,
    /// What nodes can refer to.
    pub variables: Vec<Variable>,
    /// The modes a workflow of this type may have; the first is the default.
    pub modes: Vec<ExecutionMode>,
}

/// Describes a trigger type to people and to the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriggerInfo {
    /// The type's id, as in a workflow's `type`: lower-case letters, digits and `-`.
    pub id: String,
    /// What people see in a list.
    pub title: LocalizedText,
    /// One or two sentences.
    pub description: LocalizedText,
    /// Buttons, data, variables and modes.
    pub binding: BindingInfo,
}

/// An enabled workflow, as its trigger sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workflow<Config> {
    /// This version.
    pub id: WorkflowId,
    /// The key that all versions share, and that bindings name.
    pub key: String,
    /// Synchronous or asynchronous; fixed when the workflow was made.
    pub mode: ExecutionMode,
    /// The trigger's configuration.
    pub config: Config,
}

/// Which data a manual run hands over as `data`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ManualData {
    /// The value as given.
    Given(Value),
    /// The record with this key, read with its preloads.
    Load {
        /// Its collection.
        collection: CollectionRef,
        /// A primary key: a number, a text, or an object of the key's fields. Since 1.2 also an array of them, which makes
        /// the data an array of the records, in that order.
        key: Value,
        /// Associations loaded with it.
        preloads: Vec<AssociationPath>,
    },
}

/// What a manual run starts with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ManualRun {
    /// The trigger data.
    pub data: ManualData,
    /// The user in whose name it runs.
    pub user: UserId,
    /// The role in the context, if one was given.
    pub role: Option<String>,
    /// Whether the record is handed over by itself, or as an array of one. Since 1.1.
    #[serde(default, skip_serializing_if = "Batch::is_default")]
    pub batch: Batch,
    /// The variable that the data is handed over as, below `$context`. Since 1.2; hosts before it say `data`.
    #[serde(default = "data", skip_serializing_if = "is_data")]
    pub variable: String,
    /// Further variables below `$context`. Since 1.3; hosts before it pass them over.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub more: Map<String, Value>,
}

impl ManualRun {
    /// Starts with `data`, as a single record's workflow gets it; set the public fields that matter.
    pub fn new(data: ManualData, user: UserId) -> Self {
        Self { data, user, role: None, batch: Batch::default(), variable: self::data(), more: Map::new() }
    }
}

fn data() -> String {
    "data".to_owned()
}

fn is_data(variable: &str) -> bool {
    variable == "data"
}

/// A trigger type.
///
/// The host keeps it informed: [`enable`](Self::enable) once for each workflow version that is switched on (at start,
/// and again whenever its configuration changes), [`disable`](Self::disable) when it is switched off or deleted.
/// Calls may come from several threads.
pub trait Trigger: Send + Sync + 'static {
    /// The configuration; its JSON Schema drives the console's form and the host's first check.
    type Config: DeserializeOwned + JsonSchema;

    /// Describes the type; the same at every call.
    fn info(&self) -> TriggerInfo;

    /// Checks what a JSON Schema cannot say, such as that a collection exists.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Invalid`] with a sentence for the person who configures.
    fn validate(&self, config: &Self::Config, schema: &dyn SchemaView) -> Result<(), PluginError>;

    /// Takes an enabled workflow into the index and says which actions it waits for, beyond those that the plugin's
    /// hooks declared. The host forgets these interests when the workflow is disabled or enabled again.
    ///
    /// # Errors
    ///
    /// The workflow stays enabled but cannot fire; the host reports it.
    fn enable(&self, workflow: Workflow<Self::Config>) -> Result<Vec<Interest>, PluginError>;

    /// Forgets a workflow; unknown ids are ignored.
    fn disable(&self, workflow: WorkflowId);

    /// Reads the input of a manual run.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Invalid`] with a sentence for the caller.
    fn manual(&self, config: &Self::Config, input: Value) -> Result<ManualRun, PluginError>;
}
