//! Records of tables that others have made: read, created, changed and deleted.

use serde_json::json;
use store::{Aggregate, Aggregator, Filter, Repeated, StoreError};
use test_database::Database;

use super::source::Source;
use crate::fixture::code;

/// Customers with a number that the database counts.
pub(super) fn customers() -> &'static str {
    match Database::of_this_test() {
        Database::Sqlite => {
            "CREATE TABLE customers (id INTEGER PRIMARY KEY, name VARCHAR(40) NOT NULL, email VARCHAR(80) UNIQUE, \
             active BOOLEAN NOT NULL DEFAULT 1)"
        }
        Database::Postgres => {
            "CREATE TABLE customers (id serial PRIMARY KEY, name varchar(40) NOT NULL, email varchar(80) UNIQUE, \
             active boolean NOT NULL DEFAULT true)"
        }
        Database::Mysql => {
            "CREATE TABLE customers (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(40) NOT NULL, \
             email VARCHAR(80) UNIQUE, active BOOLEAN NOT NULL DEFAULT TRUE)"
        }
    }
}

#[test_database::test_all]
async fn records_are_created_found_changed_and_deleted() -> Result<(), StoreError> {
    let source = Source::with(&[customers()]).await;
    let ada = source.create("customers", json!({"name": "Ada", "email": "ada@example.com"})).await?;
    assert_eq!(ada, json!({"id": 1, "name": "Ada", "email": "ada@example.com", "active": true}));
    let grace = source.create("customers", json!({"name": "Grace", "active": false})).await?;
    assert_eq!(grace, json!({"id": 2, "name": "Grace", "email": null, "active": false}));
    let given = source.create("customers", json!({"id": 10, "name": "Edsger"})).await?;
    assert_eq!(given["id"], 10);

    for (filter, found) in [
        (json!({"id": 1}), vec![&ada]),
        (json!({"id.$in": [1, "2"]}), vec![&ada, &grace]),
        (json!({"active": true}), vec![&ada, &given]),
        (json!({"active.$in": [false]}), vec![&grace]),
        (json!({"email": null}), vec![&grace, &given]),
        (json!({"email.$notEmpty": true}), vec![&ada]),
        (json!({"name.$includes": "RA"}), vec![&grace]),
        (json!({"name.$startsWith": "a"}), vec![&ada]),
        (json!({"id.$gt": 1, "name.$ne": "Edsger"}), vec![&grace]),
        (json!({"name.$in": ["Ada", "Grace", "x%"]}), vec![&ada, &grace]),
    ] {
        let records = source.find("customers", filter.clone(), &[]).await?;
        assert_eq!(records.iter().collect::<Vec<_>>(), found, "{filter}");
    }

    let changed = source.update("customers", json!({"id.$gte": 2}), json!({"active": true, "name": "X"})).await?;
    assert_eq!(changed.len(), 2);
    assert_eq!(changed[0], json!({"id": 2, "name": "X", "email": null, "active": true}));
    let same = source.update("customers", json!({"id": 1}), json!({"name": "Ada"})).await?;
    assert_eq!(same, std::slice::from_ref(&ada));
    assert_eq!(source.update("customers", json!({"id": 404}), json!({"name": "Y"})).await?.len(), 0);

    let gone = source.destroy("customers", json!({"name": "X"})).await?;
    assert_eq!(gone, changed);
    assert_eq!(source.find("customers", json!({}), &[]).await?, [ada]);
    Ok(())
}

#[test_database::test_all]
async fn what_the_database_refuses_is_the_callers_mistake_and_changes_nothing() -> Result<(), StoreError> {
    let source = Source::with(&[customers()]).await;
    source.create("customers", json!({"name": "Ada", "email": "ada@example.com"})).await?;
    let again = source.create("customers", json!({"name": "Other", "email": "ada@example.com"})).await;
    assert!(matches!(&again, Err(StoreError::NotUnique { field }) if field.contains("email")), "{again:?}");
    assert_eq!(code(source.create("customers", json!({"email": "x"})).await), "REQUIRED");
    assert_eq!(code(source.update("customers", json!({"id": 1}), json!({"name": null})).await), "REQUIRED");
    assert_eq!(code(source.create("customers", json!({"name": "x".repeat(41)})).await), "INVALID_VALUE");
    assert_eq!(code(source.create("customers", json!({"name": "x", "nosuch": 1})).await), "UNKNOWN_FIELD");
    assert_eq!(source.find("customers", json!({}), &[]).await?.len(), 1);
    Ok(())
}

