//! Moving from one kind of database to the other one: a test's turn says what the target is.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use serde_json::{Value, json};
use store::{
    Faults, NewExecution, Store, StoreError, TransferError, TransferEvent, TransferOptions, Transferred, WriteOptions,
    transfer,
};
use test_database::{Database, TestDatabase};

use crate::fixture::{Fixture, record};

/// The other kind, if there is such a server.
fn turn_to_source() -> Option<Database> {
    let target = Database::of_this_test();
    let source = match target {
        Database::Sqlite => Database::Postgres,
        Database::Postgres | Database::Mysql => Database::Sqlite,
    };
    let is_there = test_database::begin(source);
    if !is_there {
        test_database::begin(target);
    }
    is_there.then_some(target)
}

/// A source with records of all kinds, and a database without anything.
async fn pair() -> Option<(Fixture, TestDatabase)> {
    let target = TestDatabase::new();
    let kind = turn_to_source()?;
    let source = Fixture::blog().await;
    fill(&source).await;
    test_database::begin(kind);
    Some((source, target))
}

async fn fill(source: &Fixture) {
    let fields = json!([
        {"type": "string", "name": "string"}, {"type": "text", "name": "text"}, {"type": "integer", "name": "integer"},
        {"type": "bigInt", "name": "bigInt"}, {"type": "double", "name": "double"},
        {"type": "decimal", "name": "decimal", "scale": 3}, {"type": "boolean", "name": "boolean"},
        {"type": "datetime", "name": "moment"}, {"type": "dateOnly", "name": "day"}, {"type": "time", "name": "time"},
        {"type": "json", "name": "json"}, {"type": "uuid", "name": "uuid"}, {"type": "multipleSelect", "name": "list"},
    ]);
    source.collection(json!({"name": "Things", "title": "Größe", "fields": fields})).await.expect("a collection");
    let by_name = json!({"name": "countries", "autoGenId": false, "filterTargetKey": "code",
        "fields": [{"type": "string", "name": "code"}, {"type": "string", "name": "rowid"}]});
    source.collection(by_name).await.expect("a collection");
    let without_key = json!({"name": "notes", "autoGenId": false, "fields": [{"type": "text", "name": "note"}]});
    source.collection(without_key).await.expect("a collection");

    let hard = "ü\"'\\N\t\\\r\n\u{2028}{{x}}😀 %_";
    let things = [
        json!({}),
        json!({"string": hard, "text": "many lines\r\n", "integer": -2_147_483_648_i64, "bigInt": "9223372036854775807",
               "double": -0.0, "decimal": "-999999999999999.999", "boolean": true, "moment": "2026-03-29T01:00:00.001Z",
               "day": "1970-01-01", "time": "23:59:59", "json": {"deep": [null, {"\u{0}": hard}, 1e300]}, "list": ["b", "a"],
               "uuid": "67e55044-10b1-426f-9247-bb680e5fe0c8"}),
        json!({"string": "", "double": 1e300, "boolean": false, "json": "null", "list": []}),
        json!({"double": 0.1, "decimal": "0.100", "json": null, "bigInt": "-9223372036854775808"}),
    ];
    for thing in things {
        source.create("Things", thing).await.expect("a thing");
    }
    for code in ["ä", "A", "a", "", "z\t"] {
        source.create("countries", json!({"code": code, "rowid": code})).await.expect("a country");
        source.create("notes", json!({"note": code})).await.expect("a note");
        source.create("notes", json!({"note": "twice"})).await.expect("a note");
    }
    let user = source.create("users", json!({"username": "Ann", "email": "Ann@example.com"})).await.expect("a user");
    let category = json!({"title": "News", "owner": user["id"]});
    let category = source.create("categories", category).await.expect("a category");
    for number in 0..7 {
        let post = json!({"title": format!("post {number}"), "code": format!("c{number}"), "category": category["id"],
            "tags": [{"name": "one"}, {"name": "two"}], "comments": [{"content": "hm"}], "meta": {"n": number}});
        source.create("posts", post).await.expect("a post");
    }
    source.destroy("posts", json!({"title": "post 6"})).await.expect("destroyed");
    let queued = source.store.write::<_, StoreError, _>(|tx| {
        Box::pin(async move {
            let workflow = tx.create_workflow(record(json!({"type": "action"})), None).await?;
            let execution =
                |n| NewExecution::new(workflow.id, workflow.key.clone(), json!({"data": {"n": n}}), "e".into());
            tx.enqueue((0..9).map(execution).collect()).await.map(drop)
        })
    });
    queued.await.expect("queued");
}

fn options() -> TransferOptions {
    TransferOptions { batch_rows: 2, ..TransferOptions::default() }
}

async fn quietly(source: &str, target: &str, options: &TransferOptions) -> Result<Transferred, TransferError> {
    transfer(source, target, options, &mut |_| {}).await
}

