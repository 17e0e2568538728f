//! Further databases: somebody else's, of any kind, read and written beside others.
//!
//! Nothing in them is changed to open them, and nobody relies on being the only writer. Each transaction has a connection of its
//! own; in SQLite one at a time, which holds the file's lock from its beginning.

use std::{str::FromStr as _, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use futures::future::BoxFuture;
use sqlx::{
    ConnectOptions as _, Executor as _, MySqlPool, SqlitePool,
    mysql::{MySqlConnectOptions, MySqlPoolOptions},
    pool::PoolOptions,
    postgres::PgConnectOptions,
    sqlite::SqlitePoolOptions,
};
use tokio::{sync::Semaphore, time::timeout};

use super::{
    CACHED_STATEMENTS, Common, Conn, Link, Tx, WAITING_REQUESTS, acquired,
    lifeline::{ACQUIRE_TIMEOUT, Lifeline},
    pool::Pool,
    sqlite,
    transaction::conclude,
};
use crate::{catalog::LeftOut, error::StoreError, write_receipts::WriteReceipts};

/// Connections that are kept without work. Databases of others have room for few.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// How a further database is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectOptions {
    /// The tables and views that are taken; `None` takes all.
    pub tables: Option<Vec<String>>,
    /// PostgreSQL's schema that they are in; `None` is `public`. Other databases have none.
    pub schema: Option<String>,
    /// The most connections at a time, 2 at least: one half reads, the other writes.
    pub max_connections: u32,
    /// Nothing is written, whatever the database would allow.
    pub read_only: bool,
    /// Tables may be made in it for the [outbox](crate::outbox) and for [receipts](crate::write_receipts).
    pub outbox: bool,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self { tables: None, schema: None, max_connections: 10, read_only: false, outbox: true }
    }
}

/// A further database.
pub(crate) struct Further {
    common: Common,
    options: ConnectOptions,
    pools: Pools,
    waiting: Arc<Semaphore>,
    left_out: ArcSwap<Vec<LeftOut>>,
    write_receipts: WriteReceipts,
}

/// Connections: those that read, and those that write, so that who reads while writing has to wait for nobody.
enum Pools {
    Sqlite { readers: SqlitePool, writers: SqlitePool },
    Postgres { readers: Pool, writers: Pool },
    Mysql { readers: MySqlPool, writers: MySqlPool },
}

impl Further {
    /// Connects once, to hear what is wrong if something is; later connections are made when they are needed.
    pub(super) async fn connect(url: &str, options: &ConnectOptions, common: &Common) -> Result<Self, StoreError> {
        let kind = url.split_once(':').map_or("", |(scheme, _)| scheme);
        let pools = match kind {
            "sqlite" => Pools::sqlite(url, options).await,
            "postgres" | "postgresql" => Pools::postgres(url, options, common).await,
            "mysql" | "mariadb" => Pools::mysql(url, options).await,
            _ => Err(StoreError::invalid(
                "INVALID_VALUE",
                "the database URL must be sqlite:PATH, or postgres://, mysql:// or mariadb:// with USER:PASSWORD@HOST:PORT/DATABASE",
            )),
        };
        Ok(Self {
            common: common.clone(),
            options: options.clone(),
            pools: pools?,
            waiting: Arc::new(Semaphore::new(WAITING_REQUESTS)),
            left_out: ArcSwap::default(),
            write_receipts: WriteReceipts::default(),
        })
    }

    /// How it is used.
    pub(crate) fn options(&self) -> &ConnectOptions {
        &self.options
    }

    /// What of its structure is left out, as it was read last.
    pub(crate) fn left_out(&self) -> &ArcSwap<Vec<LeftOut>> {
        &self.left_out
    }

    /// The receipts for what nodes write into it.
    pub(crate) fn write_receipts(&self) -> &WriteReceipts {
        &self.write_receipts
    }

    pub(super) async fn reader(&self) -> Result<Link, StoreError> {
        Ok(match &self.pools {
            Pools::Sqlite { readers, .. } => Link::SqlitePooled(acquired(readers.acquire().await)?),
            Pools::Postgres { readers, .. } => Link::PostgresReader(acquired(readers.acquire().await)?),
            Pools::Mysql { readers, .. } => Link::MysqlReader(acquired(readers.acquire().await)?),
        })
    }

    async fn writer(&self) -> Result<Link, StoreError> {
        Ok(match &self.pools {
            Pools::Sqlite { writers, .. } => Link::SqlitePooled(acquired(writers.acquire().await)?),
            Pools::Postgres { writers, .. } => {
                Link::PostgresWriter { connection: acquired(writers.acquire().await)?, broken: false }
            }
            Pools::Mysql { writers, .. } => {
                Link::MysqlWriter { connection: acquired(writers.acquire().await)?, broken: false }
            }
        })
    }