#[test_database::test_all]
async fn a_transaction_is_all_or_nothing_and_so_is_a_step() -> Result<(), StoreError> {
    let source = Source::with(&[customers()]).await;
    let (customers, there) = (source.get("customers"), source.get("customers"));
    let values = |name: &str, email: &str| crate::fixture::record(json!({"name": name, "email": email}));
    let (first, second, third) = (values("a", "a"), values("b", "a"), values("c", "c"));
    source
        .store
        .write(move |tx| {
            Box::pin(async move {
                tx.create(&customers, first, &Default::default()).await?;
                let refused =
                    tx.step(|tx| Box::pin(async move { tx.create(&there, second, &Default::default()).await })).await;
                assert!(matches!(refused, Err(StoreError::NotUnique { .. })), "{refused:?}");
                tx.create(&customers, third, &Default::default()).await
            })
        })
        .await?;
    let names: Vec<_> = source.find("customers", json!({}), &[]).await?.iter().map(|one| one["name"].clone()).collect();
    assert_eq!(names, ["a", "c"]);

    let customers = source.get("customers");
    let (fourth, fifth) = (values("d", "d"), values("e", "a"));
    let undone: Result<(), StoreError> = source
        .store
        .write(move |tx| {
            Box::pin(async move {
                tx.create(&customers, fourth, &Default::default()).await?;
                tx.create(&customers, fifth, &Default::default()).await.map(drop)
            })
        })
        .await;
    assert!(undone.is_err());
    assert_eq!(source.find("customers", json!({}), &[]).await?.len(), 2);
    Ok(())
}

#[test_database::test_all]
async fn numbers_add_up() -> Result<(), StoreError> {
    let source = Source::with(&[customers()]).await;
    for name in ["a", "b", "b"] {
        source.create("customers", json!({"name": name})).await?;
    }
    for (aggregator, field, repeated, made) in [
        (Aggregator::Count, None, Repeated::Counted, json!(3)),
        (Aggregator::Count, Some("name"), Repeated::Once, json!(2)),
        (Aggregator::Count, Some("email"), Repeated::Counted, json!(0)),
        (Aggregator::Sum, Some("id"), Repeated::Counted, json!(6)),
        (Aggregator::Average, Some("id"), Repeated::Counted, json!(2.0)),
        (Aggregator::Minimum, Some("name"), Repeated::Counted, json!("a")),
        (Aggregator::Maximum, Some("id"), Repeated::Counted, json!(3)),
        (Aggregator::Maximum, Some("active"), Repeated::Counted, json!(true)),
    ] {
        let aggregate = Aggregate {
            collection: source.get("customers"),
            filter: Filter::default(),
            related_to: None,
            aggregator,
            field: field.map(str::to_owned),
            repeated,
        };
        let found = source.store.read().await?.aggregate(&aggregate).await?;
        assert_eq!(found, made, "{aggregator:?} of {field:?}");
    }
    Ok(())
}

#[test_database::test_all]
async fn what_is_not_of_records_is_refused() -> Result<(), StoreError> {
    // A table that a host's main database has, too.
    let table = match Database::of_this_test() {
        Database::Sqlite | Database::Postgres => "CREATE TABLE jobs (id INTEGER PRIMARY KEY, title VARCHAR(10))",
        Database::Mysql => "CREATE TABLE jobs (id INT PRIMARY KEY, title VARCHAR(10))",
    };
    let source = Source::with(&[table]).await;
    assert_eq!(source.create("jobs", json!({"id": 1, "title": "x"})).await?["title"], "x");
    assert_eq!(source.update("jobs", json!({"id": 1}), json!({"title": "y"})).await?.len(), 1);
    let made = source
        .store
        .write(|tx| {
            Box::pin(async move { tx.create_collection(&crate::fixture::record(json!({"name": "things"}))).await })
        })
        .await;
    assert_eq!(code(made), "MAIN_ONLY");
    let removed = source.store.write(|tx| Box::pin(async move { tx.destroy_collection("jobs").await })).await;
    assert_eq!(code(removed), "MAIN_ONLY");
    source.store.ping().await?;
    assert!(!source.store.is_shared());
    Ok(())
}

#[test_database::test_all]
async fn others_write_at_the_same_time() -> Result<(), StoreError> {
    let source = Source::with(&[customers()]).await;
    let other = store::Store::connect(source.url(), &store::ConnectOptions::default()).await?;
    let create = |store: &store::Store, name: String| {
        let (store, customers) = (store.clone(), source.get("customers"));
        async move {
            let values = crate::fixture::record(json!({"name": name}));
            store
                .write(move |tx| {
                    Box::pin(async move { tx.create(&customers, values, &store::WriteOptions::default()).await })
                })
                .await
        }
    };
    let writes =
        (0..20).flat_map(|number| [create(&source.store, format!("a{number}")), create(&other, format!("b{number}"))]);
    for written in futures::future::join_all(writes).await {
        written?;
    }
    assert_eq!(source.find("customers", json!({}), &[]).await?.len(), 40);
    other.close().await;
    Ok(())
}
