//! Which actions any hook waits for: one load where nobody waits for such an action on any collection, else one hash lookup; no plugin is
//! entered.
//!
//! For each collection, and for "all collections", it counts how often each of 36 situations (phase × action × when) is
//! waited for, by hook. Hooks bring their own interests; a plugin's enabled workflows add theirs and take them away
//! again. The cost of a lookup does not grow with the number of workflows.

use std::{
    collections::HashMap,
    ops::Range,
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use hashbrown::Equivalent;
use plugin_api::{Action, CollectionRef, Interest, Phase, When, WorkflowId};

/// The situations that can be waited for.
const SITUATIONS: usize = Phase::ALL.len() * Action::ALL.len() * 2;

/// One bit for each situation.
type Mask = u64;
const _: () = assert!(SITUATIONS <= Mask::BITS as usize, "the mask has a bit for each situation");

const fn situation(phase: Phase, action: Action, when: When) -> usize {
    let when = match when {
        When::Always => 0,
        When::Bound => 1,
    };
    (phase.index() * Action::ALL.len() + action.index()) * 2 + when
}

/// The situations that an action is in.
const fn situations_of(phase: Phase, action: Action, bound: bool) -> Mask {
    let always: Mask = 1 << situation(phase, action, When::Always);
    if bound { always | 1 << situation(phase, action, When::Bound) } else { always }
}

/// Names a collection without owning the names: what a lookup takes, so that an action that nobody waits for allocates nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CollectionName<'n> {
    data_source: &'n str,
    name: &'n str,
}

impl<'n> CollectionName<'n> {
    /// A collection of a data source.
    pub fn new(data_source: &'n str, name: &'n str) -> Self {
        Self { data_source, name }
    }
}

impl<'n> From<&'n CollectionRef> for CollectionName<'n> {
    fn from(collection: &'n CollectionRef) -> Self {
        Self::new(collection.data_source(), collection.name())
    }
}

impl Equivalent<CollectionRef> for CollectionName<'_> {
    fn equivalent(&self, collection: &CollectionRef) -> bool {
        *self == CollectionName::from(collection)
    }
}

/// Who waits for which action.
#[derive(Debug, Default)]
pub(super) struct Interests {
    // Written when a workflow is switched, read for each action; held for the lookup alone.
    table: RwLock<Table>,
    /// What is waited for anywhere, as the table says.
    anywhere: AtomicU64,
}

#[derive(Debug, Default)]
struct Table {
    everywhere: Waiting,
    collections: hashbrown::HashMap<CollectionRef, Waiting>,
    /// All of them together.
    anywhere: Waiting,
    workflows: HashMap<WorkflowId, (Range<usize>, Vec<Interest>)>,
}

/// The hooks that wait in one place.
#[derive(Debug, Default)]
struct Waiting {
    /// What any of them waits for.
    any: Mask,
    hooks: Vec<HookWaiting>,
}

#[derive(Debug)]
struct HookWaiting {
    hook: usize,
    mask: Mask,
    counts: [u32; SITUATIONS],
}

impl Interests {
    /// Adds what a hook always waits for.
    pub(super) fn declare(&self, hook: usize, interests: &[Interest]) {
        self.change(|table| table.count(&(hook..hook + 1), interests, Waiting::add));
    }

    /// Replaces what the hooks wait for on behalf of a workflow.
    pub(super) fn set(&self, workflow: WorkflowId, hooks: Range<usize>, interests: Vec<Interest>) {
        self.change(|table| {
            table.forget(workflow);
            table.count(&hooks, &interests, Waiting::add);
            table.workflows.insert(workflow, (hooks, interests));
        });
    }

    /// Takes over what some hooks wait for on behalf of workflows; here they stand in another place.
    pub(super) fn carry_over(&self, earlier: &Self, from: &Range<usize>, to: &Range<usize>) {
        let earlier = earlier.table.read().unwrap_or_else(PoisonError::into_inner);
        let carried = earlier.workflows.iter().filter(|(_, (hooks, _))| hooks == from);
        for (workflow, (_, interests)) in carried {
            self.set(*workflow, to.clone(), interests.clone());
        }
    }

    /// Says whether a workflow was set and not forgotten.
    pub(super) fn knows(&self, workflow: WorkflowId) -> bool {
        self.table.read().unwrap_or_else(PoisonError::into_inner).workflows.contains_key(&workflow)
    }

    /// Takes away what hooks wait for on behalf of a workflow.
    pub(super) fn forget(&self, workflow: WorkflowId) {
        self.change(|table| table.forget(workflow));
    }

    /// Says whether any hook waits for such an action.
    pub(super) fn waits_for(&self, phase: Phase, action: Action, collection: CollectionName<'_>, bound: bool) -> bool {
        let wanted = situations_of(phase, action, bound);
        if self.anywhere.load(Ordering::Acquire) & wanted == 0 {
            return false;
        }
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        table.everywhere.any & wanted != 0
            || table.collections.get(&collection).is_some_and(|waiting| waiting.any & wanted != 0)
    }

    /// The hooks that wait for such an action, in their order.
    pub(super) fn hooks(&self, phase: Phase, action: Action, collection: &CollectionRef, bound: bool) -> Vec<usize> {
        let wanted = situations_of(phase, action, bound);
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let here = table.collections.get(collection);
        let mut hooks: Vec<usize> = [Some(&table.everywhere), here]
            .into_iter()
            .flatten()
            .flat_map(|waiting| &waiting.hooks)
            .filter(|waiting| waiting.mask & wanted != 0)
            .map(|waiting| waiting.hook)
            .collect();
        hooks.sort_unstable();
        hooks.dedup();
        hooks
    }

