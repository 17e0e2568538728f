//! What hosts on one database tell each other.

use std::time::Duration;

use serde_json::{Value, json};
use store::{
    Change, ExecutionStep, Hint, HostChange, NewExecution, Store, StoreError, WorkflowId, WorkflowRow,
    workflows::Revision,
};
use test_database::Database;
use tokio::sync::broadcast::Receiver;

use crate::fixture::{Fixture, record};

/// How often something is said again until it is heard: it takes a moment until a new host listens.
const AGAIN: Duration = Duration::from_millis(50);

async fn create(store: &Store) -> WorkflowRow {
    let values = record(json!({"type": "action"}));
    let made = store.write::<_, StoreError, _>(|tx| Box::pin(async move { tx.create_workflow(values, None).await }));
    made.await.expect("a workflow")
}

async fn enable(store: &Store, id: WorkflowId, enabled: bool) {
    let values = record(json!({ "enabled": enabled }));
    let update = store.write::<_, StoreError, _>(move |tx| {
        Box::pin(async move { tx.update_workflow(id, values, None).await.map(drop) })
    });
    update.await.expect("changed");
}

/// Says something until it is heard.
async fn until<T: Clone>(heard: &mut Receiver<T>, is_it: impl Fn(&T) -> bool, say: impl AsyncFn()) -> T {
    let mut again = tokio::time::interval(AGAIN);
    loop {
        tokio::select! {
            _ = again.tick() => say().await,
            told = heard.recv() => match told {
                Ok(told) if is_it(&told) => return told,
                told => drop(told.expect("it goes on")),
            },
        }
    }
}

#[test_database::test]
async fn changes_of_workflows_are_numbered_in_the_order_of_the_commits() -> Result<(), StoreError> {
    let fixture = Fixture::empty().await;
    let other = fixture.open_again().await;
    let before = other.host_version().await?;
    let first = create(&fixture.store).await;
    enable(&fixture.store, first.id, true).await;
    let (id, next) = (first.id, create(&fixture.store).await.id);
    // Nothing of this is stored.
    let failed = fixture.store.write(move |tx| {
        Box::pin(async move {
            tx.destroy_workflow(id).await?;
            Err::<(), _>(StoreError::NotFound { what: "anything".to_owned() })
        })
    });
    failed.await.expect_err("it fails");
    // A revision is not enabled, so nobody has to follow.
    let revise = fixture.store.write::<_, StoreError, _>(move |tx| {
        Box::pin(async move { tx.revise_workflow(id, Revision::NextVersion).await })
    });
    revise.await?;
    fixture.store.write::<_, StoreError, _>(move |tx| Box::pin(async move { tx.destroy_workflow(next).await })).await?;

    let (last, changes) = other.read().await?.host_changes(before.changes).await?;
    let changed = |id| HostChange::Workflow { id, trigger_type: "action".to_owned() };
    match Database::of_this_test() {
        Database::Sqlite => assert_eq!((last, changes), (before.changes, Vec::new()), "there is nobody to tell"),
        Database::Postgres | Database::Mysql => {
            assert_eq!(changes, [changed(first.id), changed(first.id), changed(next), changed(next)]);
            assert_eq!(last, before.changes + 4);
            assert_eq!(other.host_version().await?.changes, last);
            assert_eq!(other.read().await?.host_changes(last).await?, (last, Vec::new()));
        }
    }
    other.close().await;
    Ok(())
}

#[test_database::test]
async fn hints_are_heard_by_others_and_not_by_oneself() {
    let fixture = Fixture::empty().await;
    let other = fixture.open_again().await;
    let (Some(mut mine), Some(mut theirs)) = (fixture.store.hints(), other.hints()) else {
        return assert_eq!(Database::of_this_test(), Database::Sqlite, "a file has one host");
    };
    let hint = Hint::Queued(WorkflowId(7));
    until(&mut theirs, |heard| *heard == hint, async || fixture.store.hint(hint.clone())).await;
    // By now this host would have heard itself: the other's answer comes later.
    let answer = Hint::Queued(WorkflowId(8));
    let own = hint.clone();
    until(
        &mut mine,
        |heard| {
            assert_ne!(*heard, own);
            *heard == answer
        },
        async || other.hint(answer.clone()),
    )
    .await;
    // A changed workflow is a reason to look.
    until(&mut theirs, |heard| *heard == Hint::Changed, async || drop(create(&fixture.store).await)).await;
    other.close().await;
}

#[tokio::test]
async fn who_watches_hears_what_others_commit() {
    if !test_database::begin(Database::Postgres) {
        return;
    }
    let fixture = Fixture::empty().await;
    let other = fixture.open_again().await;
    let workflow = create(&other).await;
    let mut changes = fixture.store.changes();
    let enqueue = async || {
        let execution = NewExecution::new(workflow.id, workflow.key.clone(), Value::Null, "event".to_owned());
        let stored = other.write::<_, StoreError, _>(|tx| Box::pin(async move { tx.enqueue(vec![execution]).await }));
        stored.await.expect("stored");
    };
    let heard = until(&mut changes, |_| true, enqueue).await;
    let Change::Execution(heard) = heard else { panic!("{heard:?}") };
    assert_eq!((heard.workflow_id, heard.step), (workflow.id, ExecutionStep::Queued));
    other.close().await;
}

#[tokio::test]
async fn hosts_go_by_the_clock_of_the_server() {
    if !test_database::begin(Database::Postgres) {
        return;
    }
    const HOUR_MS: i64 = 3_600_000;
    let fixture = Fixture::empty().await;
    let wrong = fixture.open_by(store::Clock::wrong_by(HOUR_MS)).await;
    let theirs = wrong.read().await.expect("a reader").now_ms().await.expect("a moment");
    let difference = (wrong.clock().now_ms() - theirs).abs();
    assert!(difference < HOUR_MS / 2, "{difference} ms");
    wrong.close().await;
}
