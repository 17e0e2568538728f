//! `host-demo backup`: copies the database of a data directory, whether a server works with it or not.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

use crate::error::HostError;

/// What is copied, and where to.
#[derive(Debug, Args)]
pub(super) struct BackupOptions {
    /// The data directory; its database has to be a file
    #[arg(long, env = "HOST_DATA_DIR", default_value = "data")]
    data_dir: PathBuf,
    /// The copy, which must not be there yet
    file: PathBuf,
}

/// Runs the command.
pub(super) fn run(options: &BackupOptions) -> ExitCode {
    let from = options.data_dir.join("host.db");
    let copied = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| HostError::DataDir { path: from.clone(), source })
        .and_then(|runtime| Ok(runtime.block_on(store::back_up(&from, &options.file))?));
    match copied {
        Ok(bytes) => {
            println!("{}: {bytes} bytes", options.file.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{} is not copied: {error}", from.display());
            ExitCode::FAILURE
        }
    }
}
