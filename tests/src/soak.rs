//! A day's work in a short time: many executions, some of which are cancelled, run out of time or are soon deleted, with restarts
//! in between; memory and files are watched, and in the end every promise is checked.

use std::{
    fmt,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use serde_json::json;
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

use crate::{
    crash::drain,
    evidence::Reader,
    ledger::Ledger,
    load::{Caller, Kind, Load, Reply, Scene, Shape},
    place::{Place, Server},
    verdict::broken_promises,
};

/// Callers that load the server at the same time.
const CALLERS: usize = 6;
/// Records in a bulk action at most: most of the executions come from these.
const BULK: usize = 60;
/// How often the state of things is looked at, and executions are cancelled.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Parked executions that are cancelled at one look at most.
const CANCELLED_PER_LOOK: usize = 200;
/// Of those that would end by themselves, the oldest that have not ended, queued or running: few, so that most do end.
const INTERRUPTED_PER_LOOK: usize = 4;

/// What a run is told.
#[derive(Debug, Clone)]
pub struct Options {
    /// The server's program, with the plugins beside it.
    pub program: PathBuf,
    /// How many executions it takes until the callers stop; a few more are under way then.
    pub executions: u64,
    /// How often the server is restarted, by turns killed and asked to stop.
    pub restarts: u64,
    /// Chooses the actions.
    pub seed: u64,
}

/// The state of things at a moment.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Since the beginning.
    pub at: Duration,
    /// Executions that there have been, deleted ones included.
    pub executions: u64,
    /// Of these, the ones that have not ended.
    pub unfinished: u64,
    /// Memory of the server's process, where the system tells.
    pub resident_bytes: Option<u64>,
    /// The database with its log.
    pub database_bytes: u64,
}

/// What a run has shown.
#[derive(Debug)]
pub struct Report {
    /// The state after each tenth of the executions, and at the end.
    pub samples: Vec<Sample>,
    /// Actions that were answered as done.
    pub acknowledged: usize,
    /// Executions that there have been.
    pub executions: u64,
    /// Of these, the ones that were cancelled.
    pub cancelled: usize,
    /// Those that have run out of time.
    pub late: usize,
    /// Those that are deleted by now.
    pub forgotten: u64,
    /// How often the server was restarted.
    pub restarts: u64,
    /// How long it all took.
    pub took: Duration,
    /// Each broken promise; none is the goal.
    pub broken: Vec<String>,
}

/// Loads, cancels and restarts until there are enough executions; lets the server finish, and compares.
///
/// # Errors
///
/// The run itself could not be carried out; broken promises are in the report.
pub async fn run(options: &Options) -> Result<Report> {
    let begun = Instant::now();
    let place = Place::new(&options.program)?;
    let mut server = place.start().await?;
    let address = watch::Sender::new(vec![server.url.clone()]);
    let (mut load, mut caller) = Load::prepare(address.subscribe(), &Kind::ALL).await?;
    let scene = load.scene();
    let mut reader = Reader::open(&place.database()).await?;
    load.start(&caller, Shape { callers: CALLERS, seed: options.seed, bulk: BULK, answered_within: None });

    let mut samples = Vec::new();
    let mut cancelled = Ledger::default();
    let mut restarts = 0;
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        cancel_some(&mut caller, &scene, &mut reader, &mut cancelled).await?;
        let sample = look(&mut reader, &place, &server, begun).await?;
        if sample.executions * 10 >= options.executions * (samples.len() as u64 + 1) {
            samples.push(sample);
        }
        if sample.executions >= options.executions {
            break;
        }
        if sample.executions * (options.restarts + 1) >= options.executions * (restarts + 1) {
            address.send_replace(Vec::new());
            if restarts.is_multiple_of(2) {
                server.kill_after(Duration::ZERO).await?;
            } else {
                server.stop().await?;
            }
            restarts += 1;
            server = place.start().await?;
            address.send_replace(vec![server.url.clone()]);
        }
    }
    let mut ledger = load.finish().await?;
    while cancel_some(&mut caller, &scene, &mut reader, &mut cancelled).await? > 0 {
        looks.tick().await;
    }
    drain(&place.database()).await?;
    let last = look(&mut reader, &place, &server, begun).await?;
    samples.push(last);
    drop(reader);
    server.stop().await?;

    let cancelled_count = cancelled.cancelled.values().filter(|done| **done).count();
    ledger.absorb(cancelled);
    let evidence = Reader::open(&place.database()).await?.evidence().await?;
    Ok(Report {
        samples,
        acknowledged: ledger.acknowledged(),
        executions: last.executions,
        cancelled: cancelled_count,
        late: evidence.executions.iter().filter(|execution| execution.reason.as_deref() == Some("timeout")).count(),
        forgotten: last.executions.saturating_sub(evidence.executions.len() as u64),
        restarts,
        took: begun.elapsed(),
        broken: broken_promises(&ledger, &evidence),
    })
}

