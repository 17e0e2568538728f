//! When things were done is told by the store's clock, whatever the machine's says.

use serde_json::{Value, json};
use store::{ClaimedBy, Clock, Filter, Find, NewExecution, Record, Store, StoreError, WriteOptions};

use crate::fixture::{Fixture, record};

/// 1 May 2031, noon: long before or after the tests are run.
const START: i64 = 1_935_403_200_000;
const MINUTE: i64 = 60_000;

async fn create(store: &Store, collection: &'static str, values: Value) -> Result<Record, StoreError> {
    let values = record(values);
    store
        .write(move |tx| {
            Box::pin(async move {
                let collection = tx.schema().collection(collection)?.clone();
                tx.create(&collection, values, &WriteOptions::default()).await
            })
        })
        .await
}

#[test_database::test]
async fn records_are_stamped_by_the_stores_clock() -> Result<(), StoreError> {
    let fixture = Fixture::empty().await;
    let clock = Clock::standing_at(START);
    let store = fixture.open_by(clock.clone()).await;
    let made = create(&store, "roles", json!({"name": "editor"})).await?;
    assert_eq!((&made["createdAt"], &made["updatedAt"]), (&json!("2031-05-01T12:00:00.000Z"), &made["createdAt"]));
    clock.set(START + MINUTE);
    let changed = store
        .write(|tx| -> futures::future::BoxFuture<'_, Result<Vec<Record>, StoreError>> {
            Box::pin(async move {
                let roles = tx.schema().collection("roles")?.clone();
                let editor = Filter::by_key(&roles, &json!("editor"))?;
                tx.update(&roles, &editor, record(json!({"title": "Editor"})), &WriteOptions::default()).await
            })
        })
        .await?;
    assert_eq!(
        (&changed[0]["createdAt"], &changed[0]["updatedAt"]),
        (&json!("2031-05-01T12:00:00.000Z"), &json!("2031-05-01T12:01:00.000Z"))
    );
    store.close().await;
    Ok(())
}

#[test_database::test]
async fn executions_begin_and_run_out_of_time_by_the_stores_clock() -> Result<(), StoreError> {
    let fixture = Fixture::empty().await;
    let clock = Clock::standing_at(START);
    let store = fixture.open_by(clock.clone()).await;
    let values = record(json!({"type": "action", "enabled": true, "options": {"timeout": MINUTE}}));
    let workflow = store
        .write(|tx| -> futures::future::BoxFuture<'_, Result<_, StoreError>> {
            Box::pin(async move { tx.create_workflow(values, None).await })
        })
        .await?;
    let execution = NewExecution::new(workflow.id, workflow.key.clone(), json!({}), "event".to_owned());
    let id = store
        .write(move |tx| -> futures::future::BoxFuture<'_, Result<_, StoreError>> {
            Box::pin(async move { tx.enqueue(vec![execution]).await })
        })
        .await?[0];
    clock.set(START + MINUTE);
    let claimed = store
        .write(move |tx| -> futures::future::BoxFuture<'_, Result<_, StoreError>> {
            Box::pin(async move { tx.claim_next(workflow.id, &ClaimedBy("a host".to_owned())).await })
        })
        .await?;
    assert_eq!(claimed.map(|claimed| claimed.execution.id), Some(id));
    let executions = fixture.get("executions");
    let stored = store.read().await?.find(&Find::all(executions)).await?.remove(0);
    let moments = ["createdAt", "startedAt", "expiresAt"].map(|name| stored[name].clone());
    assert_eq!(
        moments,
        ["2031-05-01T12:00:00.000Z", "2031-05-01T12:01:00.000Z", "2031-05-01T12:02:00.000Z"].map(Value::from)
    );
    store.close().await;
    Ok(())
}
