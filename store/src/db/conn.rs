//! Connections: what can be asked of one that reads, and of the one that writes.
//!
//! Statements are built with `sea-query`, so that values are bound and names are quoted; fixed statements may be written
//! as text.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
};

use sea_query::{SchemaStatementBuilder, Value, Values};
use sea_query_sqlx::{SqlxBinder, SqlxValues};
use sqlx::{AssertSqlSafe, SqlSafeStr as _, SqlStr, SqliteConnection};

use super::{
    Dialect,
    faults::FaultPoint,
    fixed::{Fixed, Rows},
    ids::Ids,
    link::Link,
    pool::Held,
    postgres,
    refusal::{further_refusal, refusal},
    row::Row,
    step::Mark,
};
use crate::{
    changes::{Change, Feed},
    clock::Clock,
    error::StoreError,
    hosts::{Hint, HostChange, Message},
    id::WorkflowId,
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

impl Conn {
    pub(super) fn new(link: Link, schema: Arc<Schema>, faults: FaultPoint) -> Self {
        Self { link, schema, faults }
    }

    /// The schema this connection works with.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// The database that statements are for.
    pub(crate) fn dialect(&self) -> Dialect {
        self.link.dialect()
    }

    /// Says whether the database is a further one: it has records and nothing else.
    pub fn is_further(&self) -> bool {
        self.schema.is_further()
    }

    /// Says whether other transactions may write while this one does.
    pub(crate) fn has_rivals(&self) -> bool {
        self.link.has_rivals()
    }

    /// What time it is, in milliseconds since 1970, by the database's server, which is asked: for leases and outboxes. What belongs
    /// to executions and records goes by the [clock](crate::clock), which follows the server's and costs no statement.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn now_ms(&mut self) -> Result<i64, StoreError> {
        let sql = match self.dialect() {
            Dialect::Sqlite => return Ok(Clock::default().now_ms()),
            Dialect::Postgres => r#"SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS "now""#,
            Dialect::Mysql => "SELECT CAST(unix_timestamp(now(3)) * 1000 AS SIGNED) AS `now`",
        };
        let rows = self.ask(sql, []).await?;
        rows.first().map_or(Ok(0), |row| row.get("now"))
    }

    /// The largest id of a workflow, a node, an execution or a job; 0 if there is none.
    pub(crate) async fn largest_id(&mut self) -> Result<i64, StoreError> {
        let sql = r#"SELECT coalesce(max("id"), 0) AS "largest" FROM (
                       SELECT max("id") AS "id" FROM "workflows" UNION ALL SELECT max("id") FROM "flow_nodes"
                       UNION ALL SELECT max("id") FROM "executions" UNION ALL SELECT max("id") FROM "jobs") AS "ids""#;
        let rows = self.query(sql, []).await?;
        rows.first().map_or(Ok(0), |row| row.get("largest"))
    }

    /// Runs a statement and reads all its rows.
    pub(crate) async fn fetch_all(&mut self, statement: &impl SqlxBinder) -> Result<Vec<Row>, StoreError> {
        let (sql, values) = self.dialect().build(statement);
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
        sql: impl Into<Fixed>,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<Row>, StoreError> {
        let text = self.fixed(sql.into(), Rows::Read)?;
        self.rows(text.into_sql_str(), bind(values)).await
    }

    /// Runs a statement in this database's own language, whichever database it is, and reads all its rows.
    pub(crate) async fn ask(
        &mut self,
        sql: &'static str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<Row>, StoreError> {
        self.rows(sql.into_sql_str(), bind(values)).await
    }

    /// The text of a fixed statement: those are about what only the main database has, under names that may mean something else
    /// in a further one.
    fn fixed(&self, sql: Fixed, rows: Rows) -> Result<&'static str, StoreError> {
        if self.is_further() {
            return Err(StoreError::invalid("MAIN_ONLY", "only the main data source has that: others have records"));
        }
        Ok(sql.text(self.dialect(), rows))
    }

    /// The same for rows that a decision depends on: in a transaction nobody else changes them before its end. The statement
    /// is a plain `SELECT` from one table.
    pub(crate) async fn query_held(
        &mut self,
        sql: impl Into<Fixed>,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<Row>, StoreError> {
        let rows = if self.has_rivals() { Rows::Held } else { Rows::Read };
        let text = self.fixed(sql.into(), rows)?;
        self.rows(text.into_sql_str(), bind(values)).await
    }

    pub(super) fn link(&mut self) -> &mut Link {
        &mut self.link
    }

    /// Fails if it is this statement's turn to fail.
    pub(super) fn pass(&self, statement: &str) -> Result<(), StoreError> {
        self.faults.pass(statement).map_err(StoreError::Database)
    }

    async fn rows(&mut self, sql: SqlStr, values: SqlxValues) -> Result<Vec<Row>, StoreError> {
        self.faults.pass(sql.as_str()).map_err(StoreError::Database)?;
        self.link.rows(sql, values).await.map_err(|error| self.meaning(error))
    }

    /// What a refused statement means.
    fn meaning(&self, error: sqlx::Error) -> StoreError {
        if self.is_further() { further_refusal(error) } else { refusal(error) }
    }
}

