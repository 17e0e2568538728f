//! SQLite's writer: one task that commits the requests of many callers together.
//!
//! The first request of a transaction needs no savepoint: while nothing else is in the transaction, undoing the request is
//! undoing the transaction. Requests that follow get one each, so that a lone request costs a `BEGIN` and a `COMMIT` only.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use futures::future::BoxFuture;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::conn::{Noted, Tx};
use crate::{changes::Feed, error::StoreError, schema::Schema};

/// Requests per transaction. The callers of the first wait for the last: enough to share one disk flush between all who
/// wait, few enough that a request of average size is answered within tens of milliseconds.
const REQUESTS_PER_COMMIT: usize = 64;

/// Something a caller wants written.
pub(super) trait Request: Send {
    /// Does it. Panics of the caller's code are contained here.
    fn run<'tx>(self: Box<Self>, tx: &'tx mut Tx) -> BoxFuture<'tx, Outcome>;

    /// Tells the caller that it was not even tried.
    fn refuse(self: Box<Self>, error: StoreError);
}

/// What became of a request, before the commit.
pub(super) struct Outcome {
    pub(super) verdict: Verdict,
    pub(super) answer: Answer,
}

/// Whether what a request wrote stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Keep,
    Undo,
}

/// Tells the caller its result, or why the transaction failed.
pub(super) type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// The task's state: its connection, and where it publishes the schema.
pub(super) struct Writer {
    tx: Tx,
    published: Arc<ArcSwap<Schema>>,
    feed: Feed,
}

impl Writer {
    pub(super) fn new(tx: Tx, published: Arc<ArcSwap<Schema>>, feed: Feed) -> Self {
        Self { tx, published, feed }
    }

    /// Serves requests until told to stop or until nobody can send any more; what was accepted by then is carried out.
    pub(super) async fn run(mut self, mut requests: mpsc::Receiver<Box<dyn Request>>, stop: CancellationToken) {
        loop {
            let request = tokio::select! {
                biased;
                () = stop.cancelled(), if !requests.is_closed() => {
                    requests.close();
                    continue;
                }
                request = requests.recv() => request,
            };
            let Some(first) = request else { break };
            self.transaction(first, &mut requests).await;
        }
        if let Err(error) = self.close().await {
            tracing::warn!(%error, "the writing connection did not close cleanly");
        }
    }

    /// Brings the log into the database's file and closes the connection.
    async fn close(mut self) -> Result<(), sqlx::Error> {
        self.tx.control("PRAGMA wal_checkpoint(TRUNCATE)").await?;
        self.tx.close().await
    }

    async fn transaction(&mut self, first: Box<dyn Request>, requests: &mut mpsc::Receiver<Box<dyn Request>>) {
        let begun = Instant::now();
        if let Err(error) = self.tx.control("BEGIN IMMEDIATE").await {
            first.refuse(StoreError::Database(error));
            return self.give_up(Vec::new(), None).await;
        }
        if let Err(error) = self.tx.catch_up().await {
            first.refuse(error);
            return self.give_up(Vec::new(), None).await;
        }
        // What others have committed stays, whatever becomes of this transaction.
        self.publish();
        let mut answers = Vec::new();
        if let Err(error) = self.requests(first, requests, &mut answers).await {
            return self.give_up(answers, Some(error)).await;
        }
        if answers.is_empty() {
            return;
        }
        let requests = answers.len();
        match self.tx.commit().await {
            Ok(()) => {
                self.publish();
                // A file has one host: there is nobody to tell.
                drop(self.tx.announce(&self.feed));
                measure(requests, begun.elapsed());
                for answer in answers {
                    answer(Ok(()));
                }
            }
            Err(error) => self.give_up(answers, Some(Arc::new(error))).await,
        }
    }

    /// Runs requests in the open transaction. Leaves no answers behind if it has rolled the transaction back already.
    async fn requests(
        &mut self,
        first: Box<dyn Request>,
        requests: &mut mpsc::Receiver<Box<dyn Request>>,
        answers: &mut Vec<Answer>,
    ) -> Result<(), Arc<sqlx::Error>> {
        let outcome = first.run(&mut self.tx).await;
        if outcome.verdict == Verdict::Undo {
            self.give_up(Vec::new(), None).await;
            (outcome.answer)(Ok(()));
            return Ok(());
        }
        answers.push(outcome.answer);

        while answers.len() < REQUESTS_PER_COMMIT {
            let Ok(request) = requests.try_recv() else {
                break;
            };
            if let Err(error) = self.tx.control("SAVEPOINT request").await {
                let error = Arc::new(error);
                request.refuse(StoreError::NotCommitted(Arc::clone(&error)));
                return Err(error);
            }
            let (schema, noted) = (Arc::clone(self.tx.schema()), self.tx.noted());
            let outcome = request.run(&mut self.tx).await;
            answers.push(outcome.answer);
            // Savepoints are never released: the innermost one is the latest request's, and the commit ends them all.
            if outcome.verdict == Verdict::Undo {
                self.tx.set_schema(schema);
                self.tx.forget_noted(noted);
                self.tx.control("ROLLBACK TO request").await.map_err(Arc::new)?;
            }
        }
        Ok(())
    }