/// All that a host would find. The order is none: the databases do not sort names of collections alike.
async fn contents(fixture: &Fixture) -> Vec<(String, Vec<Value>)> {
    let mut contents = Vec::new();
    for collection in fixture.store.schema().collections() {
        let mut records = fixture.find(&collection.name, json!({}), &[]).await.expect("records");
        records.sort_by_key(Value::to_string);
        contents.push((collection.name.clone(), records));
    }
    contents
}

#[test_database::test]
async fn everything_is_there_and_new_numbers_are_above() {
    let Some((source, target)) = pair().await else { return };
    for letter in ["x", "y", "z"] {
        source.create("Things", json!({"text": letter.repeat(3 << 20)})).await.expect("more than a batch holds");
    }
    let (url, before) = (source.url().to_owned(), contents(&source).await);
    let told = Mutex::new((0, 0, 0));
    let mut tell = |event: TransferEvent<'_>| {
        let mut told = told.lock().expect("one at a time");
        match event {
            TransferEvent::Read { rows, .. } => told.0 += rows,
            TransferEvent::Copied { copied, rows, .. } if copied == rows => told.1 += 1,
            TransferEvent::Verified { source, target, .. } => {
                assert_eq!(source, target);
                told.2 += target.0;
            }
            _ => {}
        }
    };
    assert_eq!(transfer(&url, target.url(), &options(), &mut tell).await.expect("moved"), Transferred::Complete);
    let (read, tables, verified) = *told.lock().expect("one at a time");
    assert!(read > 60 && tables > 20 && verified == read, "{read} {tables} {verified}");

    let moved = Fixture::on(target).await;
    assert_eq!(contents(&moved).await, before);
    let schemas = [&source, &moved].map(|fixture| fixture.store.schema());
    let collections = schemas.each_ref().map(|schema| schema.collections().cloned().collect::<Vec<_>>());
    assert_eq!(collections[0], collections[1], "in the order in which they were made");

    // The seventh post is gone, and its number is not given again.
    assert_eq!(moved.create("posts", json!({"title": "next"})).await.expect("a post")["id"], 8);
    assert_eq!(
        moved.create("countries", json!({"code": "A"})).await.map_err(|error| error.to_string()),
        Err("code already exists".into())
    );
    let taken = moved.create("users", json!({"username": "ANN"})).await;
    assert!(matches!(taken, Err(StoreError::NotUnique { .. })), "{taken:?}");
    let last = moved.find("executions", json!({}), &[]).await.expect("executions").last().expect("one")["id"].as_i64();
    let workflow = moved.store.write::<_, StoreError, _>(|tx| {
        Box::pin(async move { tx.create_workflow(record(json!({"type": "action"})), None).await })
    });
    assert!(Some(workflow.await.expect("a workflow").id.0) > last);
    let field = json!({"type": "belongsTo", "name": "author", "target": "users", "foreignKey": "authorId"});
    moved.field("posts", field).await.expect("a field");
    moved.update("posts", json!({"id": 1}), json!({"read": 7}), WriteOptions::default()).await.expect("changed");

    let again = quietly(&url, moved.url(), &options()).await.expect("nothing to do");
    assert_eq!(again, Transferred::CompleteBefore);
    source.create("tags", json!({"name": "late"})).await.expect("a tag");
    let error = quietly(&url, moved.url(), &options()).await.expect_err("it has data");
    assert!(matches!(error, TransferError::TargetHasData { .. }), "{error:?}");
}

/// Fails at one statement, and counts all.
#[derive(Default)]
struct FailAt {
    statement: usize,
    so_far: AtomicUsize,
    seen: Mutex<Option<String>>,
}

impl Faults for FailAt {
    fn fails(&self, statement: &str) -> bool {
        let fails = self.so_far.fetch_add(1, Ordering::Relaxed) + 1 == self.statement;
        if fails {
            *self.seen.lock().expect("one at a time") = Some(statement.to_owned());
        }
        fails
    }
}

#[test_database::test]
async fn it_goes_on_wherever_it_broke() {
    let Some((source, target)) = pair().await else { return };
    let before = contents(&source).await;
    let (mut broken, mut has_begun) = (Vec::new(), false);
    let mut statement = 1;
    loop {
        let faults = Arc::new(FailAt { statement, ..FailAt::default() });
        let options = TransferOptions { faults: Some(Arc::<FailAt>::clone(&faults)), ..options() };
        let outcome = quietly(source.url(), target.url(), &options).await;
        let seen = faults.seen.lock().expect("one at a time").take();
        match outcome {
            Ok(done) => {
                // Some failures do not matter, such as that of a rollback.
                if seen.is_none() {
                    assert_eq!(done, Transferred::Complete);
                    break;
                }
                panic!("complete in spite of a failure of {seen:?}");
            }
            Err(error) => {
                broken.push(seen.unwrap_or_else(|| panic!("{error:?}")));
                match Store::open(target.url()).await {
                    Err(StoreError::Invalid { code: "UNFINISHED_COPY", .. }) => {
                        // From here on each run gets one statement further than the one before.
                        statement = if has_begun { statement + 1 } else { 1 };
                        has_begun = true;
                        continue;
                    }
                    Ok(store) if !has_begun => store.close().await,
                    opened => panic!("{:?} behind {broken:#?}", opened.err()),
                }
                // All of the first ones, then further and further apart: what begins a copy is one transaction.
                statement += 1 + statement / 8;
            }
        }
    }
    assert!(has_begun && broken.len() > 20, "{broken:#?}");
    for part in ["COMMIT", "\"_transferTables\" SET"] {
        assert!(broken.iter().any(|statement| statement.contains(part)), "{part}: {broken:#?}");
    }
    assert_eq!(contents(&Fixture::on(target).await).await, before);
}

