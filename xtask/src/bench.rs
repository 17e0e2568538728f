//! Runs the benchmarks.

use anyhow::Result;

use crate::cargo;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only benchmarks whose name contains this
    filter: Option<String>,
}

pub(crate) fn run(options: Options) -> Result<()> {
    let mut command = cargo::command(["bench", "--package", "benches"])?;
    if let Some(filter) = options.filter {
        command.arg("--").arg(filter);
    }
    cargo::run(&mut command)
}
