//! Why a server does not start or keep running: for the operator, one readable line each.

use std::{net::SocketAddr, path::PathBuf};

use store::{StoreError, TransferError};
use workflow::{EngineError, MailError};

use crate::plugins::PluginHostError;

/// Why the server does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The data directory, or a file in it, cannot be used.
    #[error("{} cannot be used: {source}", path.display())]
    DataDir {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Another server works with the data directory; two would run the same executions.
    #[error("{} is in use by another server", path.display())]
    DataDirInUse {
        /// The folder.
        path: PathBuf,
    },
    /// Others may read the token secret: whoever has it can sign in as anybody.
    #[error("{} can be read by others: run `chmod 600 {}`, or delete it to end all sessions", path.display(), path.display())]
    SecretExposed {
        /// The file.
        path: PathBuf,
    },
    /// The token secret is not what this server wrote.
    #[error("{} is damaged: delete it to make a new one, which ends all sessions", path.display())]
    SecretDamaged {
        /// The file.
        path: PathBuf,
    },
    /// Other hosts of the database sign tokens with another secret.
    #[error(
        "the token secret {} is not the one that this database's hosts sign tokens with: use their file (--token-secret-file), or, if it \
         was changed on purpose, stop them all and start one with --token-secret-changed",
        path.display()
    )]
    OtherSecret {
        /// The file.
        path: PathBuf,
    },
    /// A part of the work is to be left to other hosts, and there can be none.
    #[error(
        "--role serve and --role work are for hosts that share a PostgreSQL database; on SQLite a host does everything"
    )]
    Alone,
    /// The address of the first user is none.
    #[error("HOST_ADMIN_EMAIL has to be an e-mail address, not \"{0}\"")]
    AdminEmail(String),
    /// The password of the first user is none.
    #[error("HOST_ADMIN_PASSWORD: {0}")]
    AdminPassword(StoreError),
    /// The plugins stop the start.
    #[error(transparent)]
    Plugins(#[from] PluginHostError),
    /// The database fails.
    #[error("the database cannot be used: {}", causes(.0))]
    Store(#[from] StoreError),
    /// The database is not moved.
    #[error("{}", causes(.0))]
    Transfer(#[from] TransferError),
    /// The engine fails.
    #[error("the workflow engine did not start: {}", causes(.0))]
    Engine(#[from] EngineError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The server for mail, or its sender, makes no sense.
    #[error("mail cannot be sent: {0}")]
    Mail(#[from] MailError),
    /// The process counts already.
    #[error("the metrics cannot be kept: {0}")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
    /// A task of the start was given up.
    #[error("the start was interrupted")]
    Interrupted,
}

/// An error with everything that is known about why, in one line.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        // Some errors say what their cause says, too.
        if !line.ends_with(&text) {
            line = format!("{line}: {text}");
        }
        source = cause.source();
    }
    line
}
