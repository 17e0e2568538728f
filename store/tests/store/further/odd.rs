//! Structures that nobody would make on purpose, and those that change while they are used.

use serde_json::{Value, json};
use store::{ConnectOptions, StoreError};
use test_database::Database;

use super::source::Source;
use crate::fixture::code;

#[test_database::test_all]
async fn odd_names_are_names() -> Result<(), StoreError> {
    let source = Source::with(&[
        r#"CREATE TABLE "Order Items" ("Id" INTEGER PRIMARY KEY, "select" VARCHAR(20), "it's" VARCHAR(20), "a b" INTEGER,
           "Größe" INTEGER, "?1" VARCHAR(20), "back`tick" VARCHAR(20), "q""uote" VARCHAR(20))"#,
        r#"CREATE TABLE "group" ("order" INTEGER PRIMARY KEY, "from" INTEGER,
           FOREIGN KEY ("from") REFERENCES "Order Items" ("Id"))"#,
    ])
    .await;
    assert_eq!(source.left_out(), Vec::<String>::new());
    let values = json!({"Id": 1, "select": "DROP", "it's": "'", "a b": 2, "Größe": 3, "?1": "?", "back`tick": "`",
        "q\"uote": "\""});
    let item = source.create("Order Items", values.clone()).await?;
    assert_eq!(item, values);
    assert_eq!(source.find("Order Items", values, &[]).await?, std::slice::from_ref(&item));
    let sorted = source.find_sorted("Order Items", json!({"?1.$includes": "?"}), &[], &["-a b", "q\"uote"]).await?;
    assert_eq!(sorted, std::slice::from_ref(&item));
    source.create("group", json!({"order": 1, "from": 1})).await?;
    let group = source.find("group", json!({"Order Items.select": "DROP"}), &["Order Items"]).await?;
    assert_eq!(group[0]["Order Items"], item);
    assert_eq!(source.update("group", json!({"order": 1}), json!({"from": null})).await?[0]["from"], Value::Null);
    assert_eq!(source.destroy("Order Items", json!({"it's": "'"})).await?, [item]);
    Ok(())
}

#[test_database::test_all]
async fn what_has_no_place_is_left_out_and_said_so() -> Result<(), StoreError> {
    let source = Source::with(&[
        r#"CREATE TABLE "a.b" (id INTEGER PRIMARY KEY)"#,
        r#"CREATE TABLE "a:b" (id INTEGER PRIMARY KEY)"#,
        r#"CREATE TABLE good (id INTEGER PRIMARY KEY, "a.b" INTEGER, "$eq" INTEGER, fine INTEGER)"#,
    ])
    .await;
    let mut left_out = source.left_out();
    left_out.sort();
    assert_eq!(left_out, ["a.b", "a:b", "good.$eq", "good.a.b"]);
    assert_eq!(source.create("good", json!({"id": 1, "fine": 2})).await?, json!({"id": 1, "fine": 2}));
    Ok(())
}

#[test_database::test_all]
async fn only_the_tables_that_are_asked_for_are_taken() -> Result<(), StoreError> {
    let tables = ["CREATE TABLE one (id INTEGER PRIMARY KEY)", "CREATE TABLE two (id INTEGER PRIMARY KEY)"];
    let names = Some(vec!["two".to_owned(), "three".to_owned()]);
    let source = Source::opened(&tables, &ConnectOptions { tables: names, ..ConnectOptions::default() }).await?;
    assert_eq!(source.store.schema().collections().map(|one| one.name.clone()).collect::<Vec<_>>(), ["two"]);
    assert_eq!(source.left_out(), ["three"]);
    Ok(())
}

