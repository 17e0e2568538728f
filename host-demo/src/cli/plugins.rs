//! `host-demo plugins …`: looks at plugins and changes which of them there are: in a manifest, or on a running server.
//!
//! Without `--server` it does with the manifest what a server would: a plugin is loaded before the manifest says so.

mod local;
mod remote;
mod show;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};

use crate::plugins::{self, Change, PluginReport, PluginState};
use remote::Remote;

/// What can be done with plugins.
#[derive(Debug, Subcommand)]
pub(super) enum PluginsCommand {
    /// Shows each plugin and what it registers; fails if a required one fails
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Shows everything about one plugin
    Info {
        /// The plugin
        id: String,
        #[command(flatten)]
        place: Place,
    },
    /// Loads one library, without settings, and shows what it registers; fails if it cannot be loaded
    Check {
        /// The library: a path, or a bare crate name
        file: PathBuf,
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
    /// Switches a plugin on, after loading it; on a server, also puts it back in service
    Enable {
        /// The plugin
        id: String,
        #[command(flatten)]
        place: Place,
    },
    /// Switches a plugin off
    Disable {
        /// The plugin
        id: String,
        /// Also if it is required
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Lets another library take over, after loading it
    Upgrade {
        /// The plugin
        id: String,
        /// The library, as the manifest is to name it; by default the file that it names already
        #[arg(long)]
        library: Option<String>,
        /// The checksum that the manifest is to expect
        #[arg(long)]
        sha256: Option<String>,
        #[command(flatten)]
        place: Place,
    },
    /// Lets a server do what its manifest says now, about one plugin or all
    Reload {
        /// The plugin
        id: Option<String>,
        #[command(flatten)]
        server: Server,
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
}

/// Where the plugins are.
#[derive(Debug, Args)]
pub(super) struct Place {
    /// The manifest
    #[arg(long, default_value = "plugin.toml", conflicts_with = "server")]
    manifest: PathBuf,
    /// A running server instead, such as http://127.0.0.1:13000
    #[arg(long, requires = "token")]
    server: Option<String>,
    /// An administrator's token, of auth:signIn
    #[arg(long, env = "HOST_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// A running server.
#[derive(Debug, Args)]
pub(super) struct Server {
    /// The server, such as http://127.0.0.1:13000
    #[arg(long)]
    server: String,
    /// An administrator's token, of auth:signIn
    #[arg(long, env = "HOST_TOKEN", hide_env_values = true)]
    token: String,
}

impl Place {
    fn remote(&self) -> Option<Remote> {
        let (server, token) = (self.server.as_deref()?, self.token.as_deref().unwrap_or_default());
        Some(Remote::new(server, token))
    }
}

/// Runs the command. Reports go to the standard output, why a command failed to the standard error.
pub(super) fn run(command: PluginsCommand) -> ExitCode {
    let outcome = match command {
        PluginsCommand::List { place } => list(&place),
        PluginsCommand::Info { id, place } => info(&id, &place),
        PluginsCommand::Check { file, json } => {
            Ok(show::reports(&[plugins::check(&file)], json, |report| report.state == PluginState::Failed))
        }
        PluginsCommand::Enable { id, place } => change(&Change::Enable { id }, &place),
        PluginsCommand::Disable { id, force, place } => change(&Change::Disable { id, force }, &place),
        PluginsCommand::Upgrade { id, library, sha256, place } => {
            change(&Change::Upgrade { id, library, sha256 }, &place)
        }
        PluginsCommand::Reload { id, server, json } => {
            let remote = Remote::new(&server.server, &server.token);
            match id {
                Some(id) => remote.change(&Change::Reload { id }).map(|details| show::details(&details, json)),
                None => remote.reload_all().map(|reports| show_list(&reports, json)),
            }
        }
    };
    outcome.unwrap_or_else(|line| {
        eprintln!("{line}");
        ExitCode::FAILURE
    })
}

fn list(place: &Place) -> Result<ExitCode, String> {
    let reports = match place.remote() {
        Some(remote) => remote.list()?,
        None => local::list(&place.manifest)?,
    };
    Ok(show_list(&reports, place.json))
}

fn show_list(reports: &[PluginReport], json: bool) -> ExitCode {
    show::reports(reports, json, PluginReport::stops_the_host)
}

fn info(id: &str, place: &Place) -> Result<ExitCode, String> {
    let details = match place.remote() {
        Some(remote) => remote.info(id)?,
        None => local::info(&place.manifest, id)?,
    };
    Ok(show::details(&details, place.json))
}

fn change(change: &Change, place: &Place) -> Result<ExitCode, String> {
    let details = match place.remote() {
        Some(remote) => remote.change(change)?,
        None => local::change(&place.manifest, change)?,
    };
    Ok(show::reports(&[details.report], place.json, |_| false))
}