    /// Leaves no transaction open and tells everybody that nothing is stored.
    async fn give_up(&mut self, answers: Vec<Answer>, cause: Option<Arc<sqlx::Error>>) {
        // The database may have rolled back by itself, as when the disk is full; if not, the next BEGIN would fail.
        if let Err(error) = self.tx.control("ROLLBACK").await {
            tracing::debug!(%error, "nothing to roll back");
        }
        self.tx.set_schema(self.published.load_full());
        self.tx.forget_noted(Noted::default());
        let Some(cause) = cause else {
            return;
        };
        metrics::counter!("store_commit_failures_total").increment(1);
        tracing::error!(error = %cause, requests = answers.len(), "a transaction could not be committed");
        for answer in answers {
            answer(Err(StoreError::NotCommitted(Arc::clone(&cause))));
        }
    }

    fn publish(&self) {
        let schema = self.tx.schema();
        if !Arc::ptr_eq(schema, &self.published.load()) {
            self.published.store(Arc::clone(schema));
        }
    }
}

/// Counts a commit: how many requests shared it, and how long it took with their work.
pub(super) fn measure(requests: usize, took: Duration) {
    // Never more than REQUESTS_PER_COMMIT.
    let requests = u32::try_from(requests).unwrap_or(u32::MAX);
    metrics::histogram!("store_commit_requests").record(requests);
    metrics::histogram!("store_commit_duration_seconds").record(took);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::{Faults, Store, StoreError};

    struct NoSavepoints;

    impl Faults for NoSavepoints {
        fn fails(&self, statement: &str) -> bool {
            statement.starts_with("SAVEPOINT")
        }
    }

    #[tokio::test]
    async fn a_request_that_gets_no_savepoint_is_not_told_that_the_store_is_closed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite:{}", folder.path().join("a.db").display());
        let store = Store::open_with_faults(&url, Arc::new(NoSavepoints)).await.expect("the store opens");
        let write = || store.write(|_| Box::pin(async { Ok::<_, StoreError>(()) }));
        let (first, second) = tokio::join!(write(), write());
        assert!(matches!(first, Err(StoreError::NotCommitted(_))), "{first:?}");
        assert!(matches!(second, Err(StoreError::NotCommitted(_))), "{second:?}");
        write().await.expect("the writer goes on");
    }

    /// Leaves something behind that the database refuses at the commit only.
    async fn write_uncommittable(store: &Store) -> Result<(), StoreError> {
        store
            .write(|tx| {
                Box::pin(async move {
                    tx.run("PRAGMA defer_foreign_keys = ON", []).await?;
                    tx.run("INSERT INTO rolesUsers (userId, roleName) VALUES (404, 'nosuch')", []).await?;
                    Ok(())
                })
            })
            .await
    }

    #[tokio::test]
    async fn a_commit_that_fails_is_everybodys_error_and_the_writer_goes_on() -> Result<(), StoreError> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = Store::open(&format!("sqlite:{}", folder.path().join("a.db").display())).await?;
        let add_role = |name: &'static str| {
            store.write(move |tx| {
                Box::pin(async move {
                    let insert = "INSERT INTO roles (name, createdAt, updatedAt) VALUES (?, '', '')";
                    tx.run(insert, [name.into()]).await
                })
            })
        };
        // Polled in this order, and handed over before the writer's task runs: one transaction.
        let (first, second, third) = tokio::join!(add_role("a"), write_uncommittable(&store), add_role("b"));
        assert!(matches!(first, Err(StoreError::NotCommitted(_))), "{first:?}");
        assert!(matches!(second, Err(StoreError::NotCommitted(_))), "{second:?}");
        assert!(matches!(third, Err(StoreError::NotCommitted(_))), "{third:?}");

        assert_eq!(add_role("c").await?, 1);
        let names = store.read().await?.query("SELECT name FROM roles", []).await?;
        let names: Vec<String> = names.iter().map(|row| row.get("name")).collect::<Result<_, _>>()?;
        assert_eq!(names, ["c"]);
        Ok(())
    }
}