#[test_database::test_all]
async fn tables_without_a_key_are_read_and_views_too() -> Result<(), StoreError> {
    let source = Source::with(&[
        "CREATE TABLE log (line VARCHAR(20), at INTEGER)",
        "CREATE VIEW late AS SELECT line, at + 1 AS next FROM log WHERE at > 1",
        "CREATE TABLE keyed (code VARCHAR(20) NOT NULL UNIQUE, name VARCHAR(20))",
        "CREATE TABLE pair (a INTEGER NOT NULL, b INTEGER NOT NULL, c INTEGER, PRIMARY KEY (b, a))",
        "CREATE VIEW counts AS SELECT count(*) AS n FROM log",
        "INSERT INTO log VALUES ('a', 1), ('b', 2)",
    ])
    .await;
    let key = |name: &str| source.get(name).key.clone();
    assert_eq!((key("log"), key("late"), key("keyed")), (vec![], vec![], vec!["code".to_owned()]));
    assert_eq!(key("pair"), ["b", "a"]);
    assert_eq!(source.find_sorted("log", json!({}), &[], &["-at"]).await?[0], json!({"line": "b", "at": 2}));
    assert_eq!(source.find("late", json!({}), &[]).await?.len(), 1);
    assert_eq!(source.create("log", json!({"line": "c", "at": 3})).await?, json!({"line": "c", "at": 3}));
    assert_eq!(source.find("counts", json!({"n": 3}), &[]).await?.len(), 1);
    assert_eq!(code(source.create("counts", json!({"n": 1})).await), "NOT_ALLOWED");
    if Database::of_this_test() == Database::Mysql {
        assert_eq!(code(source.update("log", json!({"line": "c"}), json!({"at": 4})).await), "NO_KEY");
        assert_eq!(code(source.destroy("log", json!({"line": "c"})).await), "NO_KEY");
    }
    source.create("keyed", json!({"code": "x"})).await?;
    assert_eq!(source.update("keyed", json!({"code": "x"}), json!({"code": "y"})).await?[0]["code"], "y");
    source.create("pair", json!({"a": 1, "b": 2, "c": 3})).await?;
    source.create("pair", json!({"a": 1, "b": 3})).await?;
    let moved = source.update("pair", json!({"a": 1, "b": 2}), json!({"a": 5, "c": 4})).await?;
    assert_eq!(moved, [json!({"a": 5, "b": 2, "c": 4})]);
    let by_key = store::Filter::by_key(&source.get("pair"), &json!([{"a": 1, "b": 3}, {"a": 5, "b": 2}]))?;
    let pair = source.get("pair");
    let gone = source.store.write(move |tx| Box::pin(async move { tx.destroy(&pair, &by_key).await })).await?;
    assert_eq!(gone.len(), 2);
    Ok(())
}

#[test_database::test_all]
async fn what_the_database_makes_is_its_own() -> Result<(), StoreError> {
    let table = match Database::of_this_test() {
        Database::Sqlite => {
            "CREATE TABLE made (id INTEGER PRIMARY KEY, a INTEGER NOT NULL DEFAULT 5, twice INTEGER AS (a * 2) STORED)"
        }
        Database::Postgres => {
            "CREATE TABLE made (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a integer NOT NULL DEFAULT 5, \
             twice integer GENERATED ALWAYS AS (a * 2) STORED)"
        }
        Database::Mysql => {
            "CREATE TABLE made (id INT AUTO_INCREMENT PRIMARY KEY, a INT NOT NULL DEFAULT 5, \
             twice INT AS (a * 2) STORED)"
        }
    };
    let source = Source::with(&[table]).await;
    assert_eq!(source.create("made", json!({})).await?, json!({"id": 1, "a": 5, "twice": 10}));
    assert_eq!(source.create("made", json!({"a": 7, "twice": 1})).await?, json!({"id": 2, "a": 7, "twice": 14}));
    let whole = source.update("made", json!({"id": 1}), json!({"id": 9, "a": 1, "twice": 3})).await?;
    assert_eq!(whole, [json!({"id": 1, "a": 1, "twice": 2})]);
    assert_eq!(code(source.update("made", json!({"id": 1}), json!({"a": null})).await), "REQUIRED");
    Ok(())
}

#[test_database::test_all]
async fn very_many_columns() -> Result<(), StoreError> {
    let columns: Vec<String> = (0..500).map(|number| format!("c{number} INTEGER")).collect();
    let table: &'static str = format!("CREATE TABLE wide (id INTEGER PRIMARY KEY, {})", columns.join(", ")).leak();
    let source = Source::with(&[table]).await;
    let mut values = json!({"id": 1});
    for number in 0..500 {
        values[format!("c{number}")] = json!(number);
    }
    let record = source.create("wide", values.clone()).await?;
    assert_eq!(record, values);
    assert_eq!(source.find("wide", json!({"c499.$in": [499, 3]}), &[]).await?, [record]);
    Ok(())
}

