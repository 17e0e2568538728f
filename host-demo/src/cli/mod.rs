//! The commands of `host-demo`. One file per command; each ends in an exit code.

mod backup;
mod migrate;
mod plugins;
mod serve;

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
    /// Runs the server until Ctrl-C or SIGTERM
    Serve(serve::ServeOptions),
    /// Copies the database's file, also while a server works with it
    Backup(backup::BackupOptions),
    /// Moves everything from one database into another one: from a file to a PostgreSQL server, or back
    Migrate(migrate::MigrateOptions),
    /// Looks at plugins and changes which there are, in a manifest or on a running server
    #[command(subcommand)]
    Plugins(plugins::PluginsCommand),
}

/// Runs the command that the process was called with.
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(options) => serve::run(options),
        Command::Backup(options) => backup::run(&options),
        Command::Migrate(options) => migrate::run(&options),
        Command::Plugins(command) => plugins::run(command),
    }
}
