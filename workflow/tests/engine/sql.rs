//! `sql` through the engine.

use serde_json::{Value, json};
use store::JobStatus;
use test_database::Database;
use workflow::{OutsideOptions, Permission};

use crate::harness::{Harness, node};

async fn sql(harness: &Harness, sql: &str, data: Value) -> Result<Value, String> {
    let config = json!({"sql": sql, "variables": [{"name": "a", "value": "{{$context.data}}"}]});
    let (_, job, result) = harness.run_node(node("sql", config), json!({"data": data})).await;
    match job {
        JobStatus::Resolved => Ok(result),
        _ => Err(result["message"].as_str().unwrap_or_default().to_owned()),
    }
}

async fn harness() -> Harness {
    let outside = OutsideOptions { sql: Permission::Granted, ..OutsideOptions::default() };
    let harness = Harness::with_outside(outside).await;
    for (title, read) in [("a", 1), ("b", 20), ("c", 300)] {
        harness.post(json!({"title": title, "read": read})).await;
    }
    let user =
        json!({"collection": "users", "params": {"values": {"username": "someone", "password": "s3cret-s3cret"}}});
    assert_eq!(harness.run_node(node("create", user), json!({})).await.1, JobStatus::Resolved);
    harness
}

#[test_database::test]
async fn nothing_runs_unless_the_operator_allows_it() {
    let harness = Harness::new().await;
    let message = sql(&harness, "SELECT 1", json!(null)).await.unwrap_err();
    assert_eq!(message, "SQL nodes are not allowed here; the operator can allow them");
}

#[test_database::test]
async fn queries_answer_with_rows() {
    let harness = harness().await;
    let few = "WITH few AS (SELECT * FROM posts WHERE read < 100) SELECT";
    let (joined, listed, truth) = match Database::of_this_test() {
        Database::Sqlite => (
            format!("{few} group_concat(title, '-') AS t FROM few"),
            "SELECT p.title FROM \"posts\" p JOIN json_each(:a) w ON w.value = p.title",
            json!([{"a": 1, "b": 0}]),
        ),
        Database::Postgres | Database::Mysql => (
            format!("{few} string_agg(title, '-') AS t FROM few"),
            "SELECT p.title FROM \"posts\" p JOIN json_array_elements_text(:a::json) w ON w.value = p.title",
            json!([{"a": 1, "b": false}]),
        ),
    };
    for (text, data, want) in [
        (
            "SELECT title, read FROM posts WHERE read > :a ORDER BY read DESC",
            json!(5),
            json!([{"title": "c", "read": 300}, {"title": "b", "read": 20}]),
        ),
        ("SELECT count(*) AS n, sum(read) / 2.0 AS half FROM posts;", json!(null), json!([{"n": 3, "half": 160.5}])),
        ("SELECT count(*) AS \"aB\", count(*) AS cD FROM posts", json!(null), json!([{"aB": 3, "cD": 3}])),
        (joined.as_str(), json!(null), json!([{"t": "a-b"}])),
        (listed, json!(["b", "x"]), json!([{"title": "b"}])),
        ("SELECT title FROM posts WHERE title = :a", json!("' OR 1 = 1 --"), json!([])),
        ("SELECT :a AS a, :a IS NULL AS b", json!(true), truth),
        ("VALUES (1), (2)", json!(null), json!([{"column1": 1}, {"column1": 2}])),
        ("SELECT username FROM users WHERE username = :a", json!("someone"), json!([{"username": "someone"}])),
    ] {
        assert_eq!(sql(&harness, text, data).await, Ok(want), "{text}");
    }
}

#[test_database::test]
async fn only_one_reading_query_over_collections_runs() {
    let harness = harness().await;
    let (no_parameter, no_column) = match Database::of_this_test() {
        Database::Sqlite => ("a parameter has a name", "no such column"),
        Database::Postgres | Database::Mysql => ("the SQL cannot be read", "does not exist"),
    };
    let mut mismatches = Vec::new();
    for (text, want) in [
        ("DELETE FROM posts", "only queries are allowed"),
        ("INSERT INTO posts (title) VALUES ('x')", "only queries are allowed"),
        ("ATTACH 'other.db' AS other", "only queries are allowed"),
        ("PRAGMA query_only = 0", "only queries are allowed"),
        ("SELECT 1; SELECT 2", "one statement is expected"),
        ("", "one statement is expected"),
        ("SELECT 1) ; DELETE FROM posts; SELECT (1", "the SQL cannot be read"),
        ("SELECT * FROM sqlite_master", "there is no collection sqlite_master"),
        ("SELECT * FROM pragma_table_info('users')", "there is no collection pragma_table_info"),
        ("SELECT * FROM main.users", "there is no collection main.users"),
        ("SELECT password FROM users", no_column),
        ("SELECT u.password FROM \"users\" AS u", no_column),
        ("SELECT (WITH USERS AS (SELECT 1) SELECT 1), password FROM USERS", no_column),
        ("SELECT load_extension('x')", "the function load_extension is not allowed"),
        ("SELECT zeroblob(1000000000)", "the function zeroblob is not allowed"),
        ("SELECT ?", no_parameter),
        ("SELECT :b", "the parameter \":b\" has no value"),
        ("SELECT nosuch FROM posts", no_column),
        ("SELECT (WITH pg_authid AS (SELECT 1) SELECT 1), * FROM pg_authid", "cannot be the name"),
        ("SELECT (WITH sqlite_master AS (SELECT 1) SELECT 1), * FROM sqlite_master", "cannot be the name"),
        ("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n", "more than 1000 rows"),
        (
            "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n",
            "took longer than 5 s",
        ),
    ] {
        let Err(message) = sql(&harness, text, json!(null)).await else { panic!("{text} runs") };
        if !message.contains(want) {
            mismatches.push(format!("{text}: {message}"));
        }
    }
    assert_eq!(mismatches, Vec::<String>::new());
    assert_eq!(harness.records("posts").await.len(), 3);
    let all = sql(&harness, "SELECT * FROM users", json!(null)).await.unwrap();
    assert!(!all.to_string().contains("argon2"), "{all}");
}

#[test_database::test]
async fn values_are_bound_and_never_written_into_the_text() {
    let harness = Harness::new().await;
    let check = |sql: &str| harness.engine.check_node("sql", &json!({"sql": sql})).map_err(|error| error.to_string());
    assert_eq!(check("SELECT :a"), Ok(()));
    assert_eq!(
        check("SELECT '{{$context.data.title}}'"),
        Err("a variable cannot stand in SQL: give it a name among \"variables\" and write :name".into())
    );
}
