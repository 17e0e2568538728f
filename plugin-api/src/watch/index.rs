//! The enabled workflows, kept so that an action finds its own without looking at the others.
//!
//! The index is a persistent structure: a change makes a new version that shares nearly everything with the one before
//! (O(log n), whatever is enabled), and a reader takes one version and keeps it for its whole decision. Readers never
//! wait, neither for each other nor for a writer, and hold nothing while they ask the host about the schema.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rpds::{HashTrieMapSync, RedBlackTreeMapSync};

use super::{Watch, chosen};
use crate::{action::Action, id::WorkflowId, schema::CollectionRef, trigger::Workflow};

/// An enabled workflow, shared by the index's versions.
pub(super) type Enabled<C> = Arc<Workflow<C>>;

/// The global workflows of one collection and kind of action, in the order they fire: by id, which survives restarts.
type InFiringOrder<C> = RedBlackTreeMapSync<WorkflowId, Enabled<C>>;

/// One version of the index.
pub(super) struct Index<C> {
    by_id: HashTrieMapSync<WorkflowId, Enabled<C>>,
    by_key: HashTrieMapSync<String, Enabled<C>>,
    globals: HashTrieMapSync<CollectionRef, Globals<C>>,
}

/// The global workflows of one collection, by kind of action. One that watches several stands under each.
struct Globals<C>([InFiringOrder<C>; Action::ALL.len()]);

// Written out, because a derived one would ask the same of the configuration, which is never copied.
impl<C> Clone for Index<C> {
    fn clone(&self) -> Self {
        Self { by_id: self.by_id.clone(), by_key: self.by_key.clone(), globals: self.globals.clone() }
    }
}

impl<C> Default for Index<C> {
    fn default() -> Self {
        Self {
            by_id: HashTrieMapSync::new_sync(),
            by_key: HashTrieMapSync::new_sync(),
            globals: HashTrieMapSync::new_sync(),
        }
    }
}

impl<C> Clone for Globals<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<C> Default for Globals<C> {
    fn default() -> Self {
        Self(Action::ALL.map(|_| RedBlackTreeMapSync::new_sync()))
    }
}

impl<C: Watch> Index<C> {
    /// Finds the enabled version of a key.
    pub(super) fn by_key(&self, key: &str) -> Option<&Enabled<C>> {
        self.by_key.get(key)
    }

    /// Lists the global workflows that an action of this kind on the collection fires, in firing order.
    pub(super) fn globals(&self, collection: &CollectionRef, action: Action) -> impl Iterator<Item = &Enabled<C>> {
        self.globals.get(collection).into_iter().flat_map(move |globals| globals.0[action.index()].values())
    }

    /// Lists the enabled workflows of a collection, by id. Looks at every enabled one: for questions, not for actions.
    pub(super) fn watching(&self, collection: &CollectionRef) -> Vec<&Enabled<C>> {
        let mut watching: Vec<&Enabled<C>> =
            self.by_id.values().filter(|enabled| enabled.config.collection() == collection).collect();
        watching.sort_by_key(|enabled| enabled.id);
        watching
    }

    /// Takes in a workflow, in place of its former configuration and of any other version of its key.
    pub(super) fn enable(&mut self, enabled: &Enabled<C>) {
        self.disable(enabled.id);
        if let Some(other_version) = self.by_key.get(&enabled.key).map(|other| other.id) {
            self.disable(other_version);
        }
        self.by_id.insert_mut(enabled.id, Arc::clone(enabled));
        self.by_key.insert_mut(enabled.key.clone(), Arc::clone(enabled));
        self.edit_globals(enabled, |firing| firing.insert_mut(enabled.id, Arc::clone(enabled)));
    }

    /// Forgets a workflow; an id that is not enabled is ignored.
    pub(super) fn disable(&mut self, id: WorkflowId) {
        let Some(enabled) = self.by_id.get(&id).cloned() else { return };
        self.by_id.remove_mut(&id);
        self.by_key.remove_mut(&enabled.key);
        self.edit_globals(&enabled, |firing| {
            firing.remove_mut(&id);
        });
    }

    /// Changes the lists that a global workflow stands in, and drops its collection's entry when none is left.
    fn edit_globals(&mut self, enabled: &Enabled<C>, edit: impl Fn(&mut InFiringOrder<C>)) {
        let collection = enabled.config.collection();
        let mut chosen = chosen(&enabled.config).peekable();
        if chosen.peek().is_none() {
            return;
        }
        let mut globals = self.globals.get(collection).cloned().unwrap_or_default();
        for action in chosen {
            edit(&mut globals.0[action.index()]);
        }
        if globals.0.iter().all(RedBlackTreeMapSync::is_empty) {
            self.globals.remove_mut(collection);
        } else {
            self.globals.insert_mut(collection.clone(), globals);
        }
    }
}

/// The index as trigger and hook share it: read without waiting, replaced whole. Cheap to clone.
pub(super) struct SharedIndex<C>(Arc<ArcSwap<Index<C>>>);

impl<C> Clone for SharedIndex<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C> Default for SharedIndex<C> {
    fn default() -> Self {
        Self(Arc::new(ArcSwap::from_pointee(Index::default())))
    }
}

impl<C: Watch> SharedIndex<C> {
    /// Takes today's version.
    pub(super) fn snapshot(&self) -> Arc<Index<C>> {
        self.0.load_full()
    }

    /// Takes in a workflow.
    pub(super) fn enable(&self, workflow: Workflow<C>) {
        let enabled = Arc::new(workflow);
        self.change(|index| index.enable(&enabled));
    }

    /// Forgets a workflow.
    pub(super) fn disable(&self, id: WorkflowId) {
        self.change(|index| index.disable(id));
    }

    /// Publishes a changed version. `edit` runs again if another writer was faster.
    fn change(&self, edit: impl Fn(&mut Index<C>)) {
        self.0.rcu(|current| {
            let mut next = Index::clone(current);
            edit(&mut next);
            next
        });
    }
}

#[cfg(test)]
mod tests;
