//! Messages that are written with a change in a further database, and taken once into the main one.

use std::time::Duration;

use serde_json::json;
use store::{ConnectOptions, StoreError, TableState, WriteOptions};
use uuid::Uuid;

use super::{records::customers, source::Source};
use crate::fixture::{Fixture, code, record};

#[test_database::test_all]
async fn a_message_is_there_with_its_change_and_not_without() -> Result<(), StoreError> {
    let source = Source::with(&[customers()]).await;
    assert_eq!(source.store.prepare_outbox().await?, TableState::Ready);
    assert_eq!(source.store.prepare_outbox().await?, TableState::Ready, "once more");
    source.store.refresh_structure().await?;
    assert_eq!(source.store.schema().collections().count(), 1, "the outbox is no collection");

    let message = json!({"text": "it's \"ü😀\" \\ %", "list": [1, null]});
    let (kept, undone, later) = (Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4());
    let put = |id: Uuid, name: &'static str| {
        let (customers, message) = (source.get("customers"), message.clone());
        source.store.write(move |tx| {
            Box::pin(async move {
                tx.put_into_outbox(id, &message).await?;
                let values = json!({"name": name, "email": "the only one"});
                tx.create(&customers, record(values), &WriteOptions::default()).await
            })
        })
    };
    put(kept, "a").await?;
    assert!(put(undone, "b").await.is_err(), "the address is taken");
    let found = source.store.outbox(10, Duration::ZERO).await?;
    assert_eq!(found.iter().map(|found| (found.id, &found.message)).collect::<Vec<_>>(), [(kept, &message)]);
    assert_eq!(source.store.outbox(10, Duration::from_secs(3_600)).await?, [], "it is not that old");

    let note = json!(1);
    source.store.write(move |tx| Box::pin(async move { tx.put_into_outbox(later, &note).await })).await?;
    assert_eq!(source.store.outbox(1, Duration::ZERO).await?.len(), 1);
    assert_eq!(source.store.still_in_outbox(&[kept, undone]).await?, [kept]);
    source.store.forget_outbox(&[kept, undone]).await?;
    assert_eq!(source.store.outbox(10, Duration::ZERO).await?[0].id, later);
    Ok(())
}

#[test_database::test_all]
async fn an_outbox_that_is_not_allowed_is_not_made() -> Result<(), StoreError> {
    let options = ConnectOptions { outbox: false, ..ConnectOptions::default() };
    let source = Source::opened(&[customers()], &options).await?;
    assert!(matches!(source.store.prepare_outbox().await?, TableState::Missing(_)));
    assert!(matches!(source.store.prepare_outbox().await?, TableState::Missing(_)), "and the first try made none");
    let options = ConnectOptions { read_only: true, ..ConnectOptions::default() };
    let reader = store::Store::connect(source.url(), &options).await?;
    assert!(matches!(reader.prepare_outbox().await?, TableState::Missing(_)));
    // A table of that name that is somebody else's is left alone.
    source.execute("CREATE TABLE _workflow_outbox (id INTEGER)").await;
    let source = store::Store::connect(source.url(), &ConnectOptions::default()).await?;
    assert!(matches!(source.prepare_outbox().await?, TableState::Missing(_)));
    Ok(())
}

#[test_database::test]
async fn a_message_is_taken_once() -> Result<(), StoreError> {
    let main = Fixture::empty().await;
    let (one, other) = (Uuid::new_v4(), Uuid::new_v4());
    let take = |source: &'static str, id: Uuid| {
        main.store.write(move |tx| Box::pin(async move { tx.take_once(source, id).await }))
    };
    assert!(take("crm", one).await?);
    assert!(!take("crm", one).await?);
    assert!(take("shop", one).await?, "another source");
    assert!(take("crm", other).await?);
    let undone: Result<(), StoreError> = main
        .store
        .write(|tx| {
            Box::pin(async move {
                tx.take_once("shop", Uuid::nil()).await?;
                Err(StoreError::Closed)
            })
        })
        .await;
    assert!(undone.is_err());
    assert!(take("shop", Uuid::nil()).await?, "what was undone was not taken");

    let old = main.store.read().await?.old_receipts("crm", Duration::ZERO, 10).await?;
    assert_eq!(old.len(), 2);
    assert!(old.contains(&one) && old.contains(&other));
    let young = main.store.read().await?.old_receipts("crm", Duration::from_secs(3_600), 10).await?;
    assert!(young.is_empty());
    main.store.write(move |tx| Box::pin(async move { tx.forget_receipts("crm", &[one]).await })).await?;
    assert!(take("crm", one).await?);
    assert!(!take("shop", one).await?);

    let put = main.store.write(|tx| Box::pin(async move { tx.put_into_outbox(Uuid::nil(), &json!({})).await })).await;
    assert_eq!(code(put), "FURTHER_ONLY");
    assert_eq!(code(main.store.prepare_outbox().await), "FURTHER_ONLY");
    assert_eq!(code(main.store.refresh_structure().await), "FURTHER_ONLY");
    Ok(())
}
