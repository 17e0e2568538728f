//! Starts the built server on a data directory of its own, waits until it is ready, stops it as a service manager would.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use rand::distr::{Alphanumeric, SampleString};
use tokio::{
    process::{Child, Command},
    time,
};

/// The first user of a fresh server.
pub(crate) const ADMIN_EMAIL: &str = "admin@example.com";

/// How long a fresh server may take until it is ready: it makes a database and hashes one password, unoptimised.
const START_SECONDS: u64 = 60;
/// How long a server may take to finish what it has begun.
const STOP_SECONDS: u64 = 30;
/// Twenty letters and digits are 119 bits.
const PASSWORD_CHARS: usize = 20;
/// What of the log is shown when a server does not start.
const LOG_LINES_SHOWN: usize = 20;

/// A running server; dropped without [`Server::stop`], it is killed.
pub(crate) struct Server {
    child: Child,
    /// Where it answers, such as `http://127.0.0.1:13000`.
    pub(crate) url: String,
    /// The password of [`ADMIN_EMAIL`], made for this server.
    pub(crate) password: String,
    /// Where its output goes.
    pub(crate) log: PathBuf,
}

impl Server {
    /// Starts the program on `folder`, which must be fresh, and waits until it is ready.
    pub(crate) async fn start(program: &Path, manifest: &Path, folder: &Path, listen: SocketAddr) -> Result<Self> {
        // Asked before starting: otherwise whoever listens there might answer in the server's place.
        TcpListener::bind(listen).with_context(|| format!("{listen} cannot be listened on"))?;
        let log = folder.join("server.log");
        let output = File::create(&log).with_context(|| format!("{} cannot be written", log.display()))?;
        let password = Alphanumeric.sample_string(&mut rand::rng(), PASSWORD_CHARS);
        let child = Command::new(program)
            .arg("serve")
            .arg("--data-dir")
            .arg(folder.join("data"))
            .args(["--listen", &listen.to_string()])
            .arg("--manifest")
            .arg(manifest)
            .env("HOST_ADMIN_EMAIL", ADMIN_EMAIL)
            .env("HOST_ADMIN_PASSWORD", &password)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} did not start", program.display()))?;
        let mut server = Self { child, url: format!("http://{listen}"), password, log };
        if let Err(error) = server.wait_until_ready().await {
            bail!("{error:#}; the end of its log:\n{}", server.end_of_log());
        }
        Ok(server)
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build()?;
        let readyz = format!("{}/readyz", self.url);
        let mut every = time::interval(Duration::from_millis(50));
        let ready = async {
            loop {
                every.tick().await;
                if client.get(&readyz).send().await.is_ok_and(|answer| answer.status().is_success()) {
                    return;
                }
            }
        };
        tokio::select! {
            () = ready => Ok(()),
            status = self.child.wait() => bail!("the server ended before it was ready ({})", status?),
            () = time::sleep(Duration::from_secs(START_SECONDS)) => {
                bail!("the server was not ready after {START_SECONDS} s")
            }
        }
    }

    /// Waits until Ctrl-C, or until the server ends by itself, which is an error.
    pub(crate) async fn serve_until_interrupted(&mut self) -> Result<()> {
        tokio::select! {
            signal = tokio::signal::ctrl_c() => Ok(signal?),
            status = self.child.wait() => bail!("the server ended ({}); see {}", status?, self.log.display()),
        }
    }

    /// Asks the server to end, and waits until it has.
    pub(crate) async fn stop(mut self) -> Result<()> {
        self.ask_to_end()?;
        match time::timeout(Duration::from_secs(STOP_SECONDS), self.child.wait()).await {
            Ok(status) => match status? {
                status if status.success() => Ok(()),
                status => bail!("the server ended with {status}; the end of its log:\n{}", self.end_of_log()),
            },
            Err(_) => {
                self.child.kill().await?;
                bail!("the server did not end within {STOP_SECONDS} s")
            }
        }
    }

    #[cfg(unix)]
    fn ask_to_end(&mut self) -> Result<()> {
        // No pid: it has ended already, for instance because Ctrl-C reached it too.
        if let Some(pid) = self.child.id().and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed())) {
            rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        }
        Ok(())
    }

    #[cfg(not(unix))]
    fn ask_to_end(&mut self) -> Result<()> {
        Ok(self.child.start_kill()?)
    }

    fn end_of_log(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n")
    }
}

/// Picks an address that nobody listens on now.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
