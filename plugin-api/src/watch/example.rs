//! What the tests of this module share: a configuration, and one blog.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Enabled, ManualInput, Paths, Watch, fields};
use crate::{
    Action, Association, AssociationPath, BindingInfo, Cardinality, CollectionRef, ExecutionMode, Firing,
    LocalizedText, ManualData, ManualRun, Phase, PluginError, SchemaView, TriggerInfo, Workflow, WorkflowId,
};

/// A configuration with nothing but what [`Watch`] asks for.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(super) struct Example {
    #[schemars(schema_with = "fields::collection")]
    pub(super) collection: CollectionRef,
    pub(super) global: bool,
    #[schemars(with = "Vec<String>")]
    pub(super) actions: Vec<Action>,
}

impl Watch for Example {
    const PHASE: Phase = Phase::After;
    const ACTIONS: &'static [Action] = &[Action::Create, Action::Update, Action::Destroy];
    const PATHS: Paths = Paths::Followed;

    fn collection(&self) -> &CollectionRef {
        &self.collection
    }

    fn is_global(&self) -> bool {
        self.global
    }

    fn chooses(&self, action: Action) -> bool {
        self.actions.contains(&action)
    }

    fn firing(workflow: &Workflow<Self>, _: Action, path: AssociationPath) -> Firing {
        Firing { path, ..Firing::new(workflow.id, workflow.mode) }
    }

    fn info() -> TriggerInfo {
        let binding =
            BindingInfo { buttons: vec![], data: vec![], variables: vec![], modes: vec![ExecutionMode::Async] };
        let text = || LocalizedText::new("Example");
        TriggerInfo { id: "example".to_owned(), title: text(), description: text(), binding }
    }

    fn validate(&self, schema: &dyn SchemaView) -> Result<(), PluginError> {
        fields::check_collection(schema, &self.collection)
    }

    fn manual(&self, input: Value) -> Result<ManualRun, PluginError> {
        ManualInput::read(input)?.run(ManualData::Given(Value::Null))
    }
}

/// A workflow that is global if it watches any kind of action.
pub(super) fn workflow(id: i64, key: &str, collection: &str, watches: &[Action]) -> Workflow<Example> {
    Workflow {
        id: WorkflowId(id),
        key: key.to_owned(),
        mode: ExecutionMode::Async,
        config: Example {
            collection: CollectionRef::parse(collection),
            global: !watches.is_empty(),
            actions: watches.to_vec(),
        },
    }
}

/// The same, as the index keeps it.
pub(super) fn enabled(id: i64, key: &str, collection: &str, watches: &[Action]) -> Enabled<Example> {
    Enabled::new(workflow(id, key, collection, watches))
}

/// Comments belong to posts, posts to a category and have many tags; categories have an owner.
pub(super) struct Blog;

const ASSOCIATIONS: [(&str, &str, &str, Cardinality); 5] = [
    ("comments", "post", "posts", Cardinality::One),
    ("posts", "category", "categories", Cardinality::One),
    ("posts", "tags", "tags", Cardinality::Many),
    ("posts", "parent", "posts", Cardinality::One),
    ("categories", "owner", "users", Cardinality::One),
];

impl SchemaView for Blog {
    fn has_data_source(&self, data_source: &str) -> bool {
        data_source == "main"
    }

    fn has_collection(&self, collection: &CollectionRef) -> bool {
        ASSOCIATIONS.iter().any(|(from, _, to, _)| [*from, *to].contains(&collection.name()))
    }

    fn association(&self, collection: &CollectionRef, field: &str) -> Option<Association> {
        ASSOCIATIONS.iter().find(|(from, name, ..)| *collection == CollectionRef::parse(from) && *name == field).map(
            |(_, _, target, cardinality)| Association {
                target: CollectionRef::parse(target),
                cardinality: *cardinality,
            },
        )
    }
}