#[test_database::test_all]
async fn a_structure_that_changes_is_told_and_taken_up() -> Result<(), StoreError> {
    let source = Source::with(&[
        "CREATE TABLE things (id INTEGER PRIMARY KEY, title VARCHAR(20), extra INTEGER)",
        "CREATE TABLE doomed (id INTEGER PRIMARY KEY)",
        "INSERT INTO things VALUES (1, '12', 3)",
    ])
    .await;
    let all = json!({"id": 1, "title": "12", "extra": 3});
    assert_eq!(source.find("things", json!({}), &[]).await?, [all]);
    source.execute("ALTER TABLE things DROP COLUMN extra").await;
    source.execute("DROP TABLE doomed").await;
    assert_eq!(code(source.find("things", json!({}), &[]).await), "STRUCTURE_CHANGED");
    assert_eq!(code(source.create("things", json!({"id": 2, "extra": 4})).await), "STRUCTURE_CHANGED");
    assert_eq!(code(source.find("doomed", json!({}), &[]).await), "STRUCTURE_CHANGED");
    source.store.refresh_structure().await?;
    assert_eq!(source.find("things", json!({}), &[]).await?, [json!({"id": 1, "title": "12"})]);
    assert!(source.store.schema().collection("doomed").is_err());

    let retyped = match Database::of_this_test() {
        // It cannot change a column's type.
        Database::Sqlite => return Ok(()),
        Database::Postgres => "ALTER TABLE things ALTER COLUMN title TYPE integer USING title::integer",
        Database::Mysql => "ALTER TABLE things MODIFY title INTEGER",
    };
    source.execute(retyped).await;
    match source.find("things", json!({"title": "12"}), &[]).await {
        Ok(records) => assert_eq!(records, [json!({"id": 1, "title": 12})]),
        refused => assert_eq!(code(refused), "STRUCTURE_CHANGED"),
    }
    source.store.refresh_structure().await?;
    assert_eq!(source.find("things", json!({"title": 12}), &[]).await?, [json!({"id": 1, "title": 12})]);
    Ok(())
}

#[test_database::test_all]
async fn a_database_that_is_not_there_is_said_at_once() -> Result<(), StoreError> {
    let connect = |url: String| async move { store::Store::connect(&url, &ConnectOptions::default()).await.map(drop) };
    let source = Source::with(&["CREATE TABLE things (id INTEGER PRIMARY KEY)"]).await;
    let elsewhere = match Database::of_this_test() {
        Database::Sqlite => source.url().replace("test.db", "nosuch.db"),
        Database::Postgres | Database::Mysql => source.url().replacen("/test_", "/nosuch_", 1),
    };
    assert!(matches!(connect(elsewhere).await, Err(StoreError::Database(_))));
    assert_eq!(code(connect("oracle://x".to_owned()).await), "INVALID_VALUE");
    assert_eq!(code(connect("nonsense".to_owned()).await), "INVALID_VALUE");
    source.store.close().await;
    assert!(matches!(source.find("things", json!({}), &[]).await, Err(StoreError::Closed)));
    assert!(matches!(source.create("things", json!({"id": 1})).await, Err(StoreError::Closed)));
    Ok(())
}

#[tokio::test]
async fn what_somebody_has_left_who_died_in_a_commit_is_undone() -> Result<(), StoreError> {
    use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file("busy.db")).create_if_missing(true);
    let mut other = options.connect().await.expect("a connection");
    for statement in [
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)",
        "INSERT INTO notes (text) VALUES ('kept')",
        // What does not fit into the cache is in the file before the commit.
        "PRAGMA cache_size = 5",
        "BEGIN",
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
         INSERT INTO notes (text) SELECT hex(randomblob(2000)) FROM n",
    ] {
        other.execute(statement).await.expect("the statement");
    }
    for end in ["", "-journal"] {
        std::fs::copy(file(&format!("busy.db{end}")), file(&format!("left.db{end}"))).expect("a copy");
    }
    other.close().await.expect("the end of a connection");
    let url = format!("sqlite:{}", file("left.db").display());
    let store = store::Store::connect(&url, &ConnectOptions::default()).await?;
    let notes = store.schema().collection("notes")?.clone();
    let found = store.read().await?.find(&store::Find::all(notes)).await?;
    assert_eq!(Value::from_iter(found.into_iter().map(|note| note["text"].clone())), json!(["kept"]));
    Ok(())
}
