//! The writer: shared transactions, failing and panicking requests, callers that go away.

use store::{Store, StoreError};

#[tokio::test]
async fn a_new_database_knows_the_built_in_collections() -> Result<(), StoreError> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = Store::open(&format!("sqlite:{}/a.db", folder.path().display())).await?;
    store.ping().await?;
    let done: Result<(), StoreError> = store.write(|_tx| Box::pin(async move { Ok(()) })).await;
    done?;
    assert_eq!(store.schema().collection("users")?.key, ["id"]);
    store.close().await;
    assert!(matches!(store.read().await, Err(StoreError::Closed)));
    Ok(())
}
