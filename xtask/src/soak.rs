//! A day's work in a short time: memory and files are watched, and in the end every promise is checked.

use anyhow::Result;

use crate::cargo::{self, Profile};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// How many executions it takes
    #[arg(long, default_value_t = 200_000)]
    executions: u64,
    /// How often the server is restarted, by turns killed and asked to stop
    #[arg(long, default_value_t = 24)]
    restarts: u64,
    /// Chooses the actions; random if left out
    #[arg(long)]
    seed: Option<u64>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let seed = options.seed.unwrap_or_else(rand::random);
    let server = cargo::build_server(Profile::Release)?;
    let mut command = cargo::command(["run", "--quiet", "--package", "tests", "--bin", "soak"])?;
    command
        .args(Profile::Release.args())
        .arg("--")
        .arg(server)
        .arg(options.executions.to_string())
        .arg(options.restarts.to_string());
    cargo::run(command.arg(seed.to_string()))
}
