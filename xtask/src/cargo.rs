//! Runs cargo as a person would, and asks it what it built.

use std::{
    env,
    ffi::OsStr,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use cargo_metadata::{Message, Metadata, MetadataCommand};

/// The server's package, and the name of its program.
const SERVER: &str = "host-demo";

/// Describes the workspace.
pub(crate) fn metadata() -> Result<Metadata> {
    MetadataCommand::new().exec().context("cargo metadata did not answer")
}

/// Where plugins outside of the workspace are built: they share what they depend on with each other, and nothing with the
/// workspace, whose builds would wait for theirs.
pub(crate) fn authors_target(metadata: &Metadata) -> PathBuf {
    metadata.target_directory.join("tmp/authors").into()
}

/// Starts a cargo command line in the workspace's root, whatever folder the task was called from.
pub(crate) fn command<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Result<Command> {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(metadata()?.workspace_root);
    Ok(command)
}

/// Echoes a command, runs it to its end and fails if it does.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = echo(command);
    let status = command.status().with_context(|| format!("`{line}` did not start"))?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    Ok(())
}

/// Like [`run`], and hands each line of the standard output to `see` as it is passed on.
pub(crate) fn run_watching(command: &mut Command, mut see: impl FnMut(&str)) -> Result<()> {
    let line = echo(command);
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("`{line}` did not start"))?;
    let stdout = child.stdout.take().context("the output is piped")?;
    for output in BufReader::new(stdout).split(b'\n') {
        let output = output?;
        let output = String::from_utf8_lossy(&output);
        println!("{output}");
        see(&output);
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    Ok(())
}

/// How programs are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Quickly.
    Dev,
    /// To be quick.
    Release,
}

impl Profile {
    /// What cargo is told.
    pub(crate) fn args(self) -> &'static [&'static str] {
        match self {
            Self::Dev => &[],
            Self::Release => &["--release"],
        }
    }
}

/// Builds the server, and with it the plugins it depends on, whose libraries it finds beside itself; answers with the
/// program.
pub(crate) fn build_server(profile: Profile) -> Result<PathBuf> {
    let mut command = command(["build", "--message-format", "json-render-diagnostics", "--package", SERVER])?;
    command.args(profile.args());
    let line = echo(&command);
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("`{line}` did not start"))?;
    let stdout = child.stdout.take().context("the output is piped")?;
    let mut server = None;
    for message in Message::parse_stream(BufReader::new(stdout)) {
        let Message::CompilerArtifact(artifact) = message? else { continue };
        if artifact.target.name == SERVER && artifact.executable.is_some() {
            server = artifact.executable;
        }
    }
    if !child.wait()?.success() {
        bail!("`{line}` failed");
    }
    server.map(Into::into).with_context(|| format!("{SERVER} has no program"))
}

fn echo(command: &Command) -> String {
    let program = PathBuf::from(command.get_program());
    let program = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let words: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
    let line = format!("{program} {}", words.join(" "));
    eprintln!("$ {line}");
    line
}
