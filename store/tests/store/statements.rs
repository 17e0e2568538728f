//! How many statements a read costs: one, and one for each appended path, however many records there are.

use std::sync::{Mutex, OnceLock};

use serde_json::{Value, json};
use store::StoreError;
use test_database::Database;
use tracing_subscriber::fmt::MakeWriter;

use crate::fixture::Fixture;

/// What all stores of this test binary log.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Log;

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOG.lock().expect("the log").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        Self
    }
}

/// The statements so far that mention a word.
fn statements_with(word: &str) -> usize {
    let log = LOG.lock().expect("the log");
    String::from_utf8_lossy(&log)
        .lines()
        .filter(|line| line.contains("summary=\"SELECT") && line.contains(word))
        .count()
}

fn listen() {
    static LISTENING: OnceLock<()> = OnceLock::new();
    LISTENING.get_or_init(|| {
        tracing_subscriber::fmt().with_env_filter("sqlx::query=debug").with_writer(Log).with_ansi(false).init();
    });
}

#[test_database::test]
async fn appends_cost_one_statement_for_each_path() -> Result<(), StoreError> {
    listen();
    let fixture = Fixture::empty().await;
    // Only this test's statements mention this name.
    let counted = match Database::of_this_test() {
        Database::Sqlite => "countedInFile",
        Database::Postgres | Database::Mysql => "countedOnServer",
    };
    fixture.collection(json!({"name": counted, "fields": [{"type": "string", "name": "title"}]})).await?;
    for (kind, name) in [("belongsTo", "parent"), ("hasMany", "children"), ("belongsToMany", "friends")] {
        let definition = json!({"type": kind, "name": name, "target": counted, "through": format!("{counted}Friends"),
            "foreignKey": if kind == "belongsToMany" { "oneId" } else { "parentId" }, "otherKey": "otherId"});
        fixture.field(counted, definition).await?;
    }
    for number in 0..30 {
        let parent = if number == 0 { Value::Null } else { json!(1) };
        let friends = if number == 0 { json!([]) } else { json!([1, number]) };
        let values = json!({"title": "x", "parent": parent, "friends": friends});
        fixture.create(counted, values).await?;
    }
    for (appends, expected) in
        [(&[][..], 1), (&["parent"], 2), (&["parent", "children", "friends"], 4), (&["friends.friends.parent"], 4)]
    {
        let before = statements_with(counted);
        let found = fixture.find(counted, json!({}), appends).await?;
        assert_eq!(found.len(), 30);
        assert_eq!(statements_with(counted) - before, expected, "{appends:?}");
    }
    Ok(())
}
