//! The hosts of a run: where they are, who of them is there, and what is done to them one at a time.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use rand::{rngs::StdRng, seq::SliceRandom};
use tokio::{
    sync::{Mutex as Turn, MutexGuard as Held, watch},
    time::{Instant, interval, timeout},
};

use crate::{
    cable::{Cable, Outage},
    crash::Data,
    place::{self, Place, Server, Shared},
};

/// Longer than a host takes to say that it has lost its database, or that it has it again, on a loaded machine.
const NOTICED_WITHIN: Duration = Duration::from_secs(30);
/// How often it is asked.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// The hosts.
pub(crate) struct Fleet {
    machines: Vec<Turn<Machine>>,
    /// Where they answer, those that are away left out.
    urls: Mutex<Vec<Option<String>>>,
    address: watch::Sender<Vec<String>>,
}

/// One of them, for as long as something is done to it.
pub(crate) struct Machine {
    number: usize,
    pub(crate) place: Place,
    cable: Option<Cable>,
    server: Option<Server>,
}

impl Fleet {
    /// Starts all of them.
    pub(crate) async fn start(program: &Path, data: Data) -> Result<Self> {
        let mut machines = Vec::new();
        match data {
            Data::Sqlite => machines.push((Place::new(program)?, None)),
            Data::Postgres { hosts } => {
                let shared = Shared::new()?;
                for _ in 0..hosts {
                    let cable = Cable::to(shared.url()).await?;
                    machines.push((Place::sharing(program, Arc::clone(&shared), cable.url())?, Some(cable)));
                }
            }
        }
        let urls = Mutex::new(vec![None; machines.len()]);
        let numbered = machines.into_iter().enumerate();
        let machines = numbered
            .map(|(number, (place, cable))| Turn::new(Machine { number, place, cable, server: None }))
            .collect();
        let fleet = Self { machines, urls, address: watch::Sender::new(Vec::new()) };
        for machine in &fleet.machines {
            fleet.bring_back(&mut *machine.lock().await).await?;
        }
        Ok(fleet)
    }

    /// Where the hosts answer that are there.
    pub(crate) fn address(&self) -> watch::Receiver<Vec<String>> {
        self.address.subscribe()
    }

    /// The database's URL, past all cables.
    pub(crate) async fn database(&self) -> Result<String> {
        Ok(self.machines.first().context("no host")?.lock().await.place.database())
    }

    /// Any of those to which nothing is done at the moment; waits for one.
    pub(crate) async fn any(&self, random: &mut StdRng) -> Result<Held<'_, Machine>> {
        let mut order: Vec<&Turn<Machine>> = self.machines.iter().collect();
        order.shuffle(random);
        match order.iter().find_map(|machine| machine.try_lock().ok()) {
            Some(machine) => Ok(machine),
            None => Ok(order.first().context("no host")?.lock().await),
        }
    }

    /// Lets a host live so long, then kills it: SIGKILL, without warning.
    pub(crate) async fn kill_after(&self, machine: &mut Machine, life: Duration) -> Result<()> {
        let server = machine.server.take().context("it is away already")?;
        server.kill_after(life).await.map_err(|error| error.context(machine.place.end_of_log()))?;
        self.tell(machine.number, None);
        Ok(())
    }

    /// Starts it, and kills it after so long, before it listens most of the time.
    pub(crate) async fn start_and_kill(&self, machine: &Machine, life: Duration) -> Result<()> {
        place::kill_after(&mut machine.place.spawn()?, life).await
    }

    /// Starts it again, on the same data.
    pub(crate) async fn bring_back(&self, machine: &mut Machine) -> Result<()> {
        let server = machine.place.start().await?;
        self.tell(machine.number, Some(server.url.clone()));
        machine.server = Some(server);
        Ok(())
    }

    fn tell(&self, number: usize, url: Option<String>) {
        let mut urls = self.urls.lock().unwrap_or_else(PoisonError::into_inner);
        urls[number] = url;
        self.address.send_replace(urls.iter().flatten().cloned().collect());
    }

    /// Stops all. The database is there as long as the fleet is.
    pub(crate) async fn stop(&self) -> Result<()> {
        for machine in &self.machines {
            let server = machine.lock().await.server.take();
            if let Some(server) = server {
                server.stop().await?;
            }
        }
        Ok(())
    }
}

impl Machine {
    /// Cuts it off from the database for so long.
    pub(crate) async fn cut_off(&mut self, outage: Outage, for_so_long: Duration) -> Result<()> {
        let until = Instant::now() + for_so_long;
        self.cable.as_mut().context("there is nothing to cut")?.cut(outage).await;
        // A shorter outage may pass unnoticed.
        if for_so_long > NOTICED_WITHIN / 2 {
            self.says(503).await.with_context(|| format!("cut off: {outage:?}"))?;
        }
        self.lives_until(until).await?;
        self.cable.as_mut().context("there is nothing to mend")?.mend().await?;
        self.says(200).await.with_context(|| format!("healed after {for_so_long:?} of {outage:?}"))
    }

    /// Waits until this moment; an error if it ends by itself.
    pub(crate) async fn lives_until(&mut self, until: Instant) -> Result<()> {
        let server = self.server.as_mut().context("it is away")?;
        match timeout(until.saturating_duration_since(Instant::now()), server.ended()).await {
            Ok(status) => {
                bail!("the server ended by itself with {}; its log ends with:\n{}", status?, self.place.end_of_log())
            }
            Err(_still_there) => Ok(()),
        }
    }

    /// Waits until it says whether it is ready.
    async fn says(&mut self, status: u16) -> Result<()> {
        let url = format!("{}/readyz", self.server.as_ref().context("it is away")?.url);
        let saying = async {
            let mut ticks = interval(ASK_EVERY);
            loop {
                ticks.tick().await;
                if reqwest::get(&url).await.is_ok_and(|answer| answer.status() == status) {
                    return;
                }
            }
        };
        let said = timeout(NOTICED_WITHIN, saying).await;
        said.with_context(|| format!("{url} does not say {status}; its log ends with:\n{}", self.place.end_of_log()))
    }
}
