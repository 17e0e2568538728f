//! What people configure: the collection, local or global mode, the actions of global mode, associations to preload, and
//! under which terms a record is handed over.
//!
//! The type's JSON Schema drives the console's form. Beyond the standard keywords it carries `x-selector`, which says
//! what a text names so that the console can offer a choice, `x-visible-if`, the values other fields must have for a
//! field to matter, and `x-title`, the title in every language. Unknown fields are accepted and ignored.

use plugin_api::{Action, AssociationPath, Batch, CollectionRef, Condition, PluginError, Previous, SchemaView};
use schemars::{JsonSchema, json_schema};
use serde::Deserialize;

use crate::locales;

/// The configuration of a workflow of type `action`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(title = "Post-action event")]
pub struct Config {
    /// The collection whose records start the workflow: `name`, or `source:name` in another data source than `main`.
    #[schemars(with = "String", title = locales::COLLECTION.en, extend("x-title" = locales::COLLECTION, "x-selector" = "collection"))]
    pub collection: CollectionRef,

    /// Fires for every action of the chosen kinds, not only for the buttons and requests that name the workflow.
    #[serde(default)]
    #[schemars(title = locales::GLOBAL.en, extend("x-title" = locales::GLOBAL))]
    pub global: bool,

    /// The kinds of action that fire in global mode; with none, the workflow never fires.
    #[serde(default)]
    #[schemars(title = locales::ACTIONS.en, extend("x-title" = locales::ACTIONS, "x-visible-if" = { "global": true }))]
    pub actions: Vec<ActionType>,

    /// The associations loaded into the trigger data, such as `category` or `category.owner`.
    #[serde(default)]
    #[schemars(title = locales::APPENDS.en, extend("x-title" = locales::APPENDS), schema_with = "association_paths")]
    pub appends: Vec<AssociationPath>,

    /// What has to hold for a record to start the workflow: a filter on `data` (the record), `previous` (the record before
    /// the action), `user` and `roleName`, such as `{"data.amount": {"$gt": 500}}`.
    #[serde(default)]
    #[schemars(title = locales::CONDITION.en, extend("x-title" = locales::CONDITION), schema_with = "condition")]
    pub condition: Option<Condition>,

    /// Fields of which at least one has to change for an update to start the workflow; with none, every update does. Other
    /// actions are not held back.
    #[serde(default)]
    #[schemars(title = locales::CHANGED.en, extend("x-title" = locales::CHANGED), schema_with = "field_names")]
    pub changed: Vec<String>,

    /// Whether nodes also get `previous`, the record as it was before the action.
    #[serde(default)]
    #[schemars(title = locales::PREVIOUS.en, extend("x-title" = locales::PREVIOUS, "x-variable" = "previous"))]
    pub previous: bool,

    /// One execution for each record of an action, or one for all of them, whose data is then an array.
    #[serde(default)]
    #[schemars(title = locales::BATCH.en, extend("x-title" = locales::BATCH))]
    pub batch: BatchMode,
}

/// How the records of one action are divided among executions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum BatchMode {
    /// Each record has an execution of its own.
    #[default]
    PerRecord,
    /// One execution gets the records as an array.
    PerBatch,
}

impl BatchMode {
    /// Hands the mode over as the host takes it.
    pub const fn batch(self) -> Batch {
        match self {
            Self::PerRecord => Batch::PerRecord,
            Self::PerBatch => Batch::PerBatch,
        }
    }
}

/// A kind of action that global mode can watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ActionType {
    /// Records were created.
    Create,
    /// Records were changed.
    Update,
    /// Records were deleted.
    Destroy,
}

impl ActionType {
    /// Every kind that fires post-action events. `updateOrCreate` and `firstOrCreate` are not among them.
    pub const ALL: [Self; 3] = [Self::Create, Self::Update, Self::Destroy];

    /// Reads the kind from the host's action; `None` for actions that fire no post-action event.
    pub fn of(action: Action) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.action() == action)
    }

    /// Names the host's action.
    pub const fn action(self) -> Action {
        match self {
            Self::Create => Action::Create,
            Self::Update => Action::Update,
            Self::Destroy => Action::Destroy,
        }
    }
}

impl Config {
    /// The condition, unless it always holds.
    pub fn condition(&self) -> Option<&Condition> {
        self.condition.as_ref().filter(|condition| !condition.0.is_empty())
    }

    /// Whether nodes get the record as it was before the action.
    pub const fn previous(&self) -> Previous {
        if self.previous { Previous::Included } else { Previous::Omitted }
    }

    /// Checks against today's schema that the data source, the collection, every preloaded association and every field
    /// exists, and that the condition makes sense.
    ///
    /// # Errors
    ///
    /// [`plugin_api::ErrorKind::Invalid`], naming the first thing that does not exist.
    pub fn validate(&self, schema: &dyn SchemaView) -> Result<(), PluginError> {
        let Self { collection, appends, .. } = self;
        let (source, name) = (collection.data_source(), collection.name());
        if !schema.has_data_source(source) {
            return Err(PluginError::invalid(format!("Data source \"{source}\" does not exist")));
        }
        if !schema.has_collection(collection) {
            return Err(PluginError::invalid(format!(
                "Collection \"{name}\" does not exist in data source \"{source}\""
            )));
        }
        match appends.iter().find(|path| path.is_empty() || target(schema, collection, path).is_none()) {
            Some(path) => {
                Err(PluginError::invalid(format!("Association \"{path}\" does not exist in collection \"{name}\"")))
            }
            None => Ok(()),
        }?;
        if let Some(condition) = self.condition() {
            schema.check_condition(collection, condition).map_err(|error| about("condition", &error))?;
        }
        self.changed
            .iter()
            .try_for_each(|field| schema.check_comparable(collection, field).map_err(|error| about("changed", &error)))
    }
}

/// Says which part of the configuration an error is about.
fn about(field: &str, error: &PluginError) -> PluginError {
    PluginError { kind: error.kind, message: format!("\"{field}\": {error}") }
}

/// Follows a path from a collection to the one at its end; `None` if a segment is no association.
pub(crate) fn target(schema: &dyn SchemaView, from: &CollectionRef, path: &AssociationPath) -> Option<CollectionRef> {
    path.segments().iter().try_fold(from.clone(), |collection, field| {
        schema.association(&collection, field).map(|association| association.target)
    })
}

/// The schema of `appends`: each item is a path of associations that starts at the collection chosen beside it.
fn association_paths(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    json_schema!({
        "type": "array",
        "items": { "type": "string" },
        "uniqueItems": true,
        "default": [],
        "x-selector": "association-path",
        "x-collection-field": "collection",
    })
}

/// The schema of `condition`: a filter whose names are those of the context.
fn condition(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    json_schema!({
        "type": ["object", "null"],
        "default": null,
        "x-selector": "filter",
        "x-collection-field": "collection",
        "x-variables": ["data", "previous", "user", "roleName"],
    })
}

/// The schema of `changed`: each item is a field of the collection chosen beside it.
fn field_names(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    json_schema!({
        "type": "array",
        "items": { "type": "string" },
        "uniqueItems": true,
        "default": [],
        "x-selector": "field",
        "x-collection-field": "collection",
    })
}
