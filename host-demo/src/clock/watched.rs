//! The collections whose records workflows wait with, and what becomes of their marks when records change.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{PoisonError, RwLock},
};

use store::{Collection, Record, RecordChange, StoreError, Tx, WorkflowClock, WorkflowId, marks::mark_key};

/// Which workflows wait with the records of which collection. Held for a lookup alone.
#[derive(Default)]
pub(super) struct Watched(RwLock<ByCollection>);

/// The fields that decide, by workflow and collection.
type ByCollection = HashMap<String, BTreeMap<WorkflowId, Vec<String>>>;

/// What becomes of the marks of one workflow.
#[derive(Default)]
struct Marks {
    set: Vec<String>,
    gone: Vec<String>,
}

impl Watched {
    pub(super) fn has(&self, collection: &str) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains_key(collection)
    }

    /// Watches what a workflow waits with, too.
    pub(super) fn add(&self, clock: &WorkflowClock) {
        note(&mut self.0.write().unwrap_or_else(PoisonError::into_inner), clock);
    }

    /// Watches for these alone. At no moment is less watched than before and after: a date that is set meanwhile would be missed.
    pub(super) fn replace(&self, clocks: &[WorkflowClock]) {
        let mut watched = ByCollection::new();
        clocks.iter().for_each(|clock| note(&mut watched, clock));
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = watched;
    }

    /// Marks the records whose dates have changed, and forgets those that are gone. Answers whether there were any. A date that is set to
    /// a moment in the past has passed: what counts is what comes after the change.
    pub(super) async fn hear(&self, tx: &mut Tx, changes: &[RecordChange]) -> Result<bool, StoreError> {
        let mut marks: BTreeMap<WorkflowId, Marks> = BTreeMap::new();
        {
            let watched = self.0.read().unwrap_or_else(PoisonError::into_inner);
            for change in changes {
                for (workflow, fields) in watched.get(&change.collection.name).into_iter().flatten() {
                    marks.entry(*workflow).or_default().take_in(change, fields);
                }
            }
        }
        let now_ms = tx.clock_ms();
        let mut any = false;
        for (workflow, Marks { set, gone }) in marks {
            any |= !set.is_empty();
            if !gone.is_empty() {
                tx.unmark(workflow, &gone).await?;
            }
            if !set.is_empty() {
                tx.mark(workflow, &set, now_ms).await?;
            }
        }
        Ok(any)
    }
}

fn note(watched: &mut ByCollection, clock: &WorkflowClock) {
    if let Some(collection) = &clock.collection {
        watched.entry(collection.clone()).or_default().insert(clock.workflow_id, clock.fields.clone());
    }
}

impl Marks {
    fn take_in(&mut self, change: &RecordChange, fields: &[String]) {
        let key = |record: &Option<Record>| key_of(&change.collection, record.as_ref());
        let (then, now) = (key(&change.before), key(&change.after));
        let date_of = |record: &Option<Record>, field: &String| record.as_ref().and_then(|it| it.get(field)).cloned();
        let has_changed = fields.iter().any(|field| date_of(&change.before, field) != date_of(&change.after, field));
        if then != now {
            self.gone.extend(then.clone());
        }
        if then != now || has_changed {
            self.set.extend(now);
        }
    }
}

fn key_of(collection: &Collection, record: Option<&Record>) -> Option<String> {
    mark_key(collection, record?)
}

#[cfg(test)]
mod tests {
    use std::{sync::Barrier, thread};

    use super::*;

    #[test]
    fn what_is_watched_before_and_after_is_watched_all_the_time() {
        let clock = |id| WorkflowClock {
            workflow_id: WorkflowId(id),
            enabled_since_ms: 0,
            collection: Some("events".to_owned()),
            fields: vec!["from".to_owned()],
        };
        let clocks: Vec<WorkflowClock> = (0..1_000).map(clock).collect();
        let watched = Watched::default();
        let workflows = || watched.0.read().expect("not poisoned").get("events").map_or(0, BTreeMap::len);
        watched.replace(&clocks);
        let begin = Barrier::new(2);
        thread::scope(|scope| {
            let replacing = scope.spawn(|| {
                begin.wait();
                (0..100).for_each(|_| watched.replace(&clocks));
            });
            begin.wait();
            while !replacing.is_finished() {
                assert_eq!(workflows(), clocks.len());
            }
        });
        watched.replace(&[]);
        assert!(!watched.has("events"));
    }
}
