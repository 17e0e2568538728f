//! The writer: shared transactions, failing and panicking requests, callers that go away.

use futures::FutureExt as _;
use serde_json::{Value, json};
use store::{Store, StoreError, WriteOptions};
use tokio::sync::oneshot;

use crate::fixture::{Fixture, record};

async fn add_tag(store: Store, name: &'static str) -> Result<Value, StoreError> {
    let values = record(json!({"name": name}));
    store
        .write(move |tx| {
            Box::pin(async move {
                let tags = tx.schema().collection("tags")?.clone();
                let created = tx.create(&tags, values, &WriteOptions::default()).await?;
                match name {
                    "fails" => Err(StoreError::NotFound { what: "reason".to_owned() }),
                    "panics" => panic!("a fault in the caller's code"),
                    _ => Ok(created["name"].clone()),
                }
            })
        })
        .await
}

async fn names(fixture: &Fixture) -> Vec<Value> {
    let tags = fixture.find("tags", json!({}), &[]).await.expect("tags");
    let mut names: Vec<Value> = tags.iter().map(|tag| tag["name"].clone()).collect();
    // Transactions beside each other end in any order.
    names.sort_by_key(Value::to_string);
    names
}

#[test_database::test]
async fn requests_that_fail_or_panic_disturb_no_other() {
    let blog = Fixture::blog().await;
    // Polled in this order and handed over before the writer's task runs, so they share a transaction if there is one writer.
    let results = tokio::join!(
        add_tag(blog.store.clone(), "a"),
        add_tag(blog.store.clone(), "fails"),
        add_tag(blog.store.clone(), "b"),
        add_tag(blog.store.clone(), "panics"),
        add_tag(blog.store.clone(), "c"),
    );
    assert_eq!(results.0.expect("a"), "a");
    assert!(matches!(results.1, Err(StoreError::NotFound { .. })));
    assert_eq!(results.2.expect("b"), "b");
    assert!(matches!(results.3, Err(StoreError::Panicked)));
    assert_eq!(results.4.expect("c"), "c");
    assert_eq!(names(&blog).await, ["a", "b", "c"]);
}

#[test_database::test]
async fn a_lone_request_that_fails_or_panics_leaves_nothing() {
    let blog = Fixture::blog().await;
    assert!(matches!(add_tag(blog.store.clone(), "fails").await, Err(StoreError::NotFound { .. })));
    assert!(matches!(add_tag(blog.store.clone(), "panics").await, Err(StoreError::Panicked)));
    assert_eq!(add_tag(blog.store.clone(), "d").await.expect("d"), "d");
    assert_eq!(names(&blog).await, ["d"]);
}

#[test_database::test]
async fn work_is_done_though_its_caller_has_gone() {
    let blog = Fixture::blog().await;
    let (started, is_started) = oneshot::channel();
    let (go_on, may_go_on) = oneshot::channel::<()>();
    let busy = blog.store.write(|_tx| {
        Box::pin(async move {
            started.send(()).expect("somebody waits");
            may_go_on.await.map_err(|_gone| StoreError::Closed)
        })
    });
    let callers = async {
        is_started.await.expect("the writer is busy");
        // The second request waits in the queue when its caller gives up.
        let given_up = add_tag(blog.store.clone(), "left").now_or_never();
        assert!(given_up.is_none());
        go_on.send(()).expect("the writer waits");
        add_tag(blog.store.clone(), "later").await.expect("later");
    };
    let (busy, ()) = tokio::join!(busy, callers);
    busy.expect("the first request");
    // Whatever was handed over is done by the end.
    let blog = blog.reopen().await;
    assert_eq!(names(&blog).await, ["later", "left"]);
}

#[test_database::test]
async fn hundreds_of_writers_all_get_their_own_answer() {
    let blog = Fixture::blog().await;
    let writes = (0..300).map(|number| {
        let store = blog.store.clone();
        async move {
            let values = record(json!({"read": number, "code": format!("code {}", number % 250)}));
            let result = store
                .write(move |tx| {
                    Box::pin(async move {
                        let posts = tx.schema().collection("posts")?.clone();
                        tx.create(&posts, values, &WriteOptions::default()).await
                    })
                })
                .await;
            (number, result)
        }
    });
    for (number, result) in futures::future::join_all(writes).await {
        match result {
            Ok(post) => assert_eq!(post["read"], number),
            Err(error) => {
                // Of two with the same code the one that came first is stored, which need not be the one that asked first.
                assert!(number % 250 < 50, "{number}: {error}");
                assert_eq!(error.to_string(), "code already exists");
            }
        }
    }
    assert_eq!(blog.find("posts", json!({}), &[]).await.expect("posts").len(), 250);
}

#[test_database::test]
async fn what_was_handed_over_is_stored_before_the_store_closes() {
    let blog = Fixture::blog().await;
    let (first, second, ()) = tokio::join!(add_tag(blog.store.clone(), "a"), add_tag(blog.store.clone(), "b"), async {
        blog.store.close().await;
    });
    assert!(first.is_ok() && second.is_ok());
    assert!(matches!(add_tag(blog.store.clone(), "c").await, Err(StoreError::Closed)));
    assert!(matches!(blog.store.read().await, Err(StoreError::Closed)));
    assert!(blog.store.ping().await.is_err());
    let blog = blog.reopen().await;
    assert_eq!(names(&blog).await, ["a", "b"]);
}

#[test_database::test]
async fn only_a_database_that_is_there_can_be_opened() {
    for url in ["mysql://localhost/a", "sqlite::memory:", "sqlite:", "a.db", "postgres://[/a"] {
        assert!(matches!(Store::open(url).await, Err(StoreError::Invalid { .. })), "{url}");
    }
    for url in ["sqlite:/nosuch/folder/a.db", "postgres://localhost/a?host=/nosuch/folder"] {
        assert!(matches!(Store::open(url).await, Err(StoreError::Database(_))), "{url}");
    }
}