/// Cancels executions that wait until somebody does, and some of others, wherever they are; answers how many of the first there
/// were.
async fn cancel_some(caller: &mut Caller, scene: &Scene, reader: &mut Reader, ledger: &mut Ledger) -> Result<usize> {
    let mut parked = 0;
    for (kind, limit) in [(Kind::Parked, CANCELLED_PER_LOOK), (Kind::Long, INTERRUPTED_PER_LOOK)] {
        for workflow in scene.of(kind) {
            for id in reader.open_executions(workflow.id, limit).await? {
                parked += usize::from(kind == Kind::Parked);
                cancel(caller, id, ledger).await;
            }
        }
    }
    Ok(parked)
}

async fn cancel(caller: &mut Caller, id: i64, ledger: &mut Ledger) {
    let done = match caller.post(&format!("executions:cancel/{id}"), &json!({})).await {
        Reply::Answered { status: 200, .. } => true,
        // It has ended meanwhile, by itself or by an earlier call whose answer got lost; or the server is stopping.
        Reply::Answered { status: 409 | 503, .. } | Reply::Broken => false,
        Reply::Answered { status, body } => {
            ledger.surprises.push(format!("surprise: cancelling {id} is answered with {status} {body}"));
            false
        }
    };
    let known = ledger.cancelled.entry(id).or_default();
    *known |= done;
}

async fn look(reader: &mut Reader, place: &Place, server: &Server, begun: Instant) -> Result<Sample> {
    Ok(Sample {
        at: begun.elapsed(),
        executions: reader.stored().await?.unsigned_abs(),
        unfinished: reader.unfinished().await?.unsigned_abs(),
        resident_bytes: server.resident_bytes(),
        database_bytes: place.database_bytes(),
    })
}

impl Report {
    /// Answers an error that names the broken promises, if there are any.
    ///
    /// # Errors
    ///
    /// A promise was broken.
    pub fn verdict(&self) -> Result<()> {
        if self.broken.is_empty() {
            return Ok(());
        }
        bail!("{} broken promises:\n{}", self.broken.len(), self.broken.join("\n"))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { samples, acknowledged, executions, cancelled, late, forgotten, restarts, took, broken } = self;
        writeln!(f, "   seconds  executions  unfinished  memory MiB  database MiB  bytes/execution")?;
        for sample in samples {
            writeln!(f, "{sample}")?;
        }
        writeln!(f, "actions         {acknowledged} acknowledged")?;
        writeln!(f, "executions      {executions}: {cancelled} cancelled, {late} timed out, {forgotten} deleted")?;
        writeln!(f, "restarts        {restarts}")?;
        writeln!(f, "time            {:.1} s", took.as_secs_f64())?;
        write!(f, "broken promises {}", broken.len())
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mebibytes = |bytes: u64| bytes as f64 / 1_048_576.0;
        let memory = self.resident_bytes.map_or_else(|| "-".to_owned(), |bytes| format!("{:.1}", mebibytes(bytes)));
        write!(
            f,
            "{:10.1} {:11} {:11} {memory:>11} {:13.1} {:16}",
            self.at.as_secs_f64(),
            self.executions,
            self.unfinished,
            mebibytes(self.database_bytes),
            self.database_bytes / self.executions.max(1),
        )
    }
}
