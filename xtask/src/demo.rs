//! The demo: a server on fresh data with the reimbursement example, and calls to paste into another terminal.

mod content;
mod scene;

use std::{fs, net::SocketAddr};

use anyhow::{Context, Result};
use scene::Scene;

use crate::{
    cargo,
    server::{ADMIN_EMAIL, Server},
};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Where the server listens
    #[arg(long, default_value = "127.0.0.1:13000")]
    listen: SocketAddr,
    /// Keep the data afterwards
    #[arg(long)]
    keep: bool,
    /// Stop after the example instead of serving until Ctrl-C
    #[arg(long)]
    once: bool,
}

pub(crate) async fn run(options: Options) -> Result<()> {
    let program = cargo::build_server(cargo::Profile::Dev)?;
    let metadata = cargo::metadata()?;
    let demos = metadata.target_directory.join("demo");
    fs::create_dir_all(&demos).with_context(|| format!("{demos} cannot be made"))?;
    let mut folder = tempfile::Builder::new().prefix("data-").tempdir_in(&demos)?;
    folder.disable_cleanup(options.keep);

    let manifest = metadata.workspace_root.join("plugin.toml");
    let mut server = Server::start(&program, manifest.as_std_path(), folder.path(), options.listen).await?;
    println!("the server answers at {} with fresh data in {}\n", server.url, folder.path().display());
    let scene = Scene::set_up(&server.url, &server.password).await?;
    scene.play().await?;
    scene.tell().await?;
    println!("\nTo try it yourself, signed in as {ADMIN_EMAIL} (password {}):", server.password);
    println!("{}", scene.calls().await?);

    if !options.once {
        println!("Serving until Ctrl-C; the server's log is {}", server.log.display());
        server.serve_until_interrupted().await?;
    }
    server.stop().await?;
    if options.keep {
        println!("the data stays in {}", folder.path().display());
    }
    Ok(())
}
