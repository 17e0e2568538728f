//! Users of a further database who may do little, and those who are thrown out.

use serde_json::json;
use store::{ConnectOptions, Find, Store, StoreError, TableState, WriteOptions};
use test_database::Database;
use tokio::{sync::oneshot, task::JoinSet};

use super::source::Source;
use crate::fixture::{code, record};

/// A user of a server, removed by [`leave`](Self::leave).
struct User<'s> {
    source: &'s Source,
    name: String,
}

impl<'s> User<'s> {
    /// Makes a user who may do this with a table.
    async fn may(source: &'s Source, rights: &str, table: &str) -> Self {
        let name = format!("user_{}", &uuid::Uuid::new_v4().simple().to_string()[..12]);
        let user = Self { source, name };
        let create = if is_postgres() {
            "CREATE ROLE ? LOGIN PASSWORD 'secret'"
        } else {
            "CREATE USER ? IDENTIFIED BY 'secret'"
        };
        user.execute(create).await;
        user.execute(&format!("GRANT {rights} ON {table} TO ?")).await;
        user
    }

    /// Carries out a statement in which the user is `?`, as the owner of the database.
    async fn execute(&self, statement: &str) {
        let name = if is_postgres() { self.name.clone() } else { format!("{}@localhost", self.name) };
        self.source.execute(statement.replace('?', &name).leak()).await;
    }

    async fn connect(&self) -> Result<Store, StoreError> {
        let owner = if is_postgres() { "postgres@" } else { "root@" };
        let url = self.source.url().replacen(owner, &format!("{}:secret@", self.name), 1);
        Store::connect(&url, &ConnectOptions::default()).await
    }

    /// Ends all connections of the user.
    async fn throw_out(&self) {
        let statement = match Database::of_this_test() {
            Database::Postgres => "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '?'",
            _ => "KILL USER ?",
        };
        self.execute(statement).await;
    }

    async fn leave(self) {
        if is_postgres() {
            self.execute("DROP OWNED BY ?").await;
        }
        self.execute(if is_postgres() { "DROP ROLE ?" } else { "DROP USER ?" }).await;
    }
}

fn is_postgres() -> bool {
    Database::of_this_test() == Database::Postgres
}

const THINGS: &str = "CREATE TABLE things (id INTEGER PRIMARY KEY, title VARCHAR(20))";

#[test_database::test_all]
async fn who_may_only_read_is_told_so() -> Result<(), StoreError> {
    let options = ConnectOptions { read_only: true, ..ConnectOptions::default() };
    let things = [THINGS, "CREATE TABLE hidden (id INTEGER PRIMARY KEY)", "INSERT INTO things VALUES (1, 'x')"];
    let source = Source::opened(&things, &options).await?;
    assert_eq!(code(source.create("things", json!({"id": 2})).await), "READ_ONLY");
    assert_eq!(source.find("things", json!({}), &[]).await?.len(), 1);
    if Database::of_this_test() == Database::Sqlite {
        return Ok(());
    }

    let user = User::may(&source, "SELECT (id)", "things").await;
    let reader = user.connect().await?;
    let things = reader.schema().collection("things")?.clone();
    assert_eq!(things.scalars().map(|field| field.name.clone()).collect::<Vec<_>>(), ["id"]);
    assert!(reader.schema().collection("hidden").is_err());
    assert_eq!(reader.read().await?.find(&Find::all(things.clone())).await?.len(), 1);
    let values = record(json!({"id": 3}));
    let created = reader
        .write(move |tx| Box::pin(async move { tx.create(&things, values, &WriteOptions::default()).await }))
        .await;
    assert_eq!(code(created), "NOT_ALLOWED");
    assert!(matches!(reader.prepare_outbox().await?, TableState::Missing(_)));
    reader.close().await;
    user.leave().await;
    Ok(())
}

#[test_database::test_all]
async fn a_connection_that_is_lost_is_a_circumstance_that_passes() -> Result<(), StoreError> {
    let source = Source::with(&[THINGS]).await;
    if Database::of_this_test() == Database::Sqlite {
        return Ok(());
    }
    let user = User::may(&source, "SELECT, INSERT", "things").await;
    let store = user.connect().await?;
    let things = store.schema().collection("things")?.clone();
    let (created, is_created) = oneshot::channel();
    let (go_on, may_go_on) = oneshot::channel();
    let mut writing = JoinSet::new();
    {
        let (store, things) = (store.clone(), things.clone());
        writing.spawn(async move {
            store
                .write(move |tx| {
                    Box::pin(async move {
                        let options = WriteOptions::default();
                        tx.create(&things, record(json!({"id": 1})), &options).await?;
                        created.send(()).expect("the test waits");
                        may_go_on.await.expect("the test goes on");
                        tx.create(&things, record(json!({"id": 2})), &options).await
                    })
                })
                .await
        });
    }
    is_created.await.expect("the first record");
    user.throw_out().await;
    go_on.send(()).expect("the writer waits");
    let lost = writing.join_next().await.expect("a writer").expect("no panic").expect_err("the connection is lost");
    assert!(lost.is_transient(), "{lost:?}");
    assert_eq!(store.read().await?.find(&Find::all(things)).await?.len(), 0);
    store.close().await;
    user.leave().await;
    Ok(())
}
