//! Connections: what can be asked of one that reads, and of the one that writes.
//!
//! Statements are built with `sea-query`, so that values are bound and names are quoted; fixed statements may be written
//! as text.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
};

use sea_query::{SchemaStatementBuilder, SqliteQueryBuilder, Value, Values};
use sea_query_sqlx::{SqlxBinder, SqlxValues};
use sqlx::{
    AssertSqlSafe, Connection as _, SqlSafeStr as _, SqlStr, Sqlite, SqliteConnection, pool::PoolConnection,
    sqlite::SqliteRow,
};

use super::{dialect, faults::FaultPoint, row::Row};
use crate::{
    changes::Change,
    clock::Clock,
    error::StoreError,
    id_generator::IdGenerator,
    record_changes::{Listener, Notes},
    schema::Schema,
};

/// A connection that reads.
pub struct Conn {
    link: Link,
    schema: Arc<Schema>,
    faults: FaultPoint,
}

enum Link {
    Reader(PoolConnection<Sqlite>),
    Writer(Box<SqliteConnection>),
}

impl Link {
    fn connection(&mut self) -> &mut SqliteConnection {
        match self {
            Self::Reader(connection) => connection,
            Self::Writer(connection) => connection,
        }
    }
}

impl Conn {
    pub(super) fn reader(connection: PoolConnection<Sqlite>, schema: Arc<Schema>, faults: FaultPoint) -> Self {
        Self { link: Link::Reader(connection), schema, faults }
    }

    /// The schema this connection works with.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Runs a statement and reads all its rows.
    pub(crate) async fn fetch_all(&mut self, statement: &impl SqlxBinder) -> Result<Vec<Row>, StoreError> {
        let (sql, values) = statement.build_sqlx(SqliteQueryBuilder);
        // Built by sea-query from checked names and bound values.
        self.rows(AssertSqlSafe(sql).into_sql_str(), values).await
    }

    /// Runs a statement and reads its first row.
    pub(crate) async fn fetch_optional(&mut self, statement: &impl SqlxBinder) -> Result<Option<Row>, StoreError> {
        Ok(self.fetch_all(statement).await?.into_iter().next())
    }

    /// Runs a fixed statement with bound values and reads all its rows.
    pub(crate) async fn query(
        &mut self,
        sql: &'static str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<Row>, StoreError> {
        self.rows(sql.into_sql_str(), bind(values)).await
    }

    async fn rows(&mut self, sql: SqlStr, values: SqlxValues) -> Result<Vec<Row>, StoreError> {
        self.faults.pass(sql.as_str()).map_err(StoreError::Database)?;
        let rows: Vec<SqliteRow> =
            sqlx::query_with(sql, values).fetch_all(self.link.connection()).await.map_err(dialect::refusal)?;
        Ok(rows.into_iter().map(Row::new).collect())
    }
}

/// A transaction: everything a [`Conn`] can do, and writing.
pub struct Tx {
    conn: Conn,
    clock: Clock,
    ids: IdGenerator,
    /// The database's count of what other connections have committed.
    data_version: i64,
    /// What this transaction did to executions and jobs.
    changes: Vec<Change>,
    /// What is to be done once it is committed.
    afterwards: Vec<Afterwards>,
    /// Who hears of changed records.
    pub(crate) listener: Listener,
    /// What the request that is being worked on has changed in records.
    pub(crate) notes: Notes,
}

/// Something to be done after a commit. It must not block: the next transaction waits for it.
pub(super) type Afterwards = Box<dyn FnOnce() + Send + Sync>;

/// How much of what waits for the commit there is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Noted {
    changes: usize,
    afterwards: usize,
}

impl Deref for Tx {
    type Target = Conn;
    fn deref(&self) -> &Conn {
        &self.conn
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Conn {
        &mut self.conn
    }
}

impl Tx {
    /// Makes the writer's transaction of a fresh connection, and reads the schema.
    pub(super) async fn open(
        connection: SqliteConnection,
        clock: Clock,
        faults: FaultPoint,
        listener: Listener,
    ) -> Result<Self, StoreError> {
        let schema = Arc::new(Schema::built_in());
        let conn = Conn { link: Link::Writer(Box::new(connection)), schema, faults };
        let mut tx = Self {
            conn,
            clock,
            ids: IdGenerator::above(0),
            data_version: 0,
            changes: Vec::new(),
            afterwards: Vec::new(),
            listener,
            notes: Notes::default(),
        };
        tx.catch_up().await?;
        Ok(tx)
    }

