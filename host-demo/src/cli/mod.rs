//! The commands of `host-demo`. One file per command; each ends in an exit code.

mod plugins;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "host-demo", version, about = "Keeps people's data and runs their workflows")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Shows what became of plugins, without starting the server
    #[command(subcommand)]
    Plugins(plugins::PluginsCommand),
}

/// Runs the command that the process was called with.
pub fn run() -> ExitCode {
    match Cli::parse().command {
        Command::Plugins(command) => plugins::run(&command),
    }
}
