//! Whether a binding makes sense today: its workflow, its path and its button, seen together.

use std::sync::Arc;

use plugin_api::{AssociationPath, CollectionRef, TriggerData};
use store::{ButtonFacts, Collection, Schema, WorkflowRow};

use super::kind;
use crate::{
    data_sources::Schemas,
    http::error::ApiError,
    pipeline::Reason,
    plugins::{LoadedTrigger, Plugins},
    triggers,
};

/// Judges bindings by what is installed and stored now.
#[derive(Clone, Copy)]
pub(crate) struct Judge<'a> {
    /// They say what may be bound to what.
    pub(crate) plugins: &'a Plugins,
    /// Today's collections.
    pub(crate) schemas: &'a Schemas,
}

/// The collection that a button is about, or that a path leads to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    /// The data source's collections.
    pub(super) schema: &'a Schema,
    /// The collection.
    pub(crate) collection: &'a Arc<Collection>,
}

/// What is wrong with a button or a binding, in a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Misfit {
    /// The button is of a type that this host does not know.
    #[error("there are no buttons of type \"{0}\"")]
    UnknownKind(String),
    /// The button's collection is gone.
    #[error("the collection \"{0}\" does not exist")]
    UnknownCollection(String),
    /// No workflow has the key.
    #[error("no workflow has the key \"{0}\"")]
    UnknownKey(String),
    /// No version of the workflow is enabled.
    #[error("the workflow \"{0}\" is not enabled")]
    Disabled(String),
    /// No loaded plugin offers the workflow's trigger type.
    #[error("no loaded plugin offers the trigger type \"{0}\"")]
    UnknownType(String),
    /// The trigger type is not for such buttons.
    #[error("workflows of type \"{trigger}\" cannot be bound to buttons of type \"{button}\"")]
    ButtonNotAllowed {
        /// The trigger type.
        trigger: String,
        /// The type of button.
        button: String,
    },
    /// A segment of the path is no association.
    #[error("\"{segment}\" in the path \"{path}\" is no association of \"{collection}\"")]
    UnknownPath {
        /// The whole path.
        path: String,
        /// What is wrong in it.
        segment: String,
        /// Where it was looked for.
        collection: String,
    },
    /// The path does not lead to the workflow's collection.
    #[error("the workflow \"{workflow}\" is for records of \"{expected}\", and would get records of \"{got}\"")]
    OtherCollection {
        /// The workflow.
        workflow: String,
        /// Its collection.
        expected: String,
        /// The collection at the end of the path.
        got: String,
    },
    /// The trigger type does not take what the path leads to.
    #[error("workflows of type \"{trigger}\" do not take {what}")]
    DataNotAllowed {
        /// The trigger type.
        trigger: String,
        /// What they would get.
        what: &'static str,
    },
}

impl Misfit {
    /// The reason for programs, by the name that explanations use.
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::UnknownKind(_) | Self::ButtonNotAllowed { .. } => Reason::ButtonNotAllowed,
            Self::UnknownCollection(_) => Reason::UnknownCollection,
            Self::UnknownKey(_) => Reason::UnknownKey,
            Self::Disabled(_) => Reason::Disabled,
            Self::UnknownType(_) => Reason::NotEnabled,
            Self::UnknownPath { .. } => Reason::UnknownPath,
            Self::OtherCollection { .. } => Reason::OtherCollection,
            Self::DataNotAllowed { .. } => Reason::DataNotAllowed,
        }
    }
}

impl From<Misfit> for ApiError {
    fn from(misfit: Misfit) -> Self {
        Self::invalid("INVALID_BINDING", misfit.to_string())
    }
}

impl<'a> Judge<'a> {
    /// Says whether the button itself still makes sense.
    ///
    /// # Errors
    ///
    /// [`Misfit::UnknownKind`], [`Misfit::UnknownCollection`].
    pub(crate) fn button(self, button: &ButtonFacts) -> Result<Place<'a>, Misfit> {
        kind(&button.button_type).ok_or_else(|| Misfit::UnknownKind(button.button_type.clone()))?;
        let name = CollectionRef::parse(&button.collection);
        let unknown = || Misfit::UnknownCollection(button.collection.clone());
        let schema = self.schemas.of(name.data_source()).ok_or_else(unknown)?;
        Ok(Place { schema, collection: schema.collection(name.name()).map_err(|_| unknown())? })
    }

    /// Says whether a workflow, or what is left of it, may be bound to a button with a path.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong.
    pub(crate) fn binding(
        self,
        button: &ButtonFacts,
        workflow: Option<&WorkflowRow>,
        key: &str,
        path: &str,
    ) -> Result<(), Misfit> {
        let place = self.button(button)?;
        let workflow = workflow.ok_or_else(|| Misfit::UnknownKey(key.to_owned()))?;
        let trigger = self.trigger_for(button, workflow)?;
        if !workflow.enabled {
            return Err(Misfit::Disabled(called(workflow).to_owned()));
        }
        let (end, data) = follow(place, path)?;
        let source = CollectionRef::parse(&button.collection);
        match triggers::watched(trigger, &workflow.config) {
            Some(watched) if watched != CollectionRef::new(source.data_source(), end.name.as_str()) => {
                Err(Misfit::OtherCollection {
                    workflow: called(workflow).to_owned(),
                    expected: watched.to_string(),
                    got: end.name.clone(),
                })
            }
            // A workflow that is about no collection is handed nothing.
            None if data == TriggerData::Record => Ok(()),
            Some(_) | None if trigger.info().binding.data.contains(&data) => Ok(()),
            Some(_) | None => Err(Misfit::DataNotAllowed {
                trigger: workflow.trigger_type.clone(),
                what: match data {
                    TriggerData::Record => "the record itself",
                    TriggerData::ToOneAssociation => "an associated record",
                    _ => "records of a to-many association",
                },
            }),
        }
    }

    /// The workflow's trigger type, if it is one for such buttons.
    pub(super) fn trigger_for(self, button: &ButtonFacts, workflow: &WorkflowRow) -> Result<&'a LoadedTrigger, Misfit> {
        let type_id = &workflow.trigger_type;
        let trigger = self.plugins.trigger(type_id).ok_or_else(|| Misfit::UnknownType(type_id.clone()))?;
        let buttons = &trigger.info().binding.buttons;
        if kind(&button.button_type).is_some_and(|kind| buttons.contains(&kind)) {
            return Ok(trigger);
        }
        Err(Misfit::ButtonNotAllowed { trigger: type_id.clone(), button: button.button_type.clone() })
    }
}

/// Where a path leads, and whether to one record or to many.
fn follow<'a>(from: Place<'a>, path: &str) -> Result<(&'a Arc<Collection>, TriggerData), Misfit> {
    let path = AssociationPath::parse(path);
    let mut data = if path.is_empty() { TriggerData::Record } else { TriggerData::ToOneAssociation };
    let mut collection = from.collection;
    for segment in path.segments() {
        let unknown = || Misfit::UnknownPath {
            path: path.to_string(),
            segment: segment.clone(),
            collection: collection.name.clone(),
        };
        let association = collection.association(segment).ok_or_else(unknown)?;
        if !association.kind.is_to_one() {
            data = TriggerData::ToManyAssociation;
        }
        collection = from.schema.collection(&association.target).map_err(|_| unknown())?;
    }
    Ok((collection, data))
}

/// What people know a workflow by.
fn called(workflow: &WorkflowRow) -> &str {
    workflow.title.as_deref().filter(|title| !title.is_empty()).unwrap_or(&workflow.key)
}
