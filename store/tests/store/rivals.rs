//! Several processes on one database: what they do at the same time.

use serde_json::{Value, json};
use store::{ClaimedBy, ExecutionId, NewExecution, Store, StoreError, WorkflowRow, WriteOptions};
use test_database::Database;
use tokio::sync::oneshot;

use crate::fixture::{Fixture, record};

/// Claims that are tried at the same time.
const CLAIMS: usize = 12;

async fn workflow(store: &Store, options: Value) -> WorkflowRow {
    let values = record(json!({"type": "action", "enabled": true, "options": options}));
    let made = store.write(move |tx| Box::pin(async move { tx.create_workflow(values, None).await })).await;
    made.expect("a workflow")
}

fn execution(workflow: &WorkflowRow, context: Value) -> NewExecution {
    NewExecution {
        workflow_id: workflow.id,
        key: workflow.key.clone(),
        context,
        event_key: "event".to_owned(),
        claimed_by: None,
        waits_for: None,
        stack: Vec::new(),
        parent_job: None,
        manually: false,
    }
}

async fn enqueue(store: &Store, executions: Vec<NewExecution>) -> Vec<ExecutionId> {
    let stored = store.write(move |tx| Box::pin(async move { tx.enqueue(executions).await })).await;
    stored.expect("executions")
}

/// Claims from both stores at once; answers what was claimed.
async fn claim_from_both(stores: [&Store; 2], workflow: &WorkflowRow) -> Vec<ExecutionId> {
    let id = workflow.id;
    let claims = (0..CLAIMS).map(|number| {
        let by = ClaimedBy(format!("process {}", number % 2));
        stores[number % 2].write(move |tx| Box::pin(async move { tx.claim_next(id, &by).await }))
    });
    let claimed: Vec<Result<_, StoreError>> = futures::future::join_all(claims).await;
    claimed.into_iter().filter_map(|claim| claim.expect("an answer")).map(|claimed| claimed.execution.id).collect()
}

#[test_database::test]
async fn no_more_run_than_may_whoever_claims_them() {
    let fixture = Fixture::empty().await;
    let other = fixture.open_again().await;
    for (options, may_run) in [(json!({}), 1), (json!({"concurrency": 3}), 3)] {
        let workflow = workflow(&fixture.store, options).await;
        let ids = enqueue(&fixture.store, vec![execution(&workflow, json!({})); CLAIMS]).await;
        // One that is looked at by somebody else is left for the next turn.
        let mut claimed = Vec::new();
        while claimed.len() < may_run {
            claimed.extend(claim_from_both([&fixture.store, &other], &workflow).await);
        }
        claimed.sort_unstable();
        assert_eq!(claimed, ids[..may_run], "the oldest, and no more");
        assert_eq!(claim_from_both([&fixture.store, &other], &workflow).await, []);
    }
    other.close().await;
}

#[test_database::test]
async fn keys_let_in_as_many_as_may_run_whoever_stores_them() {
    let fixture = Fixture::empty().await;
    let other = fixture.open_again().await;
    let workflow = workflow(&fixture.store, json!({"concurrencyKey": "{{$context.data.a}}"})).await;
    let stores = [&fixture.store, &other];
    let stored = (0..CLAIMS).map(|number| {
        let key = ["x", "y", "z"][number % 3];
        enqueue(stores[number % 2], vec![execution(&workflow, json!({"data": {"a": key}}))])
    });
    futures::future::join_all(stored).await;
    let mut claimed = claim_from_both(stores, &workflow).await;
    claimed.extend(claim_from_both(stores, &workflow).await);
    assert_eq!(claimed.len(), 3, "one for each key");
    other.close().await;
}

