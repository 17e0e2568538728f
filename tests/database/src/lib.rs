//! Databases for tests.
//!
//! [`macro@test`] runs an async function twice, on SQLite and on PostgreSQL, [`macro@test_all`] also on MySQL; what it opens through
//! [`TestDatabase::new`] is of the kind that is its turn. Each database is the test's own and goes with it.
//!
//! The PostgreSQL server is the one that `DATABASE_URL` leads to, or one that is started for this process, in a temporary
//! folder, and ends with it, however that ends; the MySQL server that of `MYSQL_URL`, or a MariaDB likewise. Without either the
//! tests on it say that they are left out; `REQUIRE_POSTGRES=1` and `REQUIRE_MYSQL=1` make that a failure.

mod encrypted;
mod guard;
mod mysql;
mod postgres;
mod server;

use std::{
    cell::Cell,
    collections::BTreeMap,
    fmt::Display,
    io::Write as _,
    path::{Path, PathBuf},
    sync::{Mutex, Once, PoisonError},
};

pub use encrypted::EncryptedServer;
use server::Server;
use sqlx::{ConnectOptions, Connection as _, Executor};
use tempfile::TempDir;
pub use test_database_macros::{test, test_all};

thread_local! {
    static TURN: Cell<Database> = const { Cell::new(Database::Sqlite) };
}

/// A kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    /// A file.
    Sqlite,
    /// A database of a PostgreSQL server.
    Postgres,
    /// A database of a MySQL or MariaDB server, for what can be a further database only.
    Mysql,
}

impl Database {
    /// The kind that the test on this thread is about.
    pub fn of_this_test() -> Self {
        TURN.get()
    }

    /// The kind that the hosts of all tests keep their data in: a file, if `TEST_DATABASE=postgres` does not ask for another.
    pub fn of_hosts() -> Self {
        if std::env::var("TEST_DATABASE").is_ok_and(|name| name == "postgres") { Self::Postgres } else { Self::Sqlite }
    }

    /// What was found of a server of this kind. If it is nothing, the tests on it say once that they are left out.
    fn or_left_out<T, E: Display>(self, found: Result<T, E>) -> Option<T> {
        static POSTGRES: Once = Once::new();
        static MYSQL: Once = Once::new();
        let (name, required, said) = match self {
            Self::Sqlite => return found.ok(),
            Self::Postgres => ("PostgreSQL", "REQUIRE_POSTGRES", &POSTGRES),
            Self::Mysql => ("MySQL", "REQUIRE_MYSQL", &MYSQL),
        };
        let problem = match found {
            Ok(found) => return Some(found),
            Err(problem) => problem,
        };
        let required = std::env::var(required).is_ok_and(|value| value == "1");
        assert!(!required, "{name} is required: {problem}");
        // Once, past the test harness, which shows only what failing tests print. Nobody may be listening.
        said.call_once(|| drop(writeln!(std::io::stdout(), "{name} is left out: {problem}")));
        None
    }
}

/// Has the server that is started for this process flush what is committed, as one in earnest does: for measurements. Before anything else.
pub fn keep_what_is_committed() {
    postgres::IS_DURABLE.store(true, std::sync::atomic::Ordering::Relaxed);
}

/// Begins a test on a kind of database. Says whether there is one.
///
/// # Panics
///
/// Without its server, if that is required.
pub fn begin(database: Database) -> bool {
    TURN.set(database);
    let server = match database {
        Database::Sqlite => return true,
        Database::Postgres => postgres::server(),
        Database::Mysql => mysql::server(),
    };
    database.or_left_out(server).is_some()
}

/// The database for the data in a folder, if [hosts](Database::of_hosts) are to keep theirs on a server; the same at each call,
/// until the process ends.
///
/// # Panics
///
/// If it cannot be made.
pub fn chosen_for(folder: &Path) -> Option<String> {
    static MADE: Mutex<BTreeMap<PathBuf, TestDatabase>> = Mutex::new(BTreeMap::new());
    let kind = Database::of_hosts();
    (kind != Database::Sqlite).then(|| {
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        made.entry(folder.to_owned()).or_insert_with(|| TestDatabase::of(kind)).url().to_owned()
    })
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
    kind: Database,
    url: String,
    place: Place,
}

/// Where it is until it is dropped.
enum Place {
    Folder {
        _folder: TempDir,
    },
    /// Under this name.
    Server(&'static Server, String),
}

impl TestDatabase {
    /// Makes it.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    #[expect(clippy::new_without_default, reason = "a database is no value")]
    pub fn new() -> Self {
        Self::of(Database::of_this_test())
    }

    fn of(kind: Database) -> Self {
        let server = match kind {
            Database::Sqlite => {
                let folder = tempfile::tempdir().expect("a temporary folder");
                let url = format!("sqlite:{}", folder.path().join("test.db").display());
                return Self { kind, url, place: Place::Folder { _folder: folder } };
            }
            Database::Postgres => postgres::server(),
            Database::Mysql => mysql::server(),
        }
        .expect("a server");
        let name = format!("test_{}", uuid::Uuid::new_v4().simple());
        let url = server.create(&name).expect("a database on the server");
        Self { kind, url, place: Place::Server(server, name) }
    }

    /// Its kind.
    pub fn kind(&self) -> Database {
        self.kind
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Carries out a statement on it, past the store. A file is made if there is none; in MySQL, names are quoted as elsewhere.
    ///
    /// # Panics
    ///
    /// If it is refused.
    pub async fn execute(&self, statement: &'static str) {
        match self.kind {
            Database::Sqlite => {
                let options: sqlx::sqlite::SqliteConnectOptions = self.url.parse().expect("a URL");
                carry_out(options.create_if_missing(true), &[statement]).await;
            }
            Database::Postgres => {
                let options: sqlx::postgres::PgConnectOptions = self.url.parse().expect("a URL");
                carry_out(options, &[statement]).await;
            }
            Database::Mysql => {
                let options: sqlx::mysql::MySqlConnectOptions = self.url.parse().expect("a URL");
                carry_out(options, &["SET SESSION sql_mode = 'ANSI_QUOTES'", statement]).await;
            }
        }
    }
}

async fn carry_out<O>(options: O, statements: &[&'static str])
where
    O: ConnectOptions,
    O::Connection: Sized,
    for<'c> &'c mut O::Connection: Executor<'c>,
{
    let mut connection = options.connect().await.expect("a connection");
    for statement in statements {
        connection.execute(*statement).await.expect("the statement");
    }
    connection.close().await.expect("the end of a connection");
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Place::Server(server, name) = &self.place
            && let Err(problem) = server.remove(name)
        {
            eprintln!("{name} is left on the server: {problem}");
        }
    }
}
