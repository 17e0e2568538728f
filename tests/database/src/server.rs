//! A database server of this process, of whatever kind: who makes and removes databases on it, and where they are.

use std::sync::{Mutex, mpsc};

use sqlx::{AssertSqlSafe, ConnectOptions, Connection as _, Executor};

use crate::guard::Guard;

/// A server.
pub(super) struct Server {
    /// The URL of a database by its name.
    url: Box<dyn Fn(&str) -> String + Send + Sync>,
    wording: Wording,
    clerk: Mutex<mpsc::SyncSender<Order>>,
    _guard: Option<Guard>,
}

/// What stands behind the name of a database that is made, or removed.
pub(super) struct Wording {
    pub(super) create: &'static str,
    pub(super) drop: &'static str,
}

/// Something to be done by the clerk, and where to say what came of it.
struct Order {
    statement: String,
    reply: mpsc::SyncSender<Result<(), String>>,
}

impl Server {
    /// A server that is there: connections with the options may make databases.
    pub(super) fn new<O>(
        options: O,
        url: impl Fn(&str) -> String + Send + Sync + 'static,
        wording: Wording,
        guard: Option<Guard>,
    ) -> Result<Self, String>
    where
        O: ConnectOptions,
        O::Connection: Sized,
        for<'c> &'c mut O::Connection: Executor<'c>,
    {
        // The clerk does one thing after the other; who orders waits for it.
        let (clerk, orders) = mpsc::sync_channel(1);
        employ(options, orders);
        let server = Self { url: Box::new(url), wording, clerk: Mutex::new(clerk), _guard: guard };
        server.carry_out("SELECT 1".to_owned())?;
        Ok(server)
    }

    /// Makes a database and answers its URL.
    pub(super) fn create(&self, name: &str) -> Result<String, String> {
        self.carry_out(format!("CREATE DATABASE {name}{}", self.wording.create))?;
        Ok((self.url)(name))
    }

    /// Removes a database, whoever is connected to it.
    pub(super) fn remove(&self, name: &str) -> Result<(), String> {
        self.carry_out(format!("DROP DATABASE {name}{}", self.wording.drop))
    }

    fn carry_out(&self, statement: String) -> Result<(), String> {
        let (reply, answer) = mpsc::sync_channel(1);
        let clerk = self.clerk.lock().map_err(|error| error.to_string())?.clone();
        clerk.send(Order { statement, reply }).map_err(|error| error.to_string())?;
        answer.recv().map_err(|error| error.to_string())?
    }
}

/// A thread of its own: tests have runtimes that end with them.
fn employ<O>(options: O, orders: mpsc::Receiver<Order>)
where
    O: ConnectOptions,
    O::Connection: Sized,
    for<'c> &'c mut O::Connection: Executor<'c>,
{
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        for order in orders {
            let done = runtime.block_on(async {
                let mut connection = options.connect().await?;
                connection.execute(AssertSqlSafe(order.statement)).await?;
                connection.close().await
            });
            // The test may have gone away.
            drop(order.reply.send(done.map_err(|error: sqlx::Error| error.to_string())));
        }
    });
}

/// The URL of any database of the server that a URL leads to, whatever database that is of.
pub(super) fn beside(url: &str) -> impl Fn(&str) -> String + Send + Sync + use<> {
    let (before, after) = match url.split_once('?') {
        Some((before, parameters)) => (before, format!("?{parameters}")),
        None => (url, String::new()),
    };
    let server = match before.match_indices('/').nth(2) {
        Some((end, _)) => before[..end].to_owned(),
        None => before.to_owned(),
    };
    move |name| format!("{server}/{name}{after}")
}
