//! The server as a process.

use std::{
    env::{self, consts},
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    time::Duration,
};

use tempfile::TempDir;

use super::{Client, eventually};

pub(crate) const EMAIL: &str = "admin@example.com";
pub(crate) const PASSWORD: &str = "a-password-for-one-test";

/// The manifest that the project ships, for a server whose plugins lie where cargo put them.
pub(crate) const BUILT_IN_PLUGINS: &str = include_str!("../../../../plugin.toml");

/// The library that cargo built of a crate: beside this test's executable.
pub(crate) fn library(crate_name: &str) -> PathBuf {
    let executable = env::current_exe().expect("the path of this test");
    executable.with_file_name(format!("{}{crate_name}{}", consts::DLL_PREFIX, consts::DLL_SUFFIX))
}

/// How a server starts.
#[derive(Clone)]
pub(crate) struct HostOptions {
    pub(crate) manifest: String,
    pub(crate) password: Option<&'static str>,
    /// What goes to the log.
    pub(crate) log: &'static str,
    /// Variables besides the usual ones.
    pub(crate) environment: Vec<(&'static str, String)>,
}

impl Default for HostOptions {
    fn default() -> Self {
        Self { manifest: BUILT_IN_PLUGINS.to_owned(), password: Some(PASSWORD), log: "info", environment: Vec::new() }
    }
}

/// A running server with a data directory of its own. Dropping it kills the process and removes the directory.
pub(crate) struct Host {
    child: Child,
    folder: TempDir,
    options: HostOptions,
    base_url: String,
    /// What the server printed before it listened.
    pub(crate) greeting: Vec<String>,
}

impl Host {
    pub(crate) async fn start() -> Self {
        Self::start_with(HostOptions::default()).await
    }

    pub(crate) async fn start_with(options: HostOptions) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("plugin.toml"), &options.manifest).expect("the manifest is written");
        Self::run(folder, options).await
    }

    /// Starts a server on a copy of a database.
    pub(crate) async fn start_on(database: &Path) -> Self {
        let (folder, options) = (tempfile::tempdir().expect("a temporary folder"), HostOptions::default());
        fs::write(folder.path().join("plugin.toml"), &options.manifest).expect("the manifest is written");
        fs::create_dir(data_dir(folder.path())).expect("the data directory");
        fs::copy(database, data_dir(folder.path()).join("host.db")).expect("the copy is put there");
        Self::run(folder, options).await
    }

    /// Starts a server that is expected not to come up; answers its exit status and what it wrote.
    pub(crate) fn refuse(options: &HostOptions) -> (ExitStatus, String) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("plugin.toml"), &options.manifest).expect("the manifest is written");
        let output = command(folder.path(), options).output().expect("the server runs");
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        (output.status, text)
    }

    async fn run(folder: TempDir, options: HostOptions) -> Self {
        let mut child = command(folder.path(), &options)
            .stdout(Stdio::piped())
            .stderr(log_file(folder.path()))
            .spawn()
            .expect("the server starts");
        let lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        // A handful of lines are printed before `listening on`; later ones are dropped with the receiver.
        let (sender, receiver) = mpsc::sync_channel(64);
        // Reads to the end, so that the server never blocks on a full pipe.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| drop(sender.send(line))));
        let mut greeting = Vec::new();
        let base_url = loop {
            let Ok(line) = receiver.recv_timeout(Duration::from_secs(60)) else {
                let log = fs::read_to_string(folder.path().join("stderr.log")).unwrap_or_default();
                panic!("the server did not come up: {greeting:?}\n{log}");
            };
            if let Some(url) = line.strip_prefix("listening on ") {
                break url.to_owned();
            }
            greeting.push(line);
        };
        Self { child, folder, options, base_url, greeting }
    }

    pub(crate) fn base_url(&self) -> &str {
        &self.base_url
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        data_dir(self.folder.path())
    }

    /// Its plugin manifest.
    pub(crate) fn manifest(&self) -> PathBuf {
        self.folder.path().join("plugin.toml")
    }

    /// What the server logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("stderr.log")).expect("the log is there")
    }

    /// A client that is signed in as the root user.
    pub(crate) async fn admin(&self) -> Client {
        Client::sign_in(self.base_url(), EMAIL, self.options.password.expect("the password is known")).await
    }

    /// `kill -9`, then a new process on the same data.
    pub(crate) async fn crash_and_restart(mut self) -> Self {
        self.kill();
        self.restart().await
    }

    /// What the metrics page says of one sample, by its name and labels.
    pub(crate) async fn metric(&self, sample: &str) -> f64 {
        let url = self.greeting.iter().find_map(|line| line.strip_prefix("metrics on ")).expect("it is printed");
        let page = reqwest::get(url).await.expect("an answer").text().await.expect("a page");
        let line = page.lines().find_map(|line| line.strip_prefix(sample));
        line.unwrap_or_else(|| panic!("{sample} in {page}")).trim().parse().expect("a number")
    }

    /// A new process on the same data directory and another database, after the old one has ended.
    pub(crate) async fn restart_on(mut self, database_url: &str) -> Self {
        self.options.environment.push(("HOST_DATABASE_URL", database_url.to_owned()));
        self.restart().await
    }

    /// A new process on the same data, after the old one has ended.
    pub(crate) async fn restart(mut self) -> Self {
        self.child.wait().expect("the server is reaped");
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().expect("a temporary folder"));
        Self::run(folder, self.options.clone()).await
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("the server is killed");
        self.child.wait().expect("the server is reaped");
    }

    /// SIGTERM; answers the exit status.
    pub(crate) async fn terminate(&mut self) -> ExitStatus {
        let signalled =
            Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status().expect("kill(1) runs");
        assert!(signalled.success());
        eventually("the server stops", async || self.child.try_wait().expect("the child can be asked")).await
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn data_dir(folder: &Path) -> PathBuf {
    folder.join("data")
}

fn log_file(folder: &Path) -> fs::File {
    fs::File::options().create(true).append(true).open(folder.join("stderr.log")).expect("the log file opens")
}

/// `serve` with nothing inherited from the environment that could change it.
fn command(folder: &Path, options: &HostOptions) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_host"));
    match test_database::chosen_for(folder) {
        Some(url) => command.env("HOST_DATABASE_URL", url),
        None => command.env_remove("HOST_DATABASE_URL"),
    };
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(data_dir(folder))
        .arg("--manifest")
        .arg(folder.join("plugin.toml"))
        .env("HOST_ADMIN_EMAIL", EMAIL)
        .env("RUST_LOG", options.log)
        .env("NO_COLOR", "1")
        .envs(options.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null());
    match options.password {
        Some(password) => command.env("HOST_ADMIN_PASSWORD", password),
        None => command.env_remove("HOST_ADMIN_PASSWORD"),
    };
    command
}
