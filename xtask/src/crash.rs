//! Kills a server under load again and again, and compares what it acknowledged with what it did.

use anyhow::Result;

use crate::cargo::{self, Profile};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// How often the server is killed
    #[arg(long, default_value_t = 100)]
    kills: u32,
    /// Chooses the actions and the moments; random if left out
    #[arg(long)]
    seed: Option<u64>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let seed = options.seed.unwrap_or_else(rand::random);
    let server = cargo::build_server(Profile::Dev)?;
    let mut command = cargo::command(["run", "--quiet", "--package", "tests", "--bin", "crash", "--"])?;
    cargo::run(command.arg(server).arg(options.kills.to_string()).arg(seed.to_string()))
}
