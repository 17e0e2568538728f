//! Kills the server, or one of several on one database, at random moments while it is under load, and starts it again on the same
//! data; or cuts one off from the database for a while.

use std::{
    fmt,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::{time, try_join};

use crate::{
    cable::Outage,
    evidence::Reader,
    fleet::Fleet,
    load::{Kind, Load, Shape},
    verdict::broken_promises,
};

/// Callers that load the server at the same time.
const CALLERS: usize = 6;
/// Records in a bulk action at most.
const BULK: usize = 8;
/// How long a process lives, in milliseconds from the moment it listens.
const LIFE_MS: std::ops::Range<u64> = 20..500;
/// One in so many processes is killed before it listens.
const STILLBORN: u32 = 6;
/// How long such a process lives, in milliseconds.
const STILLBORN_LIFE_MS: std::ops::Range<u64> = 0..250;
/// How long a host is left alone before it is cut off, in milliseconds.
const CONNECTED_MS: std::ops::Range<u64> = 50..1_500;
/// How long most hosts are cut off, in milliseconds: from hardly noticed to longer than anybody waits for an answer.
const CUT_MS: std::ops::Range<u64> = 50..9_000;
/// How long every so-manyth is: longer than its lease, and than the server keeps a transaction that nothing is heard of.
const LONG_CUT_MS: std::ops::Range<u64> = 16_000..20_000;
const LONG_CUT_EVERY: u32 = 4;
/// The ways to be cut off, by turns.
const OUTAGES: [Outage; 3] = [Outage::Silence, Outage::Delay, Outage::Break];
/// How long a caller waits for an answer at most while hosts are cut off: what a statement is waited for that vanishes, twice, and what
/// others hold that vanished.
const ANSWERED_WITHIN: Duration = Duration::from_secs(40);
/// How long the last process may take to work off what is queued.
const DRAIN_PATIENCE: Duration = Duration::from_secs(300);

/// Where the data is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data {
    /// In a file, with one server.
    Sqlite,
    /// In a PostgreSQL database, which so many servers share.
    Postgres {
        /// At least one.
        hosts: usize,
    },
}

/// What a run is told.
#[derive(Debug, Clone)]
pub struct Options {
    /// The server's program, with the plugins beside it.
    pub program: PathBuf,
    /// Where the data is.
    pub data: Data,
    /// How often it is killed.
    pub kills: u32,
    /// How often one is cut off from a database that several can share.
    pub cuts: u32,
    /// Chooses the actions and the moments; the machine's timing has its say too.
    pub seed: u64,
}

/// What a run has shown.
#[derive(Debug)]
pub struct Report {
    /// How often the server was killed.
    pub kills: u32,
    /// How often of these before it listened, in the middle of its recovery.
    pub kills_while_starting: u32,
    /// How often one was cut off.
    pub cuts: u32,
    /// Actions that were sent.
    pub actions: usize,
    /// Actions that were answered as done.
    pub acknowledged: usize,
    /// Executions that exist in the end.
    pub executions: usize,
    /// Their jobs.
    pub jobs: usize,
    /// Executions that were open when the last process began.
    pub left_behind: i64,
    /// How long it all took.
    pub took: Duration,
    /// Each broken promise; none is the goal.
    pub broken: Vec<String>,
}

/// Loads, kills and restarts; then lets the server finish, and compares.
///
/// # Errors
///
/// The run itself could not be carried out; broken promises are in the report.
pub async fn run(options: &Options) -> Result<Report> {
    let begun = Instant::now();
    let fleet = Fleet::start(&options.program, options.data).await?;
    let database = fleet.database().await?;
    let (mut load, caller) = Load::prepare(fleet.address(), &Kind::ALONE).await?;
    let answered_within = (options.cuts > 0).then_some(ANSWERED_WITHIN);
    load.start(&caller, Shape { callers: CALLERS, seed: options.seed, bulk: BULK, answered_within });
    let (kills_while_starting, ()) = try_join!(kill(&fleet, options), cut(&fleet, options))?;
    let ledger = load.finish().await?;
    let left_behind = Reader::open(&database).await?.unfinished().await?;
    drain(&database).await?;
    fleet.stop().await?;

    let evidence = Reader::open(&database).await?.evidence().await?;
    Ok(Report {
        kills: options.kills,
        kills_while_starting,
        cuts: options.cuts,
        actions: ledger.actions.len(),
        acknowledged: ledger.acknowledged(),
        executions: evidence.executions.len(),
        jobs: evidence.executions.iter().map(|execution| execution.jobs.stored).sum(),
        left_behind,
        took: begun.elapsed(),
        broken: broken_promises(&ledger, &evidence),
    })
}

/// Kills one host after the other; answers how many of them before they listened.
async fn kill(fleet: &Fleet, options: &Options) -> Result<u32> {
    let mut random = StdRng::seed_from_u64(options.seed);
    let (mut kills, mut kills_while_starting) = (0, 0);
    while kills < options.kills {
        let life = Duration::from_millis(random.random_range(LIFE_MS));
        let mut machine = fleet.any(&mut random).await?;
        fleet.kill_after(&mut machine, life).await?;
        kills += 1;
        while kills < options.kills && random.random_ratio(1, STILLBORN) {
            let life = Duration::from_millis(random.random_range(STILLBORN_LIFE_MS));
            fleet.start_and_kill(&machine, life).await?;
            kills += 1;
            kills_while_starting += 1;
        }
        fleet.bring_back(&mut machine).await?;
    }
    Ok(kills_while_starting)
}

/// Cuts one host after the other off from the database.
async fn cut(fleet: &Fleet, options: &Options) -> Result<()> {
    let mut random = StdRng::seed_from_u64(options.seed.rotate_left(1));
    for (number, outage) in (1..=options.cuts).zip(OUTAGES.into_iter().cycle()) {
        let mut machine = fleet.any(&mut random).await?;
        let connected = Duration::from_millis(random.random_range(CONNECTED_MS));
        machine.lives_until(time::Instant::now() + connected).await?;
        let is_long = number.is_multiple_of(LONG_CUT_EVERY);
        let milliseconds = random.random_range(if is_long { LONG_CUT_MS } else { CUT_MS });
        machine.cut_off(outage, Duration::from_millis(milliseconds)).await?;
    }
    Ok(())
}

/// Waits until nothing is queued or running; what is stuck for good is left to the verdict.
pub(crate) async fn drain(database: &str) -> Result<()> {
    let mut reader = Reader::open(database).await?;
    let deadline = Instant::now() + DRAIN_PATIENCE;
    let mut ticks = tokio::time::interval(Duration::from_millis(50));
    while reader.unfinished().await? > 0 && Instant::now() < deadline {
        ticks.tick().await;
    }
    Ok(())
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
        let Self { kills, kills_while_starting, cuts, actions, acknowledged, .. } = self;
        let Self { executions, jobs, left_behind, took, broken, .. } = self;
        writeln!(f, "kills           {kills} ({kills_while_starting} of them while starting)")?;
        writeln!(f, "cuts            {cuts}")?;
        writeln!(f, "actions         {actions}, {acknowledged} acknowledged")?;
        writeln!(f, "executions      {executions} with {jobs} jobs, {left_behind} of them left to the last process")?;
        writeln!(f, "time            {:.1} s", took.as_secs_f64())?;
        write!(f, "broken promises {}", broken.len())
    }
}
