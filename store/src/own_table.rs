//! Tables of ours in a further database, made there if the administrator lets them be
//! ([`ConnectOptions::outbox`](crate::ConnectOptions)). They are no collections.

use futures::future::BoxFuture;

use crate::{
    Store,
    db::{Dialect, Tx},
    error::StoreError,
    outbox::Outbox,
    write_receipts::WriteReceipts,
};

/// Whether a table of ours can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableState {
    /// It can.
    Ready,
    /// It cannot, for this reason, a sentence without its end.
    Missing(String),
}

/// A table of ours.
pub(crate) trait OwnTable: 'static {
    /// What it is called.
    const NAME: &'static str;

    /// The statement that makes it if it is not there.
    fn create(dialect: Dialect) -> &'static str;

    /// Does everything with it that is ever done, in a transaction that is undone.
    fn try_out(tx: &mut Tx) -> BoxFuture<'_, Result<(), StoreError>>;
}

/// Says whether a table of this name is one of ours.
pub(crate) fn is_own(name: &str) -> bool {
    [Outbox::NAME, WriteReceipts::NAME].contains(&name)
}

impl Store {
    /// Sees whether a table of ours can be used, and makes it if there is none and that is allowed.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] with `FURTHER_ONLY` for the main database; database errors that may pass by themselves. Why there is
    /// none otherwise is no error.
    pub(crate) async fn prepare<T: OwnTable>(&self) -> Result<TableState, StoreError> {
        let options = self.further()?.options().clone();
        if options.read_only {
            return Ok(TableState::Missing("nothing is written to this data source".to_owned()));
        }
        let usable = match self.try_table::<T>().await {
            Err(error) if error.is_transient() => return Err(error),
            Err(_) if options.outbox => {
                let made = self
                    .write(|tx| Box::pin(async move { tx.carry_out(T::create(tx.dialect()), []).await.map(drop) }))
                    .await;
                // Another host may have made it at the same moment.
                match (self.try_table::<T>().await, made) {
                    (Ok(()), _) => Ok(()),
                    (Err(_), Err(error)) | (Err(error), Ok(())) => Err(error),
                }
            }
            usable => usable,
        };
        match usable {
            Ok(()) => Ok(TableState::Ready),
            Err(error) if error.is_transient() => Err(error),
            Err(error) => Ok(TableState::Missing(format!("the table {} cannot be used: {}", T::NAME, reason(&error)))),
        }
    }

    async fn try_table<T: OwnTable>(&self) -> Result<(), StoreError> {
        let tried: Result<(), Tried> = self
            .write(|tx| {
                Box::pin(async move {
                    T::try_out(tx).await?;
                    Err(Tried::Works)
                })
            })
            .await;
        match tried {
            Ok(()) | Err(Tried::Works) => Ok(()),
            Err(Tried::Failed(error)) => Err(error),
        }
    }
}

/// How a trial ends: always with an error, so that it is undone.
enum Tried {
    Works,
    Failed(StoreError),
}

impl From<StoreError> for Tried {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

fn reason(error: &StoreError) -> String {
    match error {
        StoreError::Database(cause) => cause.to_string(),
        other => other.to_string(),
    }
}