/// A transaction: everything a [`Conn`] can do, and writing.
pub struct Tx {
    conn: Conn,
    /// What time it is.
    pub(crate) clock: Clock,
    pub(super) ids: Ids,
    /// SQLite's count of what other connections have committed.
    data_version: i64,
    /// What this transaction did to executions and jobs.
    changes: Vec<Change>,
    /// What is to be done once it is committed.
    afterwards: Vec<Afterwards>,
    /// What other hosts have to follow.
    pub(crate) host_changes: Vec<HostChange>,
    /// What they are told once it is committed.
    messages: Vec<Message>,
    /// How far other hosts' changes were when it began.
    host_version: i64,
    /// The workflow whose claims nobody else makes before it ends.
    pub(crate) turn: Option<WorkflowId>,
    /// Who hears of changed records.
    pub(crate) listener: Listener,
    /// What the request that is being worked on has changed in records.
    pub(crate) notes: Notes,
    /// Steps of the request that are under way, one in another.
    pub(super) depth: usize,
    /// Steps that were begun.
    pub(super) steps: u64,
}

/// Something to be done after a commit. It must not block: the next transaction waits for it.
type Afterwards = Box<dyn FnOnce() + Send + Sync>;

/// How much of what waits for the commit there is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Noted {
    changes: usize,
    afterwards: usize,
    host_changes: usize,
    messages: usize,
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
    fn new(conn: Conn, ids: Ids, clock: Clock, listener: Listener) -> Self {
        Self {
            conn,
            clock,
            ids,
            data_version: 0,
            changes: Vec::new(),
            afterwards: Vec::new(),
            host_changes: Vec::new(),
            messages: Vec::new(),
            host_version: 0,
            turn: None,
            listener,
            notes: Notes::default(),
            depth: 0,
            steps: 0,
        }
    }

    /// Makes the transaction of SQLite's writer of a fresh connection, and reads the schema.
    pub(super) async fn open_sqlite(
        connection: SqliteConnection,
        clock: Clock,
        faults: FaultPoint,
        listener: Listener,
    ) -> Result<Self, StoreError> {
        let schema = Arc::new(Schema::built_in(Dialect::Sqlite));
        let conn = Conn::new(Link::SqliteWriter(Box::new(connection)), schema, faults);
        let mut tx = Self::new(conn, Ids::Made(IdGenerator::above(0)), clock, listener);
        tx.catch_up().await?;
        Ok(tx)
    }

    /// Begins a transaction of PostgreSQL; its schema is no older than the transaction. `turn`: a workflow whose claims nobody
    /// else makes meanwhile.
    pub(super) async fn begin_postgres(
        connection: Held,
        turn: Option<WorkflowId>,
        schema: Arc<Schema>,
        clock: Clock,
        faults: FaultPoint,
        listener: Listener,
    ) -> Result<Self, StoreError> {
        let conn = Conn::new(Link::PostgresWriter { connection, broken: false }, schema, faults);
        let mut tx = Self::new(conn, Ids::Counted(0..0), clock, listener);
        match tx.begin(turn).await {
            Ok(()) => Ok(tx),
            Err(error) => {
                // It may be in a transaction.
                drop(tx.close().await);
                Err(error)
            }
        }
    }

    /// Begins a transaction of a further database on a connection that is made for it.
    pub(super) async fn begin_further(mut conn: Conn, clock: Clock, listener: Listener) -> Result<Self, StoreError> {
        let begin = conn.dialect().begin();
        conn.faults.pass(begin).map_err(StoreError::Database)?;
        match conn.link.begin(begin.into_sql_str()).await {
            Ok(_) => Ok(Self::new(conn, Ids::Nobody, clock, listener)),
            Err(error) => {
                // It may be in a transaction.
                drop(conn.link.close().await);
                Err(StoreError::Database(error))
            }
        }
    }

    async fn begin(&mut self, turn: Option<WorkflowId>) -> Result<(), StoreError> {
        self.conn.faults.pass("BEGIN").map_err(StoreError::Database)?;
        let rows = self.conn.link.begin(postgres::begin(turn)).await.map_err(refusal)?;
        self.turn = turn;
        let version: i64 = rows.last().map_or(Ok(0), |row| row.get("version"))?;
        self.host_version = rows.last().map_or(Ok(0), |row| row.get("changes"))?;
        if version == self.schema().version() { Ok(()) } else { self.reload_schema().await }
    }

    /// Commits. A transaction in which a statement was refused cannot be committed.
    pub(super) async fn commit(&mut self) -> Result<(), sqlx::Error> {
        if self.conn.link.is_broken() {
            return Err(sqlx::Error::Protocol("a statement of the transaction was refused".to_owned()));
        }
        self.control("COMMIT").await
    }

    /// Takes note of what other processes have written since the last transaction: their ids and their schema.
    pub(super) async fn catch_up(&mut self) -> Result<(), StoreError> {
        let rows = self.query("PRAGMA data_version", []).await?;
        let version = rows.first().map_or(Ok(0), |row| row.get("data_version"))?;
        if version == self.data_version {
            return Ok(());
        }
        let largest = self.largest_id().await?;
        if let Ids::Made(generator) = &mut self.ids {
            generator.rise_above(largest);
        }
        self.reload_schema().await?;
        self.data_version = version;
        Ok(())
    }

    async fn reload_schema(&mut self) -> Result<(), StoreError> {
        self.conn.schema = Arc::new(self.conn.load_schema().await?);
        Ok(())
    }

    /// Lets nobody else change the schema before the transaction ends, and takes up what others have changed.
    pub(crate) async fn hold_schema(&mut self) -> Result<(), StoreError> {
        if self.dialect() == Dialect::Sqlite && !self.is_further() {
            return Ok(());
        }
        self.run(r#"UPDATE "_schemaVersion" SET "version" = "version" + 1"#, []).await?;
        self.send(Message::Hint(Hint::Changed));
        self.reload_schema().await
    }

    /// The number of the latest change of any host when the transaction began. See [`crate::hosts`].
    pub fn host_version(&self) -> i64 {
        self.host_version
    }

    /// Tells other hosts something once the transaction is committed.
    pub(crate) fn send(&mut self, message: Message) {
        self.messages.push(message);
    }

    /// Notes what becomes true with the commit.
    pub(crate) fn note(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// Does something once the transaction is committed, and never if it is not. It must not block.
    pub fn afterwards(&mut self, work: impl FnOnce() + Send + Sync + 'static) {
        self.afterwards.push(Box::new(work));
    }

    /// Tells other hosts of everything that was noted.
    pub(super) fn send_changes(&mut self) {
        self.messages.extend(self.changes.iter().cloned().map(Message::Told));
    }

    /// How much was noted so far.
    pub(super) fn noted(&self) -> Noted {
        Noted {
            changes: self.changes.len(),
            afterwards: self.afterwards.len(),
            host_changes: self.host_changes.len(),
            messages: self.messages.len(),
        }
    }

    /// Forgets what was noted after `keep`: it was undone.
    pub(super) fn forget_noted(&mut self, keep: Noted) {
        self.changes.truncate(keep.changes);
        self.afterwards.truncate(keep.afterwards);
        self.host_changes.truncate(keep.host_changes);
        self.messages.truncate(keep.messages);
    }

    /// Tells of what was noted, in order, and does what was to be done: it is committed. Answers what other hosts are told.
    pub(super) fn announce(&mut self, feed: &Feed) -> Vec<Message> {
        feed.publish(std::mem::take(&mut self.changes));
        std::mem::take(&mut self.afterwards).into_iter().for_each(|work| work());
        std::mem::take(&mut self.messages)
    }

    /// Runs a statement and answers how many rows it changed.
    pub(crate) async fn execute(&mut self, statement: &impl SqlxBinder) -> Result<u64, StoreError> {
        let (sql, values) = self.dialect().build(statement);
        self.changed(AssertSqlSafe(sql).into_sql_str(), values).await
    }

    /// Runs a fixed statement with bound values and answers how many rows it changed.
    pub(crate) async fn run(
        &mut self,
        sql: impl Into<Fixed>,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<u64, StoreError> {
        let text = self.fixed(sql.into(), Rows::Read)?;
        self.changed(text.into_sql_str(), bind(values)).await
    }

    /// Runs a statement in this database's own language, whichever database it is, and answers how many rows it changed.
    pub(crate) async fn carry_out(
        &mut self,
        sql: &'static str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<u64, StoreError> {
        self.changed(sql.into_sql_str(), bind(values)).await
    }

    /// The number that MySQL has counted for the row that was inserted last, as text.
    pub(crate) async fn counted(&mut self) -> Result<String, StoreError> {
        let rows = self.ask("SELECT CAST(last_insert_id() AS CHAR) AS `id`", []).await?;
        rows.first().map_or(Ok(String::new()), |row| row.get("id"))
    }

    /// Changes the structure of the database. Undone with everything else if the request fails.
    pub(crate) async fn define(&mut self, statement: &impl SchemaStatementBuilder) -> Result<(), StoreError> {
        let sql = self.dialect().build_schema(statement);
        self.changed(AssertSqlSafe(sql).into_sql_str(), bind([])).await.map(drop)
    }

    /// Replaces the schema for what follows in this transaction; readers see it after the commit.
    pub(crate) fn set_schema(&mut self, schema: Arc<Schema>) {
        self.conn.schema = schema;
    }

    async fn changed(&mut self, sql: SqlStr, values: SqlxValues) -> Result<u64, StoreError> {
        self.conn.faults.pass(sql.as_str()).map_err(StoreError::Database)?;
        self.conn.link.changed(sql, values).await.map_err(|error| self.conn.meaning(error))
    }

    /// Begins, marks or ends a transaction.
    pub(super) async fn control(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        self.conn.faults.pass(sql)?;
        self.conn.link.control(sql.into_sql_str()).await.map(drop)
    }

    /// Marks a step of a request, or ends it. What was refused in a step that is undone does not matter any more.
    pub(super) async fn savepoint(&mut self, mark: Mark, depth: usize) -> Result<(), sqlx::Error> {
        let sql = format!("{} step{depth}", mark.sql());
        self.conn.faults.pass(&sql)?;
        self.conn.link.control(AssertSqlSafe(sql).into_sql_str()).await?;
        if mark == Mark::Undo {
            self.conn.link.mend();
            // A lock that was taken since is given back.
            self.turn = None;
        }
        Ok(())
    }

    /// Closes the connection.
    pub(super) async fn close(self) -> Result<(), sqlx::Error> {
        self.conn.link.close().await
    }
}

fn bind(values: impl IntoIterator<Item = Value>) -> SqlxValues {
    SqlxValues(Values(values.into_iter().collect()))
}
