//! The PostgreSQL server of this process.

use std::{
    path::PathBuf,
    sync::{
        LazyLock,
        atomic::{AtomicBool, Ordering},
    },
};

use sqlx::postgres::PgConnectOptions;

use crate::{
    guard::{self, Guard},
    server::{Server, Wording, beside},
};

/// Makes a cluster in the folder `$1` with the programs in `$2`, starts it with `$settings`, and ends it when the input ends.
/// The locale is none that sorts by bytes: what has to, says so.
const GUARD: &str = r#"
trap '' INT TERM HUP
"$2/initdb" -D "$1/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --locale-provider=icu --icu-locale=en-US \
    --no-sync --no-instructions >"$1/initdb.log" 2>&1 \
&& "$2/pg_ctl" -D "$1/data" -l "$1/server.log" -w -t 60 start >"$1/start.log" 2>&1 -o "-k '$1' -c listen_addresses= \
    -c max_connections=500 $settings" \
&& echo ready
read -r forever
"$2/pg_ctl" -D "$1/data" -m immediate stop >/dev/null 2>&1
rm -rf "$1"
"#;

/// For tests nothing has to outlive a crash of the machine, so nothing is flushed.
const FORGETFUL: &str =
    "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c shared_buffers=64MB -c autovacuum=off";
/// For measurements a commit means what it means in earnest.
const DURABLE: &str = "-c shared_buffers=512MB -c max_wal_size=4GB";

/// Whether the server is to be started for measurements.
pub(super) static IS_DURABLE: AtomicBool = AtomicBool::new(false);

const WORDING: Wording = Wording { create: "", drop: " WITH (FORCE)" };

static SERVER: LazyLock<Result<Server, String>> = LazyLock::new(|| match std::env::var("DATABASE_URL") {
    Ok(url) => {
        let options: PgConnectOptions = url.parse().map_err(|error: sqlx::Error| error.to_string())?;
        Server::new(options, beside(&url), WORDING, None)
    }
    Err(_) => start(),
});

/// The server, or why there is none.
pub(super) fn server() -> Result<&'static Server, &'static str> {
    SERVER.as_ref().map_err(String::as_str)
}

fn start() -> Result<Server, String> {
    let settings = if IS_DURABLE.load(Ordering::Relaxed) { DURABLE } else { FORGETFUL };
    let guard = start_with(settings, &[])?;
    let options =
        PgConnectOptions::new_without_pgpass().socket(&guard.folder).username("postgres").database("postgres");
    let socket = guard.folder.display().to_string();
    Server::new(
        options,
        move |name| format!("postgres://postgres@localhost/{name}?host={socket}"),
        WORDING,
        Some(guard),
    )
}

/// Starts a server with more settings, in which `$1` is its folder, and files in that.
pub(super) fn start_with(settings: &str, files: &[(&str, String)]) -> Result<Guard, String> {
    // Where Debian puts it, the newest first.
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut installed: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    installed.sort();
    installed.reverse();
    let programs = guard::programs(&["initdb", "pg_ctl", "postgres"], installed)
        .ok_or("there is no PostgreSQL on this machine, and no DATABASE_URL")?;
    guard::post("postgres", &format!("settings=\"{settings}\"\n{GUARD}"), &programs, files)
}
