//! What the listener hears of the records that a request changed.

use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use serde_json::{Value, json};
use store::{
    Cause, Collection, ExecutionId, Filter, Record, RecordChange, RecordChangeKind, RecordListener, Store, StoreError,
    Tx, WriteOptions,
};

use crate::fixture::Fixture;

/// Hears of the changes in one collection.
struct Ear {
    collection: &'static str,
    heard: Mutex<Vec<(Cause, Vec<RecordChange>)>>,
}

impl Ear {
    fn at(store: &Store, collection: &'static str) -> Arc<Self> {
        let ear = Arc::new(Self { collection, heard: Mutex::default() });
        store.listen(ear.clone());
        ear
    }

    /// What was heard of in each request since the last time: what became of records, and their titles before and after.
    fn heard(&self) -> Vec<Vec<(RecordChangeKind, Value, Value)>> {
        let title = |record: &Option<Record>| record.as_ref().map_or(Value::Null, |record| record["title"].clone());
        let heard = std::mem::take(&mut *self.heard.lock().expect("not poisoned"));
        let told = |it: &RecordChange| (it.kind, title(&it.before), title(&it.after));
        heard.iter().map(|(_, changes)| changes.iter().map(told).collect()).collect()
    }
}

impl RecordListener for Ear {
    fn listens(&self, collection: &Collection, _: RecordChangeKind) -> bool {
        collection.name == self.collection
    }

    fn hear<'t>(
        &'t self,
        _: &'t mut Tx,
        cause: Cause,
        changes: Vec<RecordChange>,
    ) -> BoxFuture<'t, Result<(), StoreError>> {
        let refused = changes.iter().any(|it| it.after.as_ref().is_some_and(|record| record["title"] == "refused"));
        self.heard.lock().expect("not poisoned").push((cause, changes));
        let answer = if refused { Err(StoreError::Unheard { who: "the ear".to_owned() }) } else { Ok(()) };
        Box::pin(async { answer })
    }
}

fn titled(title: &str) -> Record {
    Record::from_iter([("title".to_owned(), title.into())])
}

async fn posts(tx: &mut Tx, writes: &[(&str, &str)]) -> Result<(), StoreError> {
    let posts = Arc::clone(tx.schema().collection("posts")?);
    let options = WriteOptions::default();
    for (from, to) in writes {
        let found = Filter::parse(tx.schema(), &posts, &json!({"title": from}))?;
        match (*from, *to) {
            ("", title) => drop(tx.create(&posts, titled(title), &options).await?),
            (_, "") => drop(tx.destroy(&posts, &found).await?),
            (_, title) => drop(tx.update(&posts, &found, titled(title), &options).await?),
        }
    }
    Ok(())
}

async fn write(store: &Store, writes: &'static [(&'static str, &'static str)]) -> Result<(), StoreError> {
    store.write(move |tx| Box::pin(posts(tx, writes))).await
}

#[test_database::test]
async fn a_record_changes_once_in_a_request_from_what_it_was_to_what_it_is() {
    use RecordChangeKind::{Created, Destroyed, Updated};
    let fixture = Fixture::blog().await;
    let ear = Ear::at(&fixture.store, "posts");
    let check = async |writes, expected: &[(RecordChangeKind, Value, Value)]| {
        write(&fixture.store, writes).await.expect("a write");
        let expected = if expected.is_empty() { vec![] } else { vec![expected.to_vec()] };
        assert_eq!(ear.heard(), expected, "{writes:?}");
    };
    check(&[("", "a")], &[(Created, json!(null), json!("a"))]).await;
    check(&[("a", "b"), ("b", "c")], &[(Updated, json!("a"), json!("c"))]).await;
    check(&[("", "x"), ("x", "y")], &[(Created, json!(null), json!("y"))]).await;
    check(&[("", "z"), ("z", "")], &[]).await;
    let both = [(Destroyed, json!("c"), json!(null)), (Updated, json!("y"), json!("w"))];
    check(&[("c", "d"), ("y", "w"), ("d", "")], &both).await;
    check(&[("nosuch", "a")], &[]).await;
}

#[test_database::test]
async fn nobody_hears_of_what_is_taken_back_and_an_error_takes_it_back() {
    let fixture = Fixture::blog().await;
    let ear = Ear::at(&fixture.store, "posts");
    let failed = fixture
        .store
        .write(|tx| {
            Box::pin(async move {
                posts(tx, &[("", "a")]).await?;
                Err::<(), _>(StoreError::NotFound { what: "anything".to_owned() })
            })
        })
        .await;
    assert!(failed.is_err() && ear.heard().is_empty());
    let refused = write(&fixture.store, &[("", "refused")]).await.expect_err("refused");
    assert!(matches!(refused, StoreError::Unheard { .. }) && refused.is_transient());
    assert_eq!(ear.heard().len(), 1);
    write(&fixture.store, &[("refused", "found")]).await.expect("a write");
    assert_eq!(ear.heard().len(), 0, "it was not stored");
}

#[test_database::test]
async fn a_cause_holds_for_its_request() {
    let fixture = Fixture::blog().await;
    let ear = Ear::at(&fixture.store, "posts");
    let cause = Cause { stack: vec![ExecutionId(7)], context: titled("why") };
    let said = cause.clone();
    let first = fixture.store.write(|tx| {
        tx.set_cause(said);
        Box::pin(posts(tx, &[("", "a")]))
    });
    let (first, second) = tokio::join!(first, write(&fixture.store, &[("", "b")]));
    first.and(second).expect("writes");
    let causes: Vec<Cause> = ear.heard.lock().expect("not poisoned").iter().map(|(cause, _)| cause.clone()).collect();
    assert!(causes.len() == 2 && causes.contains(&cause) && causes.contains(&Cause::default()), "{causes:?}");
}
