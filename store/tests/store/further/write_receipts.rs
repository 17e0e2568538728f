//! Receipts for what is to be written once.

use std::time::Duration;

use serde_json::{Value, json};
use store::{
    ClaimedBy, ConnectOptions, ExecutionFinish, ExecutionId, ExecutionStatus, JobStatus, NewExecution, Store,
    StoreError, TableState, WriteKey, WriteOptions, WriteReceipt,
};
use test_database::TestDatabase;
use tokio::sync::oneshot;

use super::{records::customers, source::Source};
use crate::fixture::{Fixture, code, record};

fn key(run: &str) -> WriteKey {
    WriteKey::new(ExecutionId(1), "an-event", run)
}

fn receipt(result: Value) -> WriteReceipt {
    WriteReceipt { status: JobStatus::Resolved, result }
}

/// Makes a customer once under this key; answers what came of it, and whether that was known.
async fn make_once(
    store: &Store,
    key: WriteKey,
    name: &'static str,
    before_the_end: impl Future<Output = Result<(), StoreError>> + Send + 'static,
) -> Result<(Value, bool), StoreError> {
    store
        .write(move |tx| {
            Box::pin(async move {
                if let Some(known) = tx.begin_once(&key).await? {
                    assert_eq!(known.status, JobStatus::Resolved);
                    return Ok((known.result, true));
                }
                let customers = tx.schema().collection("customers")?.clone();
                let values = record(json!({"name": name, "email": "it's \"ü😀\" \\ %"}));
                let made = Value::Object(tx.create(&customers, values, &WriteOptions::default()).await?);
                tx.end_once(&key, &receipt(made.clone())).await?;
                before_the_end.await?;
                Ok((made, false))
            })
        })
        .await
}

async fn at_once() -> Result<(), StoreError> {
    Ok(())
}

/// Says whether there is a receipt, and leaves everything as it is.
async fn is_known(store: &Store, key: WriteKey) -> bool {
    let asked: Result<(), StoreError> = store
        .write(|tx| {
            Box::pin(async move {
                let known = tx.begin_once(&key).await?;
                Err(if known.is_some() { StoreError::Panicked } else { StoreError::Closed })
            })
        })
        .await;
    matches!(asked, Err(StoreError::Panicked))
}

#[test_database::test_all]
async fn a_receipt_is_there_with_its_write_and_not_without() -> Result<(), StoreError> {
    let source = Source::with(&[customers()]).await;
    assert!(!source.store.keeps_write_receipts());
    assert_eq!(source.store.prepare_write_receipts().await?, TableState::Ready);
    assert_eq!(source.store.prepare_write_receipts().await?, TableState::Ready, "once more");
    assert!(source.store.keeps_write_receipts());
    source.store.refresh_structure().await?;
    assert_eq!(source.store.schema().collections().count(), 1, "the receipts are no collection");
    assert_eq!(source.left_out(), [""; 0]);

    let (ada, known) = make_once(&source.store, key("1"), "Ada", at_once()).await?;
    assert!(!known);
    assert_eq!(make_once(&source.store, key("1"), "Ada", at_once()).await?, (ada, true));
    assert!(make_once(&source.store, key("2"), "Bob", at_once()).await.is_err(), "the address is taken");
    assert!(!is_known(&source.store, key("2")).await, "what was undone was not written");
    let others = [WriteKey::new(ExecutionId(2), "an-event", "1"), WriteKey::new(ExecutionId(1), "another", "1")];
    for other in others {
        assert!(!is_known(&source.store, other.clone()).await, "{other:?}");
    }
    assert_eq!(source.find("customers", json!({}), &[]).await?.len(), 1);
    Ok(())
}

#[test_database::test_all]
async fn of_two_at_a_time_the_later_one_waits_for_what_came_of_the_earlier() -> Result<(), StoreError> {
    for earlier_is_undone in [false, true] {
        let source = Source::with(&[customers()]).await;
        source.store.prepare_write_receipts().await?;
        // The later one is another process.
        let other = Store::connect(source.url(), &ConnectOptions::default()).await?;
        let (written, is_written) = oneshot::channel();
        let (go_on, may_go_on) = oneshot::channel();
        let earlier = make_once(&source.store, key("1"), "earlier", async move {
            written.send(()).expect("the test waits");
            may_go_on.await.expect("the test goes on");
            if earlier_is_undone { Err(StoreError::Panicked) } else { Ok(()) }
        });
        let later = async {
            is_written.await.expect("the earlier one writes");
            let later = make_once(&other, key("1"), "later", at_once());
            tokio::pin!(later);
            assert!(futures::poll!(later.as_mut()).is_pending());
            go_on.send(()).expect("the earlier one waits");
            later.await
        };
        let (earlier, later) = tokio::join!(earlier, later);
        let (later, was_known) = later?;
        assert_eq!(
            (later["name"].as_str(), was_known),
            if earlier_is_undone { (Some("later"), false) } else { (Some("earlier"), true) }
        );
        assert_eq!(earlier.is_err(), earlier_is_undone);
        assert_eq!(source.find("customers", json!({}), &[]).await?, [later]);
        other.close().await;
    }
    Ok(())
}

