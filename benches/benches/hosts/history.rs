//! What it takes to get rid of history: deleting it, and dropping the partition that it is in.

use std::time::Instant;

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use store::Store;
use test_database::TestDatabase;

const PARTITIONS: &str = include_str!("../../../docs/partitions.sql");
/// Executions, of two jobs each.
const EXECUTIONS: i64 = 200_000;

/// Fills two partitions, deletes what is in one, and drops the other.
pub(crate) async fn report() {
    let database = TestDatabase::new();
    // Makes the tables.
    Store::open(database.url()).await.expect("the database opens").close().await;
    let mut connection = PgConnection::connect(database.url()).await.expect("the database opens");
    connection.execute(PARTITIONS).await.expect("the partitions");
    let deleted = fill(&mut connection).await;
    fill(&mut connection).await;
    connection.execute(r#"SELECT "_beginPartition"()"#).await.expect("a partition");
    connection.execute("VACUUM ANALYZE").await.expect("the tables are looked through");
    let delete = format!(r#"DELETE FROM "executions" WHERE "id" BETWEEN {deleted} AND {}"#, deleted + 4 * EXECUTIONS);
    let (seconds, log) = measured(&mut connection, &delete).await;
    let jobs = 2 * EXECUTIONS;
    println!("hosts/history: {EXECUTIONS} executions with {jobs} jobs deleted in {seconds:.1} s, {log:.1} MB of log");
    let (seconds, log) = measured(&mut connection, r#"SELECT * FROM "_dropPartitions"(now())"#).await;
    println!("hosts/history: as many dropped with their partition in {seconds:.1} s, {log:.1} MB of log");
    connection.close().await.expect("the connection ends");
}

/// Begins a partition and fills it; answers its first id.
async fn fill(connection: &mut PgConnection) -> i64 {
    let begun = sqlx::query_scalar(r#"SELECT "_beginPartition"()"#).fetch_one(&mut *connection).await;
    let first: i64 = begun.expect("a partition");
    let context = benches::load::context();
    let moments = "'2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'";
    let fill = format!(
        r#"INSERT INTO "executions" ("id", "workflowId", "key", "eventKey", "context", "status", "createdAt", "updatedAt")
           SELECT {first} + 4 * "number", "number" % 16, 'key', '00000000-0000-4000-8000-000000000000', '{context}', 1, {moments}
           FROM generate_series(1, {EXECUTIONS}) AS "number";
           INSERT INTO "jobs" ("id", "executionId", "nodeId", "nodeKey", "status", "result", "createdAt", "updatedAt")
           SELECT {first} + 4 * "number" + "job", {first} + 4 * "number", "job", 'abcdefghijk', 1,
                  '{{"id":1,"tag":"A title of usual length"}}', {moments}
           FROM generate_series(1, {EXECUTIONS}) AS "number", generate_series(1, 2) AS "job""#
    );
    connection.execute(AssertSqlSafe(fill)).await.expect("the history is filled");
    first
}

/// Carries out a statement: its seconds, and megabytes of log.
async fn measured(connection: &mut PgConnection, statement: &str) -> (f64, f64) {
    let (begun, from) = (Instant::now(), log_position(connection).await);
    connection.execute(AssertSqlSafe(statement.to_owned())).await.expect("the statement");
    let seconds = begun.elapsed().as_secs_f64();
    (seconds, (log_position(connection).await - from) as f64 / 1e6)
}

async fn log_position(connection: &mut PgConnection) -> i64 {
    let position = "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint";
    sqlx::query_scalar(position).fetch_one(connection).await.expect("the position of the log")
}
