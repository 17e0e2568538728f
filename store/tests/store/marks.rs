//! Marks: each moment is settled once, whoever tries, and whatever fails on the way.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use serde_json::{Value, json};
use store::{Faults, Find, Mark, NewExecution, Store, StoreError, WorkflowClock, WorkflowId, WorkflowRow};

use crate::fixture::{Fixture, record};

async fn workflow(store: &Store) -> WorkflowRow {
    let values = record(json!({"type": "schedule", "enabled": true}));
    store.write(|tx| Box::pin(async move { tx.create_workflow(values, None).await })).await.expect("a workflow")
}

async fn begin(store: &Store, row: &WorkflowRow, collection: Option<&str>, fields: &[&str]) -> Result<(), StoreError> {
    let clock = WorkflowClock {
        workflow_id: row.id,
        enabled_since_ms: row.enabled_since_ms,
        collection: collection.map(str::to_owned),
        fields: fields.iter().map(|field| (*field).to_owned()).collect(),
    };
    store.write(move |tx| Box::pin(async move { tx.begin_clock(&clock).await })).await
}

async fn due(store: &Store, but: &[WorkflowId]) -> Vec<Mark> {
    store.read().await.expect("a reader").due_marks(i64::MAX, but, 100).await.expect("marks")
}

/// What the keeper does: advances the mark and stores an execution, in one transaction.
async fn settle(store: &Store, row: &WorkflowRow, mark: Mark, now_ms: i64) -> Result<bool, StoreError> {
    let execution = NewExecution::new(row.id, row.key.clone(), json!({}), "event".to_owned());
    store
        .write(move |tx| {
            Box::pin(async move {
                let is_ours = tx.advance_mark(&mark, now_ms, 1, None).await?;
                if is_ours {
                    tx.enqueue(vec![execution]).await?;
                }
                Ok(is_ours)
            })
        })
        .await
}

async fn executions(store: &Store) -> usize {
    let collection = Arc::clone(store.schema().collection("executions").expect("it is built in"));
    store.read().await.expect("a reader").find(&Find::all(collection)).await.expect("executions").len()
}

#[test_database::test]
async fn nobody_waits_in_a_circle_whoever_changes_many() {
    let fixture = Fixture::empty().await;
    let store = &fixture.store;
    let id = workflow(store).await.id;
    let keys: Vec<String> = (0..200).map(|number| format!("key {number}")).collect();
    let backwards: Vec<String> = keys.iter().rev().cloned().collect();
    let mark = |keys: Vec<String>, settled_ms: i64| {
        store.write::<_, StoreError, _>(move |tx| Box::pin(async move { tx.mark(id, &keys, settled_ms).await }))
    };
    let unmark = |keys: Vec<String>| {
        store.write::<_, StoreError, _>(move |tx| Box::pin(async move { tx.unmark(id, &keys).await }))
    };
    let advance = || {
        store.write::<_, StoreError, _>(move |tx| {
            Box::pin(async move {
                let mut marks = tx.due_marks(i64::MAX, &[], 1_000).await?;
                marks.reverse();
                tx.hold_marks(marks.iter().map(|mark| (mark.workflow_id, mark.record_key.as_str()))).await?;
                for mark in &marks {
                    tx.advance_mark(mark, mark.settled_until_ms + 1, 1, Some(1)).await?;
                }
                Ok(())
            })
        })
    };
    for round in 0..10 {
        let (first, second, third, fourth) = tokio::join!(
            mark(keys.clone(), round),
            mark(backwards.clone(), round),
            advance(),
            unmark(backwards[..50].to_vec())
        );
        for done in [first, second, third, fourth] {
            done.expect("nobody is given up");
        }
    }
}

