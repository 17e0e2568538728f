//! Runs the black-box HTTP suite against a fresh server. The suite lives outside the project; the gate does not need it.

use std::{
    path::{Path, PathBuf},
    process::{self, Stdio},
};

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use crate::{
    cargo,
    server::{self, ADMIN_EMAIL, Server},
};

/// The groups of what is built.
const GROUPS: &str = "^[ABCDEFGHIJKLMNOPQ]";

#[derive(clap::Args)]
pub(crate) struct Options {
    /// The folder with conformance.py and golden.json
    #[arg(long, env = "CONFORMANCE_SUITE", default_value = "../shared/conformance")]
    suite: PathBuf,
    /// Only cases whose id matches
    #[arg(long, default_value = GROUPS)]
    only: String,
}

/// Ends the process with the suite's own exit code.
pub(crate) async fn run(options: Options) -> Result<()> {
    let metadata = cargo::metadata()?;
    let suite = metadata.workspace_root.as_std_path().join(&options.suite);
    let script = suite.join("conformance.py");
    if !script.is_file() {
        bail!("{} is not there: name the suite's folder with --suite or CONFORMANCE_SUITE", script.display());
    }
    check_python().await?;

    let program = cargo::build_server(cargo::Profile::Dev)?;
    let folder = tempfile::tempdir()?;
    let manifest = metadata.workspace_root.join("plugin.toml");
    let server = Server::start(&program, manifest.as_std_path(), folder.path(), server::free_address()?).await?;
    let code = run_suite(&script, &suite.join("golden.json"), &options.only, &server).await?;
    server.stop().await?;
    if code != 0 {
        drop(folder);
        process::exit(code);
    }
    Ok(())
}

async fn check_python() -> Result<()> {
    let check = Command::new("python3").args(["-c", "import requests"]).stderr(Stdio::null()).status().await;
    match check {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => bail!("python3 has no `requests`: install it, for instance with `python3 -m pip install requests`"),
        Err(error) => Err(error).context("python3 is needed to run the suite"),
    }
}

async fn run_suite(script: &Path, golden: &Path, only: &str, server: &Server) -> Result<i32> {
    let status = Command::new("python3")
        .arg(script)
        .arg(&server.url)
        .args(["--email", ADMIN_EMAIL, "--password", &server.password, "--only", only])
        .arg("--golden")
        .arg(golden)
        .status()
        .await
        .context("the suite did not start")?;
    status.code().context("the suite was killed")
}
