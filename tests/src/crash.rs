//! Kills the server, or one of several on one database, at random moments while it is under load, and starts it again on the same
//! data.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::{
    evidence::Reader,
    load::{Kind, Load, Shape},
    place::{self, Place, Shared},
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

impl Data {
    fn places(self, program: &Path) -> Result<Vec<Place>> {
        match self {
            Self::Sqlite => Ok(vec![Place::new(program)?]),
            Self::Postgres { hosts } => {
                let shared = Shared::new()?;
                (0..hosts).map(|_| Place::sharing(program, Arc::clone(&shared))).collect()
            }
        }
    }
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
    let mut random = StdRng::seed_from_u64(options.seed);
    let places = options.data.places(&options.program)?;
    let mut servers = Vec::new();
    for place in &places {
        servers.push(place.start().await?);
    }
    let database = places.first().context("no host")?.database();
    let (mut load, caller) = Load::prepare(&servers[0].url, &Kind::ALONE).await?;
    load.point_to(servers.iter().map(|server| server.url.as_str()));
    load.start(&caller, Shape { callers: CALLERS, seed: options.seed, bulk: BULK });

    let (mut kills, mut kills_while_starting) = (0, 0);
    while kills < options.kills {
        let life = Duration::from_millis(random.random_range(LIFE_MS));
        let index = random.random_range(0..servers.len());
        let (place, server) = (&places[index], servers.remove(index));
        server.kill_after(life).await.map_err(|error| error.context(place.end_of_log()))?;
        load.point_to(servers.iter().map(|server| server.url.as_str()));
        kills += 1;
        while kills < options.kills && random.random_ratio(1, STILLBORN) {
            let life = Duration::from_millis(random.random_range(STILLBORN_LIFE_MS));
            place::kill_after(&mut place.spawn()?, life).await?;
            kills += 1;
            kills_while_starting += 1;
        }
        servers.insert(index, place.start().await?);
        load.point_to(servers.iter().map(|server| server.url.as_str()));
    }
    let ledger = load.finish().await?;
    let left_behind = Reader::open(&database).await?.unfinished().await?;
    drain(&database).await?;
    for server in servers {
        server.stop().await?;
    }

    let evidence = Reader::open(&database).await?.evidence().await?;
    Ok(Report {
        kills,
        kills_while_starting,
        actions: ledger.actions.len(),
        acknowledged: ledger.acknowledged(),
        executions: evidence.executions.len(),
        jobs: evidence.executions.iter().map(|execution| execution.jobs.stored).sum(),
        left_behind,
        took: begun.elapsed(),
        broken: broken_promises(&ledger, &evidence),
    })
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
        let Self { kills, kills_while_starting, actions, acknowledged, executions, jobs, left_behind, took, broken } =
            self;
        writeln!(f, "kills           {kills} ({kills_while_starting} of them while starting)")?;
        writeln!(f, "actions         {actions}, {acknowledged} acknowledged")?;
        writeln!(f, "executions      {executions} with {jobs} jobs, {left_behind} of them left to the last process")?;
        writeln!(f, "time            {:.1} s", took.as_secs_f64())?;
        write!(f, "broken promises {}", broken.len())
    }
}
