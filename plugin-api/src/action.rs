//! The user action that a hook is asked about, and the interests that decide whether it is asked at all.

use serde::{Deserialize, Serialize};

use crate::{
    error::PluginError,
    id::UserId,
    plan::Plan,
    schema::{CollectionRef, SchemaView},
};

/// What a user did to a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Action {
    /// One record, or several, were created.
    Create,
    /// Records were changed.
    Update,
    /// Records were deleted.
    Destroy,
    /// The first match was changed, or a record created.
    UpdateOrCreate,
    /// The first match was taken, or a record created.
    FirstOrCreate,
    /// A "trigger workflow" button was pressed.
    Trigger,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 6] =
        [Self::Create, Self::Update, Self::Destroy, Self::UpdateOrCreate, Self::FirstOrCreate, Self::Trigger];

    /// Its position in [`Self::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// When a hook is asked, seen from the action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Phase {
    /// Before anything is written. What fires may refuse the action, leave it out or change its values. Hosts ask since 1.2.
    Before,
    /// For what follows the action, which is written in the same transaction. A host may ask before or after the data is: no
    /// decision depends on it.
    After,
    /// For what follows a change of records, whoever made it: an action, a workflow's node, a value nested in another record.
    /// The action is [`Action::Create`], [`Action::Update`] or [`Action::Destroy`], there are no bindings, and what fires runs
    /// in the background, whatever its mode says; unless the JSON Schema of the trigger type's configuration has `"x-sync":
    /// "transaction"`: what is synchronous is then part of the transaction of the change. Hosts ask since 1.2.
    Changed,
}

impl Phase {
    /// Every phase.
    pub const ALL: [Self; 3] = [Self::Before, Self::After, Self::Changed];

    /// Its position in [`Self::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// Under which requests an [`Interest`] holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum When {
    /// Whatever the request says.
    Always,
    /// Only if the request carries bindings (`triggerWorkflows`).
    Bound,
}

/// Declares which actions a hook wants to be asked about. An action that matches no interest never enters the plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interest {
    /// Before or after the action.
    pub phase: Phase,
    /// The actions; empty matches none.
    pub actions: Vec<Action>,
    /// One collection, or `None` for all.
    pub collection: Option<CollectionRef>,
    /// Whether only requests with bindings count.
    pub when: When,
}

/// How much of its decision a hook is asked to tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Detail {
    /// What fires, and which entries of the bindings do not.
    #[default]
    Decision,
    /// Also the workflows of the collection that were not named, for somebody who asks why they do not fire. This may take as
    /// long as it needs.
    Everything,
}

/// One user action, as a hook sees it. The record itself stays with the host.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct ActionEvent<'a> {
    /// For what comes before the action, or after it.
    pub phase: Phase,
    /// What was done.
    pub action: Action,
    /// The collection of the records that the action is about (for an association resource, its target);
    /// [`CollectionRef::none`] if it is about no records.
    pub collection: &'a CollectionRef,
    /// The raw `triggerWorkflows` of the request; [`crate::Binding::parse_all`] reads it.
    pub bindings: &'a str,
    /// Who acts.
    pub actor: Option<UserId>,
    /// The role the actor acts in.
    pub role: &'a str,
    /// How much is to be told. Since 1.1; hosts of 1.0 ask for the decision.
    pub detail: Detail,
    /// The schema as the action sees it.
    pub schema: &'a dyn SchemaView,
}

impl<'a> ActionEvent<'a> {
    /// An action by nobody, without bindings; set the public fields that matter.
    pub fn new(phase: Phase, action: Action, collection: &'a CollectionRef, schema: &'a dyn SchemaView) -> Self {
        Self { phase, action, collection, bindings: "", actor: None, role: "", detail: Detail::default(), schema }
    }
}

/// Decides which workflows a user action starts.
///
/// Called on the request's thread, many at a time. It must not block: it answers from what the plugin keeps in memory.
pub trait ActionHook: Send + Sync + 'static {
    /// Answers with the workflows to start, in the order to start them.
    ///
    /// # Errors
    ///
    /// An error, or a panic, fires nothing; the host reports it against the plugin, and leaves the plugin out for a while if it
    /// happens often. If the host needs the plugin, it does not do the action.
    /// An error, or a panic, fires nothing; the host reports it against the plugin. Before an action it also refuses the
    /// action: what should have been asked was not.
    fn plan(&self, event: &ActionEvent<'_>) -> Result<Plan, PluginError>;
}

#[cfg(test)]
mod tests {
    use super::{Action, Phase};

    #[test]
    fn indexes_are_positions() {
        assert!(Action::ALL.iter().enumerate().all(|(position, action)| action.index() == position));
        assert!(Phase::ALL.iter().enumerate().all(|(position, phase)| phase.index() == position));
    }
}
