//! Databases for tests.
//!
//! [`macro@test`] runs an async function twice, on SQLite and on PostgreSQL; what it opens through [`TestDatabase::new`] is of the
//! kind that is its turn. Each database is the test's own and goes with it.
//!
//! The PostgreSQL server is the one that `DATABASE_URL` leads to, or one that is started for this process, in a temporary
//! folder, and ends with it, however that ends. Without either the tests on PostgreSQL say that they are left out;
//! `REQUIRE_POSTGRES=1` makes that a failure.

mod server;

use std::{
    cell::Cell,
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use tempfile::TempDir;
pub use test_database_macros::test;

thread_local! {
    static TURN: Cell<Database> = const { Cell::new(Database::Sqlite) };
}

/// A kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    /// A file.
    Sqlite,
    /// A database of a server.
    Postgres,
}

impl Database {
    /// The kind that the test on this thread is about.
    pub fn of_this_test() -> Self {
        TURN.get()
    }
}

/// Has the server that is started for this process flush what is committed, as one in earnest does: for measurements. Before anything else.
pub fn keep_what_is_committed() {
    server::IS_DURABLE.store(true, std::sync::atomic::Ordering::Relaxed);
}

/// Begins a test on a kind of database. Says whether there is one.
///
/// # Panics
///
/// Without PostgreSQL, if it is required.
pub fn begin(database: Database) -> bool {
    TURN.set(database);
    if database == Database::Sqlite {
        return true;
    }
    match server::url() {
        Ok(_) => true,
        Err(problem) => {
            let required = std::env::var("REQUIRE_POSTGRES").is_ok_and(|value| value == "1");
            assert!(!required, "PostgreSQL is required: {problem}");
            server::say_that_it_is_left_out(problem);
            false
        }
    }
}

/// The database for the data in a folder, if `TEST_DATABASE=postgres` asks for one of a server; the same at each call, until the
/// process ends.
///
/// # Panics
///
/// If it cannot be made.
pub fn chosen_for(folder: &Path) -> Option<String> {
    static MADE: Mutex<BTreeMap<PathBuf, TestDatabase>> = Mutex::new(BTreeMap::new());
    if std::env::var("TEST_DATABASE").is_ok_and(|name| name == "postgres") {
        TURN.set(Database::Postgres);
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        return Some(made.entry(folder.to_owned()).or_insert_with(TestDatabase::new).url().to_owned());
    }
    None
}

/// What a test answers with.
pub trait Verdict {
    /// Fails the test if it is a failure.
    fn verdict(self);
}

impl Verdict for () {
    fn verdict(self) {}
}

impl<E: std::fmt::Debug> Verdict for Result<(), E> {
    fn verdict(self) {
        if let Err(error) = self {
            panic!("{error:?}");
        }
    }
}

/// A new database of the kind that is this test's turn.
pub struct TestDatabase {
    url: String,
    place: Place,
}

enum Place {
    /// Removed when it is dropped.
    Folder {
        _folder: TempDir,
    },
    Server(String),
}

impl TestDatabase {
    /// Makes it.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    #[expect(clippy::new_without_default, reason = "a database is no value")]
    pub fn new() -> Self {
        match Database::of_this_test() {
            Database::Sqlite => {
                let folder = tempfile::tempdir().expect("a temporary folder");
                let url = format!("sqlite:{}", folder.path().join("test.db").display());
                Self { url, place: Place::Folder { _folder: folder } }
            }
            Database::Postgres => {
                let name = format!("test_{}", uuid::Uuid::new_v4().simple());
                let url = server::create(&name).expect("a database on the server");
                Self { url, place: Place::Server(name) }
            }
        }
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Carries out a statement on it, past the store.
    ///
    /// # Panics
    ///
    /// If it is refused.
    pub async fn execute(&self, statement: &'static str) {
        use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
        match &self.place {
            Place::Folder { .. } => {
                let options: sqlx::sqlite::SqliteConnectOptions = self.url.parse().expect("a URL");
                let mut connection = options.connect().await.expect("a connection");
                connection.execute(statement).await.expect("the statement");
                connection.close().await.expect("the end of a connection");
            }
            Place::Server(_) => {
                let options: sqlx::postgres::PgConnectOptions = self.url.parse().expect("a URL");
                let mut connection = options.connect().await.expect("a connection");
                connection.execute(statement).await.expect("the statement");
                connection.close().await.expect("the end of a connection");
            }
        }
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Place::Server(name) = &self.place
            && let Err(problem) = server::remove(name)
        {
            eprintln!("{name} is left on the server: {problem}");
        }
    }
}