#[test_database::test_all]
async fn receipts_that_are_not_allowed_are_not_kept() -> Result<(), StoreError> {
    let options = ConnectOptions { outbox: false, ..ConnectOptions::default() };
    let source = Source::opened(&[customers()], &options).await?;
    assert!(matches!(source.store.prepare_write_receipts().await?, TableState::Missing(_)));
    assert!(
        matches!(source.store.prepare_write_receipts().await?, TableState::Missing(_)),
        "and the first try made none"
    );
    assert!(!source.store.keeps_write_receipts());
    let options = ConnectOptions { read_only: true, ..ConnectOptions::default() };
    let reader = Store::connect(source.url(), &options).await?;
    assert!(matches!(reader.prepare_write_receipts().await?, TableState::Missing(_)));
    // A table of that name that is somebody else's is left alone.
    source.execute("CREATE TABLE _workflow_receipts (id INTEGER)").await;
    let other = Store::connect(source.url(), &ConnectOptions::default()).await?;
    assert!(matches!(other.prepare_write_receipts().await?, TableState::Missing(_)));
    assert_eq!(other.prepare_outbox().await?, TableState::Ready, "one of them is enough for what it is for");
    Ok(())
}

#[test_database::test_all]
async fn what_is_stored_on_main_is_forgotten_in_the_background() -> Result<(), StoreError> {
    let source = Source::with(&[customers()]).await;
    source.store.prepare_write_receipts().await?;
    let keys = || (0..3).map(|number| key(&number.to_string()));
    for key in keys() {
        let noted: Result<(), StoreError> = source
            .store
            .write(|tx| {
                Box::pin(async move {
                    tx.begin_once(&key).await?;
                    tx.end_once(&key, &receipt(Value::Null)).await
                })
            })
            .await;
        noted?;
    }
    source.store.forget_write_receipts_soon(keys().take(2));
    while is_known(&source.store, key("0")).await || is_known(&source.store, key("1")).await {
        tokio::task::yield_now().await;
    }
    assert!(is_known(&source.store, key("2")).await);
    // Again, after the first time has come to its end or not.
    source.store.forget_write_receipts_soon([key("2")]);
    while is_known(&source.store, key("2")).await {
        tokio::task::yield_now().await;
    }
    Ok(())
}

#[test_database::test_all]
async fn what_ended_executions_have_left_behind_is_swept() -> Result<(), StoreError> {
    let main = Fixture::on(TestDatabase::for_main()).await;
    let workflow = json!({"title": "test", "type": "action", "enabled": true});
    let workflow =
        main.store.write(move |tx| Box::pin(async move { tx.create_workflow(record(workflow), None).await })).await?;
    let by = ClaimedBy("somebody".to_owned());
    let executions = ["ended", "running"].map(|event| NewExecution {
        claimed_by: Some(by.clone()),
        ..NewExecution::new(workflow.id, workflow.key.clone(), json!({}), event.to_owned())
    });
    let (ended, running) = main
        .store
        .write(move |tx| {
            Box::pin(async move {
                let ids = tx.enqueue(executions.to_vec()).await?;
                for id in &ids {
                    tx.claim(*id, &by).await?;
                }
                let finish = ExecutionFinish { status: ExecutionStatus::Resolved, reason: None, output: None };
                tx.finish(ids[0], finish).await?;
                Ok::<_, StoreError>((ids[0], ids[1]))
            })
        })
        .await?;
    let source = Source::with(&[customers()]).await;
    source.store.prepare_write_receipts().await?;
    let unknown = ExecutionId(4_711);
    let keys = [(ended, "ended"), (running, "running"), (ended, "of somebody else"), (unknown, "unknown")]
        .map(|(execution, event)| WriteKey::new(execution, event, "1"));
    let of_many = (0..600).map(|run| WriteKey::new(ended, "ended", &format!("many {run}"))).collect::<Vec<_>>();
    let all = keys.iter().cloned().chain(of_many).collect::<Vec<_>>();
    source
        .store
        .write(move |tx| {
            Box::pin(async move {
                for key in &all {
                    tx.begin_once(key).await?;
                    tx.end_once(key, &receipt(Value::Null)).await?;
                }
                Ok::<_, StoreError>(())
            })
        })
        .await?;
    let sweep = |older_than| source.store.sweep_write_receipts(&main.store, Duration::from_secs(older_than));
    assert_eq!(sweep(3_600).await?, 0, "they are not that old");
    assert_eq!(sweep(0).await?, 601);
    let known = async || {
        let mut known = Vec::new();
        for key in &keys {
            known.push(is_known(&source.store, key.clone()).await);
        }
        known
    };
    assert_eq!(known().await, [false, true, true, true]);
    source.execute("UPDATE \"_workflow_receipts\" SET \"createdAt\" = 0").await;
    assert_eq!(sweep(3_600).await?, 2, "of executions that nobody knows");
    assert_eq!(known().await, [false, true, false, false]);
    assert_eq!(code(main.store.sweep_write_receipts(&main.store, Duration::ZERO).await), "FURTHER_ONLY");
    assert_eq!(code(main.store.prepare_write_receipts().await), "FURTHER_ONLY");
    Ok(())
}
