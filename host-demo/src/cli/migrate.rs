//! `host-demo migrate`: moves everything from one database into another one.

use std::{
    fs::File,
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Args;
use store::{TransferEvent, TransferOptions, Transferred, database_file, transfer};

use crate::{bootstrap, error::HostError};

/// How often a large table says how far it has come.
const BETWEEN_LINES: Duration = Duration::from_secs(2);
/// Digits of a checksum that are shown.
const SHOWN_DIGITS: usize = 16;

/// What is moved, and where to.
#[derive(Debug, Args)]
pub(super) struct MigrateOptions {
    /// The database that is read, which no host works with: `sqlite:PATH` or `postgres://USER:PASSWORD@HOST:PORT/DATABASE`
    #[arg(long, env = "HOST_MIGRATE_FROM", hide_env_values = true)]
    from: String,
    /// The database that is filled, which has no data yet
    #[arg(long, env = "HOST_MIGRATE_TO", hide_env_values = true)]
    to: String,
    /// Looks at both, and says what would be copied
    #[arg(long)]
    dry_run: bool,
    /// Most rows of one transaction
    #[arg(long, default_value_t = TransferOptions::default().batch_rows, value_parser = clap::value_parser!(u32).range(1..))]
    batch_rows: u32,
}

/// Runs the command.
pub(super) fn run(options: &MigrateOptions) -> ExitCode {
    let mut lines = Lines::new();
    match migrate(options, &mut lines) {
        Ok(done) => {
            lines.end(done);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("not moved: {error}");
            ExitCode::FAILURE
        }
    }
}

fn migrate(options: &MigrateOptions, lines: &mut Lines) -> Result<Transferred, HostError> {
    // A dry run makes no folder.
    let _locks = lock(&options.from, if options.dry_run { "" } else { &options.to })?;
    let here = Path::new(".").to_owned();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|source| HostError::DataDir { path: here, source })?;
    let transfer_options =
        TransferOptions { batch_rows: options.batch_rows, dry_run: options.dry_run, ..TransferOptions::default() };
    let mut tell = |event: TransferEvent<'_>| lines.tell(&event);
    Ok(runtime.block_on(transfer(&options.from, &options.to, &transfer_options, &mut tell))?)
}

/// Lets no host start on the data directories that the files lie in, if they lie in some. That of the target is made.
fn lock(from: &str, to: &str) -> Result<Vec<File>, HostError> {
    let folder = |url: &str| database_file(url).and_then(|file| file.parent().map(Path::to_owned));
    let (source, target) = (folder(from), folder(to).filter(|folder| !folder.as_os_str().is_empty()));
    let mut locks = Vec::new();
    if let Some(folder) = &target {
        bootstrap::make_data_dir(folder)?;
        locks.push(bootstrap::lock_data_dir(folder)?);
    }
    if let Some(folder) = source.filter(|folder| folder.join("host.lock").exists() && Some(folder) != target.as_ref()) {
        locks.push(bootstrap::lock_data_dir(&folder)?);
    }
    Ok(locks)
}

/// What is told, in plain lines.
struct Lines {
    begun: Instant,
    last: Instant,
    tables: u64,
    rows: u64,
    verified: u64,
}

impl Lines {
    fn new() -> Self {
        let now = Instant::now();
        Self { begun: now, last: now, tables: 0, rows: 0, verified: 0 }
    }

    fn tell(&mut self, event: &TransferEvent<'_>) {
        match *event {
            TransferEvent::LeftOut { table } => println!("{table}: none of a host's tables, not copied"),
            TransferEvent::Read { table, rows } => {
                (self.tables, self.rows) = (self.tables + 1, self.rows + rows);
                println!("{table}: {rows} rows in the source");
            }
            TransferEvent::Resumed { rows } => println!("going on behind {rows} rows that are there already"),
            TransferEvent::Copied { table, copied, rows, rate } if copied == rows => {
                println!("{table}: {rows} rows copied{}", shown_rate(rate));
            }
            TransferEvent::Copied { table, copied, rows, rate } if self.last.elapsed() >= BETWEEN_LINES => {
                self.last = Instant::now();
                println!("{table}: {copied} of {rows} rows copied{}", shown_rate(rate));
            }
            TransferEvent::Verified { table, source, target } => self.verified(table, source, target),
            _ => {}
        }
    }

    fn verified(&mut self, table: &str, source: (u64, &str), target: (u64, &str)) {
        if self.verified == 0 {
            println!("{:<32} {:>10} {:>10}  {:<SHOWN_DIGITS$}", "table", "source", "target", "checksum");
        }
        self.verified += 1;
        let shown = |digest: &str| digest.get(..SHOWN_DIGITS).unwrap_or(digest).to_owned();
        let judged = if source == target {
            format!("{}  same", shown(source.1))
        } else {
            format!("{}  DIFFERENT: {}", shown(source.1), shown(target.1))
        };
        println!("{table:<32} {:>10} {:>10}  {judged}", source.0, target.0);
    }

    fn end(&self, done: Transferred) {
        let Self { tables, rows, .. } = self;
        match done {
            Transferred::Looked => println!("{rows} rows in {tables} tables would be copied; nothing was changed"),
            Transferred::Complete => {
                let seconds = self.begun.elapsed().as_secs_f64();
                println!("complete: {rows} rows in {tables} tables, the same in both, in {seconds:.1} s");
                println!("start the hosts with the target as --database-url, and none with the source any more");
            }
            Transferred::CompleteBefore => println!("the target was complete before; nothing was changed"),
        }
    }
}

fn shown_rate((rows, took): (u64, Duration)) -> String {
    let milliseconds = took.as_millis().max(1);
    if rows == 0 { String::new() } else { format!(", {} a second", u128::from(rows) * 1_000 / milliseconds) }
}
