//! Kills a server under load, or cuts it off from its database, again and again, and compares what it acknowledged with what it did.

use anyhow::Result;

use crate::cargo::{self, Profile};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Where the data is: `sqlite`, or `postgres`, of which a server is started
    #[arg(long, value_parser = ["sqlite", "postgres"], default_value = "sqlite")]
    database: String,
    /// How many hosts share the database; one of them is killed at a time
    #[arg(long, default_value_t = 1)]
    hosts: u32,
    /// How often a server is killed
    #[arg(long, default_value_t = 100)]
    kills: u32,
    /// How often a host is cut off from a PostgreSQL database for a while, beside the kills
    #[arg(long, default_value_t = 0)]
    cuts: u32,
    /// Chooses the actions and the moments; random if left out
    #[arg(long)]
    seed: Option<u64>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let seed = options.seed.unwrap_or_else(rand::random);
    let server = cargo::build_server(Profile::Dev)?;
    let mut command = cargo::command(["run", "--quiet", "--package", "tests", "--bin", "crash", "--"])?;
    command.arg(server).arg(&options.database).arg(options.hosts.to_string());
    command.arg(options.kills.to_string()).arg(options.cuts.to_string()).arg(seed.to_string());
    cargo::run(&mut command)
}