#[test_database::test]
async fn a_changed_byte_is_found_and_the_target_stays_unfinished() {
    let Some((source, target)) = pair().await else { return };
    let options = TransferOptions { faults: Some(Arc::new(AtTheEnd)), ..options() };
    quietly(source.url(), target.url(), &options).await.expect_err("it breaks in the end");
    target.execute(r#"UPDATE "Things" SET "text" = 'X' || substr("text", 2) WHERE "id" = 2"#).await;
    target.execute(r#"DELETE FROM "notes" WHERE "note" = 'twice'"#).await;
    for _ in 0..2 {
        let error = quietly(source.url(), target.url(), &TransferOptions::default()).await.expect_err("found");
        let TransferError::Different { tables } = &error else { panic!("{error:?}") };
        assert_eq!(tables, &["Things", "notes"]);
    }
    let error = Store::open(target.url()).await.err().expect("unfinished").to_string();
    assert!(error.starts_with("it is an unfinished copy of "), "{error}");
    assert!(!error.contains('@'), "no user or password: {error}");
}

/// Fails the statement that completes a copy.
struct AtTheEnd;

impl Faults for AtTheEnd {
    fn fails(&self, statement: &str) -> bool {
        statement.contains("completedAt\" =")
    }
}

#[test_database::test]
async fn a_copy_goes_on_from_the_same_unchanged_source_alone() {
    let Some((source, target)) = pair().await else { return };
    let options = TransferOptions { faults: Some(Arc::new(AtTheEnd)), ..options() };
    quietly(source.url(), target.url(), &options).await.expect_err("it breaks in the end");
    source.execute(r#"UPDATE "tags" SET "name" = 'one ' WHERE "id" = 1"#).await;
    let error = quietly(source.url(), target.url(), &TransferOptions::default()).await.expect_err("changed");
    let TransferError::OtherSource { tables, .. } = &error else { panic!("{error:?}") };
    assert_eq!(tables, &["tags"]);
    source.execute(r#"UPDATE "tags" SET "name" = 'one' WHERE "id" = 1"#).await;
    let done = quietly(source.url(), target.url(), &TransferOptions::default()).await.expect("as it was");
    assert_eq!(done, Transferred::Complete);
}

#[test_database::test]
async fn what_cannot_be_moved_is_told_before_anything_is_done() {
    let Some((source, target)) = pair().await else { return };
    let to = target.url();
    let refused = async |from: &str, to: &str| quietly(from, to, &options()).await.expect_err("refused").to_string();
    assert_eq!(refused(source.url(), source.url()).await, "the source and the target are the same database");
    assert_eq!(refused(to, source.url()).await, "there is no host's database at the source");

    let dry = TransferOptions { dry_run: true, ..options() };
    assert_eq!(quietly(source.url(), to, &dry).await.expect("looked"), Transferred::Looked);
    assert_eq!(refused(to, source.url()).await, "there is no host's database at the source", "it is as it was");

    let lease = r#"INSERT INTO "claimants" VALUES ('a', 'b', 9007199254740991)"#;
    source.execute(lease).await;
    assert!(refused(source.url(), to).await.starts_with("a host works with the source: stop it first."));
    source.execute(r#"UPDATE "claimants" SET "leaseUntil" = 1"#).await;
    source.execute(r#"INSERT INTO "_sqlx_migrations" SELECT 9999, "description", "installed_on", "success", "checksum", 0 FROM "_sqlx_migrations" WHERE "version" = 1"#).await;
    assert_eq!(refused(source.url(), to).await, "the source is of a later version of this program than this one");
    source.execute(r#"DELETE FROM "_sqlx_migrations" WHERE "version" = 9999"#).await;

    let full = Fixture::blog().await;
    full.create("tags", json!({"name": "mine"})).await.expect("a tag");
    let error = refused(source.url(), full.url()).await;
    assert!(error.starts_with("the target has data already (") && error.contains("tags"), "{error}");

    let strange = TestDatabase::new();
    if let Some(file) = store::database_file(strange.url()) {
        std::fs::write(file, "").expect("an empty file is a database");
    }
    strange.execute("CREATE TABLE bills (id INTEGER PRIMARY KEY)").await;
    let error = refused(source.url(), strange.url()).await;
    assert_eq!(error, "the target has tables that are not a host's (bills): take an empty database");

    assert_eq!(quietly(source.url(), to, &options()).await.expect("moved"), Transferred::Complete);
}