#[tokio::test]
async fn of_two_that_read_a_mark_one_settles_it() {
    let fixture = Fixture::empty().await;
    let row = workflow(&fixture.store).await;
    begin(&fixture.store, &row, None, &[]).await.expect("a clock");
    let mark = due(&fixture.store, &[]).await.remove(0);
    assert_eq!((mark.settled_until_ms, mark.runs, mark.record_key.as_str()), (row.enabled_since_ms, 0, ""));
    assert!(due(&fixture.store, &[row.id]).await.is_empty(), "those that are left alone");
    let now = row.enabled_since_ms + 5;
    let (first, second) =
        tokio::join!(settle(&fixture.store, &row, mark.clone(), now), settle(&fixture.store, &row, mark, now));
    assert_eq!((first.expect("the first"), second.expect("the second")), (true, false));
    assert_eq!(executions(&fixture.store).await, 1);
    assert!(due(&fixture.store, &[]).await.is_empty(), "it said never");

    // It begins anew, and is still counted.
    begin(&fixture.store, &row, None, &[]).await.expect("a clock");
    let mark = due(&fixture.store, &[]).await.remove(0);
    assert_eq!((mark.settled_until_ms, mark.runs), (now, 1));
    let id = row.id;
    fixture.store.write(move |tx| Box::pin(async move { tx.destroy_workflow(id).await })).await.expect("it is gone");
    assert!(due(&fixture.store, &[]).await.is_empty());
    let mark = |tx: &'static str| {
        fixture
            .store
            .write::<_, StoreError, _>(move |it| Box::pin(async move { it.mark(id, &[tx.to_owned()], 1).await }))
    };
    mark("1").await.expect("a workflow that is gone has no marks");
    assert!(due(&fixture.store, &[]).await.is_empty());
}

#[tokio::test]
async fn the_records_of_a_collection_are_marked_by_their_keys() {
    let fixture = Fixture::blog().await;
    let named = json!({"name": "events", "autoGenId": false, "filterTargetKey": "slug", "fields": [
        {"type": "string", "name": "slug", "primaryKey": true}, {"type": "date", "name": "from"}]});
    fixture.collection(named).await.expect("a collection");
    for (slug, from) in [("a \"b\" ü", json!("2026-01-01")), ("none", Value::Null)] {
        fixture.create("events", json!({"slug": slug, "from": from})).await.expect("a record");
    }
    let row = workflow(&fixture.store).await;
    begin(&fixture.store, &row, Some("events"), &["from"]).await.expect("a clock");
    let marks = due(&fixture.store, &[]).await;
    assert_eq!(marks.iter().map(|mark| mark.record_key.as_str()).collect::<Vec<_>>(), ["a \"b\" ü"]);
    let events = fixture.get("events");
    let key = store::marks::mark_key(&events, &record(json!({"slug": "a \"b\" ü"})));
    assert_eq!(key.as_deref(), Some("a \"b\" ü"), "a changed record finds its mark");

    for (collection, field) in [("posts_tags", "remark"), ("events", "nosuch"), ("nosuch", "from")] {
        begin(&fixture.store, &row, Some(collection), &[field]).await.expect_err("it cannot be marked");
    }
}

/// Fails the statement of this number, counted from when it is set.
#[derive(Default)]
struct FailsAt(AtomicUsize);

impl Faults for FailsAt {
    fn fails(&self, _: &str) -> bool {
        let left = self.0.load(Ordering::SeqCst);
        left > 0 && self.0.fetch_sub(1, Ordering::SeqCst) == 1
    }
}

#[tokio::test]
async fn whatever_fails_both_are_stored_or_neither() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite:{}", folder.path().join("a.db").display());
    let faults = Arc::new(FailsAt::default());
    let store = Store::open_with_faults(&url, Arc::clone(&faults) as Arc<dyn Faults>).await.expect("the store opens");
    let row = workflow(&store).await;
    begin(&store, &row, None, &[]).await.expect("a clock");
    let mark = due(&store, &[]).await.remove(0);
    for number in 1.. {
        assert!(number < 50, "it never gets through");
        faults.0.store(number, Ordering::SeqCst);
        let settled = settle(&store, &row, mark.clone(), row.enabled_since_ms + 1).await;
        faults.0.store(0, Ordering::SeqCst);
        if let Ok(is_ours) = settled {
            assert!(is_ours && number > 3, "after {number} statements");
            break;
        }
        assert_eq!(due(&store, &[]).await, std::slice::from_ref(&mark), "statement {number}");
        assert_eq!(executions(&store).await, 0, "statement {number}");
    }
    assert_eq!((executions(&store).await, due(&store, &[]).await.len()), (1, 0));
}