    fn change(&self, change: impl FnOnce(&mut Table)) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut table);
        // Still within the lock, so that the last change has the last word.
        self.anywhere.store(table.anywhere.any, Ordering::Release);
    }
}

impl Table {
    fn forget(&mut self, workflow: WorkflowId) {
        if let Some((hooks, interests)) = self.workflows.remove(&workflow) {
            self.count(&hooks, &interests, Waiting::remove);
        }
    }

    fn count(&mut self, hooks: &Range<usize>, interests: &[Interest], change: fn(&mut Waiting, usize, usize)) {
        for interest in interests {
            let waiting = match &interest.collection {
                None => &mut self.everywhere,
                Some(collection) => self.collections.entry(collection.clone()).or_default(),
            };
            for action in &interest.actions {
                let situation = situation(interest.phase, *action, interest.when);
                for hook in hooks.clone() {
                    change(waiting, hook, situation);
                    change(&mut self.anywhere, hook, situation);
                }
            }
            if let Some(collection) = interest.collection.as_ref()
                && self.collections.get(collection).is_some_and(|waiting| waiting.hooks.is_empty())
            {
                self.collections.remove(collection);
            }
        }
    }
}

impl Waiting {
    fn add(&mut self, hook: usize, situation: usize) {
        let position = self.hooks.iter().position(|waiting| waiting.hook == hook).unwrap_or_else(|| {
            self.hooks.push(HookWaiting { hook, mask: 0, counts: [0; SITUATIONS] });
            self.hooks.len() - 1
        });
        let waiting = &mut self.hooks[position];
        waiting.counts[situation] += 1;
        waiting.mask |= 1 << situation;
        self.any |= 1 << situation;
    }

    fn remove(&mut self, hook: usize, situation: usize) {
        if let Some(waiting) = self.hooks.iter_mut().find(|waiting| waiting.hook == hook) {
            waiting.counts[situation] = waiting.counts[situation].saturating_sub(1);
            if waiting.counts[situation] == 0 {
                waiting.mask &= !(1 << situation);
            }
        }
        self.hooks.retain(|waiting| waiting.mask != 0);
        self.any = self.hooks.iter().fold(0, |any, waiting| any | waiting.mask);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interest(actions: &[Action], collection: Option<&str>, when: When) -> Interest {
        Interest {
            phase: Phase::After,
            actions: actions.to_vec(),
            collection: collection.map(CollectionRef::parse),
            when,
        }
    }

    fn hooks(interests: &Interests, action: Action, collection: &str, bound: bool) -> Vec<usize> {
        let collection = CollectionRef::parse(collection);
        let hooks = interests.hooks(Phase::After, action, &collection, bound);
        assert_eq!(interests.waits_for(Phase::After, action, (&collection).into(), bound), !hooks.is_empty());
        assert!(
            !interests.waits_for(Phase::Before, action, (&collection).into(), bound),
            "nobody waits before an action here"
        );
        hooks
    }

    #[test]
    fn hooks_declare_where_and_when_they_wait() {
        let interests = Interests::default();
        interests.declare(1, &[interest(&[Action::Create], None, When::Bound)]);
        interests.declare(0, &[interest(&[Action::Create, Action::Update], Some("posts"), When::Always)]);
        let check = |action, collection, bound, expected: &[usize]| {
            assert_eq!(hooks(&interests, action, collection, bound), expected, "{action:?} {collection} {bound}");
        };
        check(Action::Create, "posts", false, &[0]);
        check(Action::Create, "posts", true, &[0, 1]);
        check(Action::Create, "tags", true, &[1]);
        check(Action::Create, "tags", false, &[]);
        check(Action::Update, "posts", false, &[0]);
        check(Action::Destroy, "posts", true, &[]);
        check(Action::Create, "other:posts", false, &[]);
    }

    #[test]
    fn what_workflows_wait_for_is_carried_over() {
        let (earlier, later) = (Interests::default(), Interests::default());
        let create = || vec![interest(&[Action::Create], Some("posts"), When::Always)];
        earlier.set(WorkflowId(1), 0..1, create());
        earlier.set(WorkflowId(2), 1..3, create());
        later.carry_over(&earlier, &(1..3), &(0..2));
        assert_eq!(hooks(&later, Action::Create, "posts", false), [0, 1]);
        assert!(later.knows(WorkflowId(2)) && !later.knows(WorkflowId(1)), "the other plugin's stays behind");
        later.forget(WorkflowId(2));
        assert_eq!(hooks(&later, Action::Create, "posts", false), [0; 0]);
        assert_eq!(hooks(&earlier, Action::Create, "posts", false), [0, 1, 2], "the earlier one is as it was");
    }

    #[test]
    fn workflows_are_counted() {
        let interests = Interests::default();
        let create = || vec![interest(&[Action::Create], Some("posts"), When::Always)];
        interests.set(WorkflowId(1), 0..1, create());
        interests.set(WorkflowId(2), 0..1, create());
        interests.set(WorkflowId(2), 0..1, create());
        interests.forget(WorkflowId(1));
        assert_eq!(hooks(&interests, Action::Create, "posts", false), [0], "one of the two still waits");
        interests.set(WorkflowId(2), 0..1, vec![interest(&[Action::Update], Some("posts"), When::Always)]);
        assert_eq!(hooks(&interests, Action::Create, "posts", false), [0; 0]);
        assert_eq!(hooks(&interests, Action::Update, "posts", false), [0]);
        interests.forget(WorkflowId(2));
        interests.forget(WorkflowId(2));
        assert_eq!(hooks(&interests, Action::Update, "posts", false), [0; 0]);
        assert!(interests.table.read().expect("not poisoned").collections.is_empty(), "nothing is left behind");
    }
}