    /// Runs a closure in a transaction, in a task that does not end with the caller.
    pub(super) async fn write<T, E, F>(self: &Arc<Self>, work: F) -> Result<T, E>
    where
        F: for<'tx> FnOnce(&'tx mut Tx) -> BoxFuture<'tx, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        if self.options.read_only {
            return Err(StoreError::invalid("READ_ONLY", "nothing is written to this data source").into());
        }
        // The semaphore is never closed.
        let place = Arc::clone(&self.waiting).acquire_owned().await.map_err(|_closed| StoreError::Closed)?;
        if self.common.stop.is_cancelled() {
            return Err(StoreError::Closed.into());
        }
        let further = Arc::clone(self);
        let task = self.common.tasks.spawn(async move {
            let Common { schema, clock, faults, feed, listener, .. } = &further.common;
            let conn = Conn::new(further.writer().await?, schema.load_full(), faults.clone());
            let tx = Tx::begin_further(conn, clock.clone(), Arc::clone(listener)).await?;
            let answer = conclude(tx, work, |tx| drop(tx.announce(feed))).await;
            drop(place);
            answer
        });
        task.await.unwrap_or_else(|_gone| Err(StoreError::Closed.into()))
    }

    /// Waits for the connections.
    pub(super) async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { readers, writers } => {
                readers.close().await;
                writers.close().await;
            }
            Pools::Postgres { readers, writers, .. } => {
                readers.close().await;
                writers.close().await;
            }
            Pools::Mysql { readers, writers } => {
                readers.close().await;
                writers.close().await;
            }
        }
    }
}

impl Pools {
    async fn sqlite(url: &str, options: &ConnectOptions) -> Result<Self, StoreError> {
        let connect = sqlite::connect_options(url)?;
        // What a program that died in the middle of a commit has left is undone by the next who opens the file, if that one may write:
        // so who reads here may, and does not.
        let reading = if options.read_only {
            connect.clone().read_only(true)
        } else {
            connect.clone().pragma("query_only", "ON")
        };
        check(reading.connect()).await?;
        let (readers, _) = halves(options);
        // There is one writer at a time anyway.
        let pool = |connections| limits(SqlitePoolOptions::new(), connections).acquire_timeout(super::LOCK_TIMEOUT);
        Ok(Self::Sqlite {
            readers: pool(readers).connect_lazy_with(reading),
            writers: pool(1).connect_lazy_with(connect.read_only(options.read_only)),
        })
    }

    async fn postgres(url: &str, options: &ConnectOptions, common: &Common) -> Result<Self, StoreError> {
        let connect = PgConnectOptions::from_str(url)
            .map_err(|error| not_understood(&error))?
            .application_name("host")
            .statement_cache_capacity(CACHED_STATEMENTS);
        // Names without a schema are in this one.
        let connect = connect.options([("search_path", quoted(options.schema.as_deref().unwrap_or("public")))]);
        check(connect.connect()).await?;
        let (readers, writers) = halves(options);
        let lifeline = Lifeline::new(connect, common.tasks.clone(), common.stop.clone());
        let pool = |connections| lifeline.pool_for(connections, IDLE_TIMEOUT);
        Ok(Self::Postgres { readers: pool(readers), writers: pool(writers) })
    }

    async fn mysql(url: &str, options: &ConnectOptions) -> Result<Self, StoreError> {
        /// Values that do not fit are refused, not bent; names and texts are quoted as they are here; each statement sees what
        /// others have committed. Moments are in UTC: the connections say so by themselves.
        const SESSION: [&str; 2] = [
            "SET SESSION sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'",
            "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
        ];
        let connect = MySqlConnectOptions::from_str(url)
            .map_err(|error| not_understood(&error))?
            .statement_cache_capacity(CACHED_STATEMENTS);
        check(connect.connect()).await?;
        let (readers, writers) = halves(options);
        let pool = |connections| {
            limits(MySqlPoolOptions::new(), connections).after_connect(|connection, _| {
                Box::pin(async move {
                    for statement in SESSION {
                        connection.execute(statement).await?;
                    }
                    Ok(())
                })
            })
        };
        Ok(Self::Mysql {
            readers: pool(readers).connect_lazy_with(connect.clone()),
            writers: pool(writers).connect_lazy_with(connect),
        })
    }
}

fn limits<DB: sqlx::Database>(options: PoolOptions<DB>, connections: u32) -> PoolOptions<DB> {
    options.max_connections(connections).min_connections(0).acquire_timeout(ACQUIRE_TIMEOUT).idle_timeout(IDLE_TIMEOUT)
}

/// How many connections read, and how many write.
fn halves(options: &ConnectOptions) -> (u32, u32) {
    let writers = (options.max_connections / 2).max(1);
    (options.max_connections.saturating_sub(writers).max(1), writers)
}

/// Says what is wrong with a connection, which a pool would not.
async fn check<C: sqlx::Connection>(
    connecting: impl Future<Output = Result<C, sqlx::Error>>,
) -> Result<(), StoreError> {
    let connected = timeout(ACQUIRE_TIMEOUT, connecting).await.unwrap_or(Err(sqlx::Error::PoolTimedOut));
    connected.map_err(StoreError::Database)?.close().await.map_err(StoreError::Database)
}

fn not_understood(error: &sqlx::Error) -> StoreError {
    StoreError::invalid("INVALID_VALUE", format!("the database URL: {error}"))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