    /// Takes note of what other processes have written since the last transaction: their ids and their schema.
    pub(super) async fn catch_up(&mut self) -> Result<(), StoreError> {
        let rows = self.query("PRAGMA data_version", []).await?;
        let version = rows.first().map_or(Ok(0), |row| row.get("data_version"))?;
        if version == self.data_version {
            return Ok(());
        }
        let rows = self
            .query(
                "SELECT max(coalesce((SELECT max(id) FROM workflows), 0), coalesce((SELECT max(id) FROM flow_nodes), 0), \
                 coalesce((SELECT max(id) FROM executions), 0), coalesce((SELECT max(id) FROM jobs), 0)) AS largest",
                [],
            )
            .await?;
        let largest = rows.first().map_or(Ok(0), |row| row.get("largest"))?;
        self.ids.rise_above(largest);
        self.conn.schema = Arc::new(self.conn.load_schema().await?);
        self.data_version = version;
        Ok(())
    }

    /// Makes an id for a workflow, a node, an execution or a job: larger than every one before, below 2^53.
    pub(crate) fn next_id(&mut self) -> i64 {
        self.ids.next()
    }

    /// What time it is for what starts by the clock, in milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Notes what becomes true with the commit.
    pub(crate) fn note(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// Does something once the transaction is committed, and never if it is not. It must not block.
    pub fn afterwards(&mut self, work: impl FnOnce() + Send + Sync + 'static) {
        self.afterwards.push(Box::new(work));
    }

    /// How much was noted so far.
    pub(super) fn noted(&self) -> Noted {
        Noted { changes: self.changes.len(), afterwards: self.afterwards.len() }
    }

    /// Forgets what was noted after `keep`: it was undone.
    pub(super) fn forget_noted(&mut self, keep: Noted) {
        self.changes.truncate(keep.changes);
        self.afterwards.truncate(keep.afterwards);
    }

    /// Takes what was noted, in order.
    pub(super) fn take_noted(&mut self) -> (Vec<Change>, Vec<Afterwards>) {
        (std::mem::take(&mut self.changes), std::mem::take(&mut self.afterwards))
    }

    /// Runs a statement and answers how many rows it changed.
    pub(crate) async fn execute(&mut self, statement: &impl SqlxBinder) -> Result<u64, StoreError> {
        let (sql, values) = statement.build_sqlx(SqliteQueryBuilder);
        self.changed(AssertSqlSafe(sql).into_sql_str(), values).await
    }

    /// Runs a fixed statement with bound values and answers how many rows it changed.
    pub(crate) async fn run(
        &mut self,
        sql: &'static str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<u64, StoreError> {
        self.changed(sql.into_sql_str(), bind(values)).await
    }

    /// Changes the structure of the database. Undone with everything else if the request fails.
    pub(crate) async fn define(&mut self, statement: &impl SchemaStatementBuilder) -> Result<(), StoreError> {
        let sql = statement.build(SqliteQueryBuilder);
        self.changed(AssertSqlSafe(sql).into_sql_str(), bind([])).await.map(drop)
    }

    /// Replaces the schema for what follows in this transaction; readers see it after the commit.
    pub(crate) fn set_schema(&mut self, schema: Arc<Schema>) {
        self.conn.schema = schema;
    }

    async fn changed(&mut self, sql: SqlStr, values: SqlxValues) -> Result<u64, StoreError> {
        self.conn.faults.pass(sql.as_str()).map_err(StoreError::Database)?;
        let done = sqlx::query_with::<Sqlite, _>(sql, values)
            .execute(self.conn.link.connection())
            .await
            .map_err(dialect::refusal)?;
        Ok(done.rows_affected())
    }

    /// Begins, marks or ends a transaction.
    pub(super) async fn control(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        self.conn.faults.pass(sql)?;
        sqlx::query(sql).execute(self.conn.link.connection()).await.map(drop)
    }

    /// Brings the log into the database's file and closes the connection.
    pub(super) async fn close(mut self) -> Result<(), sqlx::Error> {
        self.control("PRAGMA wal_checkpoint(TRUNCATE)").await?;
        match self.conn.link {
            Link::Reader(connection) => connection.close().await,
            Link::Writer(connection) => connection.close().await,
        }
    }
}

fn bind(values: impl IntoIterator<Item = Value>) -> SqlxValues {
    SqlxValues(Values(values.into_iter().collect()))
}