#[test_database::test]
async fn a_schema_that_another_process_has_changed_is_taken_up_by_the_next_write() -> Result<(), StoreError> {
    let fixture = Fixture::empty().await;
    let other = fixture.open_again().await;
    for number in 0..2 {
        let name = format!("notes{number}");
        fixture.collection(json!({"name": name, "fields": [{"name": "text", "type": "string"}]})).await?;
        let field = json!({"name": "more", "type": "integer"});
        let made = name.clone();
        let create = other.write(move |tx| {
            Box::pin(async move {
                tx.create_field(&made, &record(field)).await?;
                let notes = tx.schema().collection(&made)?.clone();
                tx.create(&notes, record(json!({"text": "x", "more": 1})), &WriteOptions::default()).await
            })
        });
        assert_eq!(create.await?["more"], 1);
        assert!(other.schema().collection(&name).is_ok());
        let note = fixture.store.write(move |tx| {
            Box::pin(async move {
                let notes = tx.schema().collection(&name)?.clone();
                tx.create(&notes, record(json!({"text": "y", "more": 2})), &WriteOptions::default()).await
            })
        });
        assert_eq!(note.await?["more"], 2);
    }
    other.close().await;
    Ok(())
}

#[tokio::test]
async fn ids_of_a_workflow_rise_in_the_order_of_the_commits() {
    // One writer cannot get into this.
    if !test_database::begin(Database::Postgres) {
        return;
    }
    let fixture = Fixture::empty().await;
    let other = fixture.open_again().await;
    let workflow = workflow(&fixture.store, json!({})).await;
    let (has_begun, begun) = oneshot::channel();
    let (go_on, may_go_on) = oneshot::channel::<()>();
    let late = execution(&workflow, json!({}));
    let slow = fixture.store.write(|tx| {
        Box::pin(async move {
            // Takes ids long before it stores an execution.
            tx.reserve_job_id().await?;
            has_begun.send(()).map_err(|()| StoreError::Closed)?;
            may_go_on.await.map_err(|_gone| StoreError::Closed)?;
            tx.enqueue(vec![late]).await
        })
    });
    let fast = async {
        begun.await.expect("it has begun");
        let first = enqueue(&other, vec![execution(&workflow, json!({}))]).await;
        go_on.send(()).expect("it waits");
        first
    };
    let (second, first) = tokio::join!(slow, fast);
    assert!(first < second.expect("executions"), "the first commit has the smaller id");
    other.close().await;
}

#[tokio::test]
async fn a_store_comes_back_after_its_connections_are_gone() -> Result<(), StoreError> {
    if !test_database::begin(Database::Postgres) {
        return Ok(());
    }
    let blog = Fixture::blog().await;
    blog.create("tags", json!({"name": "before"})).await?;
    let (has_begun, begun) = oneshot::channel();
    let (go_on, may_go_on) = oneshot::channel::<()>();
    let cut_off = blog.store.write(|tx| {
        Box::pin(async move {
            let tags = tx.schema().collection("tags")?.clone();
            tx.create(&tags, record(json!({"name": "half done"})), &WriteOptions::default()).await?;
            has_begun.send(()).map_err(|()| StoreError::Closed)?;
            may_go_on.await.map_err(|_gone| StoreError::Closed)?;
            tx.create(&tags, record(json!({"name": "the rest"})), &WriteOptions::default()).await
        })
    });
    let cutter = async {
        begun.await.expect("it has begun");
        blog.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .await;
        go_on.send(()).expect("it waits");
    };
    let (cut_off, ()) = tokio::join!(cut_off, cutter);
    let error = cut_off.expect_err("the connection is gone");
    assert!(error.is_transient(), "{error:?}");
    blog.create("tags", json!({"name": "after"})).await?;
    let names: Vec<Value> = blog.find("tags", json!({}), &[]).await?.iter().map(|tag| tag["name"].clone()).collect();
    assert_eq!(names, ["before", "after"]);
    Ok(())
}

/// Waits until a transaction of this database waits for another one.
const SOMEBODY_WAITS: &str = "DO $$ BEGIN
    FOR look IN 1..6000 LOOP
        IF EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pid IN (SELECT pid FROM pg_locks WHERE database =
            (SELECT oid FROM pg_database WHERE datname = current_database()))) THEN RETURN; END IF;
        PERFORM pg_sleep(0.01);
    END LOOP;
    RAISE EXCEPTION 'nobody waits';
END $$";

