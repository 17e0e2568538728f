//! Moving a host's data from one database into another one: from a file to a server, or back.
//!
//! ```text
//! source, as it is at one moment ─▶ survey: rows and a digest of each table ─▶ begin: tables, definitions, what there is to copy ─┐
//!                                                                                                                              ▼
//!          complete ◀─ verify: the target's digests are the survey's ◀─ counters ◀─ batches, each with how far that has come
//! ```
//!
//! Stored forms are the same in all databases, so rows are copied cell by cell. The source is only read. The target says of itself that it is
//! unfinished until all of it was read back and found equal; until then no [`Store`](crate::Store) opens it. Each batch is one
//! transaction with how far the copy has come, so a copy that was killed goes on behind its last batch. What the survey found is
//! kept in the target: a copy goes on with the same source, unchanged, or not at all.
//!
//! Leases are left out, as they belong to hosts that live; claims without a lease are taken back by the first host that starts.

mod counters;
mod digest;
mod error;
mod source;
mod tables;
mod target;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

pub use error::TransferError;

use crate::db::Faults;
use source::{Batch, Source, Surveyed};
use target::{Progress, Target};

/// How a database is moved.
#[derive(Clone)]
pub struct TransferOptions {
    /// Most rows of one transaction. There are fewer if they are large.
    pub batch_rows: u32,
    /// Only looks at both databases.
    pub dry_run: bool,
    /// Failures of the target, for tests.
    pub faults: Option<Arc<dyn Faults>>,
}

impl Default for TransferOptions {
    fn default() -> Self {
        // Enough for the costs of a transaction not to matter.
        Self { batch_rows: 2_000, dry_run: false, faults: None }
    }
}

/// What a copy tells while it goes on.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum TransferEvent<'a> {
    /// A table of the source was read.
    Read {
        /// Its name.
        table: &'a str,
        /// How many rows it has.
        rows: u64,
    },
    /// A table of the source is none of a host's, and stays behind.
    LeftOut {
        /// Its name.
        table: &'a str,
    },
    /// The copy of an earlier run goes on.
    Resumed {
        /// How many rows are there already.
        rows: u64,
    },
    /// Rows of a table were stored.
    Copied {
        /// Its name.
        table: &'a str,
        /// How many rows are there now.
        copied: u64,
        /// How many there will be.
        rows: u64,
        /// How many rows this run has stored of it, and how long that took.
        rate: (u64, Duration),
    },
    /// A table was read back.
    Verified {
        /// Its name.
        table: &'a str,
        /// Rows and digest in the source.
        source: (u64, &'a str),
        /// Rows and digest in the target.
        target: (u64, &'a str),
    },
}

/// What has come of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transferred {
    /// Nothing was to be copied yet.
    Looked,
    /// The target is complete.
    Complete,
    /// The target was complete before.
    CompleteBefore,
}

/// Who hears of a copy.
pub type Tell<'a> = &'a mut (dyn FnMut(TransferEvent<'_>) + Send);

/// Copies everything from one database into another one that has no data, or goes on with that.
///
/// # Errors
///
/// [`TransferError`]. The source is as it was; the target is unfinished, unless it was refused.
pub async fn transfer(
    from: &str,
    to: &str,
    options: &TransferOptions,
    tell: Tell<'_>,
) -> Result<Transferred, TransferError> {
    if from == to {
        return Err(TransferError::SameDatabase);
    }
    let mut source = Source::open(from).await?;
    target::look(to).await?;
    for table in source.strays() {
        tell(TransferEvent::LeftOut { table });
    }
    let survey = source.survey(tell).await?;
    if options.dry_run {
        return Ok(Transferred::Looked);
    }
    let target = Target::open(to, options.faults.clone()).await?;
    let outcome = fill(&mut source, &survey, &target, options, tell).await;
    target.close().await;
    outcome
}

async fn fill(
    source: &mut Source,
    survey: &[Surveyed],
    target: &Target,
    options: &TransferOptions,
    tell: Tell<'_>,
) -> Result<Transferred, TransferError> {
    let Some(progress) = target.begin(source, survey).await? else { return Ok(Transferred::CompleteBefore) };
    let before: u64 = progress.values().map(|progress| progress.copied).sum();
    if before > 0 {
        tell(TransferEvent::Resumed { rows: before });
    }
    for surveyed in survey {
        if let Some(progress) = progress.get(&surveyed.table.name).filter(|progress| !progress.done) {
            copy(source, surveyed, progress.clone(), target, options, tell).await?;
        }
    }
    target.count_on(source.counters().await?).await?;
    let different = target.verify(survey, tell).await?;
    if !different.is_empty() {
        return Err(TransferError::Different { tables: different });
    }
    target.complete().await?;
    Ok(Transferred::Complete)
}

/// Copies what is missing of a table. The next rows are read while others are stored.
async fn copy(
    source: &mut Source,
    Surveyed { table, digest }: &Surveyed,
    mut progress: Progress,
    target: &Target,
    options: &TransferOptions,
    tell: Tell<'_>,
) -> Result<(), TransferError> {
    let (begun, before) = (Instant::now(), progress.copied);
    if progress.copied > 0 && !table.cursor.outlasts_a_run() {
        progress = target.begin_anew(table).await?;
    }
    let mut batch = source.batch(table, progress.cursor.as_deref(), options.batch_rows).await?;
    loop {
        let Batch { rows, cursor, is_last } = batch;
        let next = Progress { copied: progress.copied + rows.len() as u64, cursor: cursor.clone(), done: is_last };
        // Behind a last batch that is full comes one without rows, of which nobody has to hear.
        let is_news = !rows.is_empty() || next.copied == 0;
        let storing = target.put(table, &progress, next.clone(), rows);
        let (stored, read) = if is_last {
            (storing.await, None)
        } else {
            let (stored, read) = tokio::join!(storing, source.batch(table, cursor.as_deref(), options.batch_rows));
            (stored, Some(read))
        };
        stored?;
        progress = next;
        if is_news {
            let rate = (progress.copied.saturating_sub(before), begun.elapsed());
            tell(TransferEvent::Copied { table: &table.name, copied: progress.copied, rows: digest.rows(), rate });
        }
        match read {
            Some(read) => batch = read?,
            None => return Ok(()),
        }
    }
}
