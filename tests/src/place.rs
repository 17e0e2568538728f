//! A folder with a server's data, and the process that serves it.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use test_database::{Database, TestDatabase};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

pub(crate) const EMAIL: &str = "admin@example.com";
pub(crate) const PASSWORD: &str = "a-password-for-one-run";

const MANIFEST: &str = "[[plugin]]\nid = \"workflow-action-trigger\"\n\
    library = \"plugin_workflow_action_trigger\"\nrequired = true\n";

/// How long a server may take to listen, or to stop, on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where a server keeps its data; removed when dropped.
pub(crate) struct Place {
    program: PathBuf,
    folder: TempDir,
    shared: Option<Sharing>,
}

/// A place among others.
struct Sharing {
    shared: Arc<Shared>,
    /// The way to the database.
    url: String,
}

/// What several servers have in common.
pub(crate) struct Shared {
    database: TestDatabase,
    secrets: TempDir,
}

impl Shared {
    /// A new database of a PostgreSQL server.
    pub(crate) fn new() -> Result<Arc<Self>> {
        if !test_database::begin(Database::Postgres) {
            bail!("there is no PostgreSQL");
        }
        Ok(Arc::new(Self { database: TestDatabase::new(), secrets: tempfile::tempdir()? }))
    }

    /// The database's URL.
    pub(crate) fn url(&self) -> &str {
        self.database.url()
    }
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    /// Kept open: a server whose output goes nowhere would stop at its next line.
    _output: Lines<BufReader<ChildStdout>>,
    /// Where it answers, such as `http://127.0.0.1:13000`.
    pub(crate) url: String,
}

impl Place {
    /// A place with a database of its own, in a file.
    pub(crate) fn new(program: &Path) -> Result<Self> {
        Self::of(program, None)
    }

    /// A place on a database that others share, to which `url` leads from there.
    pub(crate) fn sharing(program: &Path, shared: Arc<Shared>, url: &str) -> Result<Self> {
        Self::of(program, Some(Sharing { shared, url: url.to_owned() }))
    }

    fn of(program: &Path, shared: Option<Sharing>) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("plugin.toml"), MANIFEST)?;
        Ok(Self { program: program.to_owned(), folder, shared })
    }

    /// The database's URL, for who looks at it from outside.
    pub(crate) fn database(&self) -> String {
        match &self.shared {
            Some(sharing) => sharing.shared.url().to_owned(),
            None => format!("sqlite:{}", self.folder.path().join("data").join("host.db").display()),
        }
    }

    /// Starts a process on the data.
    pub(crate) fn spawn(&self) -> Result<Child> {
        let log = File::options().create(true).append(true).open(self.log())?;
        let mut command = Command::new(&self.program);
        match &self.shared {
            Some(Sharing { shared, url }) => {
                command.env("HOST_TOKEN_SECRET_FILE", shared.secrets.path().join("token.secret"));
                command.env("HOST_DATABASE_URL", url)
            }
            None => command.env("HOST_DATABASE_URL", self.database()),
        };
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(self.folder.path().join("data"))
            .arg("--manifest")
            .arg(self.folder.path().join("plugin.toml"))
            .env("HOST_ADMIN_EMAIL", EMAIL)
            .env("HOST_ADMIN_PASSWORD", PASSWORD)
            .env("RUST_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} does not start", self.program.display()))
    }

    /// Starts a server and waits until it listens.
    pub(crate) async fn start(&self) -> Result<Server> {
        let mut child = self.spawn()?;
        let mut output = BufReader::new(child.stdout.take().context("the output is piped")?).lines();
        let listening = async {
            while let Some(line) = output.next_line().await? {
                if let Some(url) = line.strip_prefix("listening on ") {
                    return Ok(url.to_owned());
                }
            }
            bail!("the server ended before it listened")
        };
        match timeout(PATIENCE, listening).await {
            Ok(Ok(url)) => Ok(Server { child, _output: output, url }),
            Ok(Err(error)) => bail!("{error:#}; its log ends with:\n{}", self.end_of_log()),
            Err(_) => bail!("the server does not listen after {PATIENCE:?}; its log ends with:\n{}", self.end_of_log()),
        }
    }

    pub(crate) fn end_of_log(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// Bytes of the database with its log.
    pub(crate) fn database_bytes(&self) -> u64 {
        let files = ["host.db", "host.db-wal"].map(|name| self.folder.path().join("data").join(name));
        files.iter().filter_map(|file| fs::metadata(file).ok()).map(|file| file.len()).sum()
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }
}

impl Server {
    /// Lets it live so long, then kills it: SIGKILL, without warning. An error if it has ended by itself.
    pub(crate) async fn kill_after(mut self, life: Duration) -> Result<()> {
        kill_after(&mut self.child, life).await
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn ended(&mut self) -> std::io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Asks it to end (SIGTERM), and waits until it has.
    pub(crate) async fn stop(mut self) -> Result<()> {
        if let Some(pid) = self.child.id().and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed())) {
            rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        }
        let status = timeout(PATIENCE, self.child.wait()).await.context("the server does not stop")??;
        if !status.success() {
            bail!("the server stopped with {status}");
        }
        Ok(())
    }

    /// Bytes of memory it holds, where the system tells.
    pub(crate) fn resident_bytes(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()?)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kibibytes * 1024)
    }
}

/// Kills a process after so long; an error if it has failed by itself.
pub(crate) async fn kill_after(child: &mut Child, life: Duration) -> Result<()> {
    let ended: Result<std::io::Result<ExitStatus>, _> = timeout(life, child.wait()).await;
    if let Ok(status) = ended {
        bail!("the server ended by itself with {}", status?);
    }
    child.kill().await?;
    Ok(())
}
