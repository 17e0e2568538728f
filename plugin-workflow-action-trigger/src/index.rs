//! The enabled workflows, kept so that an action finds its own without looking at the others.
//!
//! The index is a persistent structure: a change makes a new version that shares nearly everything with the one before
//! (O(log n), whatever is enabled), and a reader takes one version and keeps it for its whole decision. Readers never
//! wait, neither for each other nor for a writer, and hold nothing while they ask the host about the schema.

use std::sync::Arc;

use arc_swap::ArcSwap;
use plugin_api::{CollectionRef, Workflow, WorkflowId};
use rpds::{HashTrieMapSync, RedBlackTreeMapSync};

use crate::config::{ActionType, Config};

/// An enabled workflow, shared by the index's versions.
pub(crate) type Enabled = Arc<Workflow<Config>>;

/// The global workflows of one collection and kind of action, in the order they fire: by id, which survives restarts.
type InFiringOrder = RedBlackTreeMapSync<WorkflowId, Enabled>;

/// One version of the index.
#[derive(Clone, Default)]
pub(crate) struct Index {
    by_id: HashTrieMapSync<WorkflowId, Enabled>,
    by_key: HashTrieMapSync<String, Enabled>,
    globals: HashTrieMapSync<CollectionRef, Globals>,
}

/// The global workflows of one collection. One that watches several kinds of action stands under each.
#[derive(Clone, Default)]
struct Globals {
    create: InFiringOrder,
    update: InFiringOrder,
    destroy: InFiringOrder,
}

impl Globals {
    fn watching(&self, kind: ActionType) -> &InFiringOrder {
        match kind {
            ActionType::Create => &self.create,
            ActionType::Update => &self.update,
            ActionType::Destroy => &self.destroy,
        }
    }

    fn watching_mut(&mut self, kind: ActionType) -> &mut InFiringOrder {
        match kind {
            ActionType::Create => &mut self.create,
            ActionType::Update => &mut self.update,
            ActionType::Destroy => &mut self.destroy,
        }
    }

    fn is_empty(&self) -> bool {
        ActionType::ALL.into_iter().all(|kind| self.watching(kind).is_empty())
    }
}

impl Index {
    /// Finds the enabled version of a key.
    pub(crate) fn by_key(&self, key: &str) -> Option<&Enabled> {
        self.by_key.get(key)
    }

    /// Lists the global workflows that an action of this kind on the collection fires, in firing order.
    pub(crate) fn globals(&self, collection: &CollectionRef, kind: ActionType) -> impl Iterator<Item = &Enabled> {
        self.globals.get(collection).into_iter().flat_map(move |globals| globals.watching(kind).values())
    }

    /// Lists the enabled workflows of a collection, by id. Looks at every enabled one: for questions, not for actions.
    pub(crate) fn watching(&self, collection: &CollectionRef) -> Vec<&Enabled> {
        let mut watching: Vec<&Enabled> =
            self.by_id.values().filter(|enabled| enabled.config.collection == *collection).collect();
        watching.sort_by_key(|enabled| enabled.id);
        watching
    }

    /// Takes in a workflow, in place of its former configuration and of any other version of its key.
    pub(crate) fn enable(&mut self, enabled: &Enabled) {
        self.disable(enabled.id);
        if let Some(other_version) = self.by_key.get(&enabled.key).map(|other| other.id) {
            self.disable(other_version);
        }
        self.by_id.insert_mut(enabled.id, Arc::clone(enabled));
        self.by_key.insert_mut(enabled.key.clone(), Arc::clone(enabled));
        if enabled.config.global && !enabled.config.actions.is_empty() {
            self.edit_globals(&enabled.config.collection, |globals| {
                for kind in &enabled.config.actions {
                    globals.watching_mut(*kind).insert_mut(enabled.id, Arc::clone(enabled));
                }
            });
        }
    }

    /// Forgets a workflow; an id that is not enabled is ignored.
    pub(crate) fn disable(&mut self, id: WorkflowId) {
        let Some(enabled) = self.by_id.get(&id).cloned() else { return };
        self.by_id.remove_mut(&id);
        self.by_key.remove_mut(&enabled.key);
        if enabled.config.global && !enabled.config.actions.is_empty() {
            self.edit_globals(&enabled.config.collection, |globals| {
                for kind in &enabled.config.actions {
                    globals.watching_mut(*kind).remove_mut(&id);
                }
            });
        }
    }

    /// Changes one collection's global workflows and drops the entry when none is left.
    fn edit_globals(&mut self, collection: &CollectionRef, edit: impl FnOnce(&mut Globals)) {
        let mut globals = self.globals.get(collection).cloned().unwrap_or_default();
        edit(&mut globals);
        if globals.is_empty() {
            self.globals.remove_mut(collection);
        } else {
            self.globals.insert_mut(collection.clone(), globals);
        }
    }
}

/// The index as trigger and hook share it: read without waiting, replaced whole.
#[derive(Default)]
pub(crate) struct SharedIndex(ArcSwap<Index>);

impl SharedIndex {
    /// Takes today's version, which no later change touches.
    pub(crate) fn snapshot(&self) -> Arc<Index> {
        self.0.load_full()
    }

    /// Takes in a workflow.
    pub(crate) fn enable(&self, enabled: &Enabled) {
        self.change(|index| index.enable(enabled));
    }

    /// Forgets a workflow.
    pub(crate) fn disable(&self, id: WorkflowId) {
        self.change(|index| index.disable(id));
    }

    /// Publishes a changed version. `edit` runs again if another writer was faster.
    fn change(&self, edit: impl Fn(&mut Index)) {
        self.0.rcu(|current| {
            let mut next = Index::clone(current);
            edit(&mut next);
            next
        });
    }
}

#[cfg(test)]
mod tests;