/// Hears of changed records of a collection.
struct Ear {
    collection: &'static str,
    heard: std::sync::Mutex<usize>,
}

impl store::RecordListener for Ear {
    fn listens(&self, collection: &store::Collection, _: store::RecordChangeKind) -> bool {
        collection.name == self.collection
    }

    fn hear<'t>(
        &'t self,
        _: &'t mut store::Tx,
        _: store::Cause,
        changes: Vec<store::RecordChange>,
    ) -> futures::future::BoxFuture<'t, Result<(), StoreError>> {
        *self.heard.lock().expect("not poisoned") += changes.len();
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test]
async fn no_record_is_changed_without_being_heard_of() -> Result<(), StoreError> {
    let [mine, not_yet] = [json!({"title": "mine"}), json!({"title": "not yet"})];
    changes_are_heard_of("posts", "title", [mine, not_yet]).await?;
    // The same with a key of two columns.
    let link = |tag: i64, remark: &str| json!({"postId": 1, "tagId": tag, "remark": remark});
    let [mine, not_yet] = [link(1, "mine"), link(2, "not yet")];
    changes_are_heard_of("posts_tags", "remark", [mine, not_yet]).await
}

async fn change(
    tx: &mut store::Tx,
    collection: &str,
    field: &str,
    [from, to]: [&str; 2],
) -> Result<Vec<store::Record>, StoreError> {
    let changed = tx.schema().collection(collection)?.clone();
    let found = store::Filter::parse(tx.schema(), &changed, &json!({ field: from }))?;
    tx.update(&changed, &found, record(json!({ field: to })), &WriteOptions::default()).await
}

/// Changes the records whose `field` is "mine", while another process lets the second one become that.
async fn changes_are_heard_of(
    collection: &'static str,
    field: &'static str,
    records: [Value; 2],
) -> Result<(), StoreError> {
    if !test_database::begin(Database::Postgres) {
        return Ok(());
    }
    let blog = Fixture::blog().await;
    for values in records {
        blog.create(collection, values).await?;
    }
    let other = blog.open_again().await;
    let ear = std::sync::Arc::new(Ear { collection, heard: std::sync::Mutex::default() });
    other.listen(ear.clone());
    let (has_begun, begun) = oneshot::channel();
    let (go_on, may_go_on) = oneshot::channel::<()>();
    // Holds the first record, and makes the second one match.
    let first = blog.store.write(move |tx| {
        Box::pin(async move {
            for (from, to) in [("mine", "mine"), ("not yet", "mine")] {
                change(tx, collection, field, [from, to]).await?;
            }
            has_begun.send(()).map_err(|()| StoreError::Closed)?;
            may_go_on.await.map_err(|_gone| StoreError::Closed)
        })
    });
    let second = async {
        begun.await.expect("it has begun");
        other.write(move |tx| Box::pin(async move { change(tx, collection, field, ["mine", "changed"]).await })).await
    };
    let between = async {
        blog.execute(SOMEBODY_WAITS).await;
        go_on.send(()).expect("it waits");
    };
    let (first, second, ()) = tokio::join!(first, second, between);
    first?;
    let changed = second?.len();
    assert_eq!(*ear.heard.lock().expect("not poisoned"), changed, "each change of {collection} is heard of");
    other.close().await;
    Ok(())
}

#[test_database::test]
async fn accounts_are_the_same_whatever_the_case() -> Result<(), StoreError> {
    let fixture = Fixture::empty().await;
    let user = fixture.create("users", json!({"username": "Ann", "email": "Ann@Example.com"})).await?;
    for filter in
        [json!({"email": "ann@example.COM"}), json!({"username.$in": ["x", "ANN"]}), json!({"username.$gte": "aNN"})]
    {
        let found = fixture.find("users", filter.clone(), &[]).await?;
        assert_eq!(found.len(), 1, "{filter}");
        assert_eq!(found[0]["id"], user["id"]);
    }
    let taken = fixture.create("users", json!({"username": "aNN"})).await;
    assert_eq!(taken.expect_err("it is taken").to_string(), "username already exists");
    Ok(())
}
