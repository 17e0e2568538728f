//! `host-demo serve`: runs the server until it is told to stop.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{Args, builder::BoolishValueParser};
use workflow::{MailServer, OutsideOptions, Permission};

use crate::{
    bindings::Strictness,
    bootstrap::Admin,
    error::HostError,
    observe::{
        metrics::Metrics,
        spans::{LogFormat, Spans},
    },
    server::{HostRole, Server, ServerOptions},
};

/// What the server is told, by argument or environment.
#[derive(Debug, Args)]
pub(super) struct ServeOptions {
    /// Where the database and the token secret live; made if it is not there
    #[arg(long, env = "HOST_DATA_DIR", default_value = "data")]
    data_dir: PathBuf,
    /// The address to listen on; port 0 takes a free one
    #[arg(long, env = "HOST_LISTEN", default_value = "127.0.0.1:13000")]
    listen: SocketAddr,
    /// The plugins to load
    #[arg(long, env = "HOST_MANIFEST", default_value = "plugin.toml")]
    manifest: PathBuf,
    /// `sqlite:PATH` or `postgres://USER:PASSWORD@HOST:PORT/DATABASE`; by default the file host.db in the data directory
    #[arg(long, env = "HOST_DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
    /// What this host does, if several share a PostgreSQL database
    #[arg(long, env = "HOST_ROLE", value_enum, default_value_t)]
    role: HostRole,
    /// The secret that tokens are signed with, the same file for all hosts of a database; made if it is not there, by default
    /// the file token.secret in the data directory
    #[arg(long, env = "HOST_TOKEN_SECRET_FILE")]
    token_secret_file: Option<PathBuf>,
    /// The folder whose files may be added as SQLite data sources; without it none can be
    #[arg(long, env = "HOST_DATA_SOURCE_FOLDER")]
    data_source_folder: Option<PathBuf>,
    /// Lets the hosts of the database share this host's secret from now on, which ends all sessions; for one start, while no other host
    /// runs
    #[arg(long, env = "HOST_TOKEN_SECRET_CHANGED", value_parser = BoolishValueParser::new())]
    token_secret_changed: bool,
    /// Lets request nodes reach addresses that are not public: this machine, the local network
    #[arg(long, env = "HOST_ALLOW_PRIVATE_REQUESTS", value_parser = BoolishValueParser::new())]
    allow_private_requests: bool,
    /// Lets sql nodes read the database, past the rights of whoever triggers them
    #[arg(long, env = "HOST_ALLOW_SQL_NODES", value_parser = BoolishValueParser::new())]
    allow_sql_nodes: bool,
    /// Lets a request that names its button fire only what is bound to that button, and global workflows
    #[arg(long, env = "HOST_STRICT_BINDINGS", value_parser = BoolishValueParser::new())]
    strict_bindings: bool,
    /// The server that takes mail of notification nodes: `smtp://HOST:PORT`, `smtp://HOST?tls=required` or `smtps://HOST`, with
    /// `USER:PASSWORD@` before the host if it asks for them; without it no mail is sent
    #[arg(long, env = "HOST_SMTP_URL", hide_env_values = true, requires = "smtp_from")]
    smtp_url: Option<String>,
    /// Who sends that mail: `workflows@example.com` or `Workflows <workflows@example.com>`
    #[arg(long, env = "HOST_SMTP_FROM")]
    smtp_from: Option<String>,
    /// Where `GET /metrics` answers Prometheus, to anybody; nowhere by default
    #[arg(long, env = "HOST_METRICS_LISTEN")]
    metrics_listen: Option<SocketAddr>,
    /// How the log on the standard error looks
    #[arg(long, env = "HOST_LOG_FORMAT", value_enum, default_value = "text")]
    log_format: LogFormat,
}

/// The variables that the first start reads. They are no arguments, because other users can see those.
const EMAIL_VARIABLE: &str = "HOST_ADMIN_EMAIL";
const PASSWORD_VARIABLE: &str = "HOST_ADMIN_PASSWORD";
const EMAIL_DEFAULT: &str = "admin@example.com";

/// Runs the command.
pub(super) fn run(options: ServeOptions) -> ExitCode {
    let spans = match Spans::install(options.log_format) {
        Ok(spans) => spans,
        Err(error) => {
            eprintln!("spans cannot be exported: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|source| HostError::DataDir { path: options.data_dir.clone(), source })
        .and_then(|runtime| runtime.block_on(serve(options)));
    spans.flush();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(options: ServeOptions) -> Result<(), HostError> {
    let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let admin = Admin {
        email: text(EMAIL_VARIABLE).unwrap_or_else(|| EMAIL_DEFAULT.to_owned()),
        password: text(PASSWORD_VARIABLE),
    };
    let email = admin.email.clone();
    // Listened for before the start, so that a signal during it stops cleanly too.
    let told_to_stop = stop_signal();
    let metrics =
        options.metrics_listen.map(|address| Ok::<_, HostError>((Metrics::install()?, address))).transpose()?;
    let mail = match (&options.smtp_url, &options.smtp_from) {
        (Some(url), Some(from)) => Some(MailServer::new(url, from)?),
        _ => None,
    };
    let server = Server::start(ServerOptions {
        data_dir: options.data_dir,
        listen: options.listen,
        manifest: Some(options.manifest),
        database_url: options.database_url,
        role: options.role,
        token_secret: options.token_secret_file,
        token_secret_changed: options.token_secret_changed,
        admin,
        data_source_folder: options.data_source_folder,
        outside: OutsideOptions {
            private_requests: permission(options.allow_private_requests),
            sql: permission(options.allow_sql_nodes),
            mail,
        },
        strictness: if options.strict_bindings { Strictness::Strict } else { Strictness::Lenient },
        clock: store::Clock::default(),
    })
    .await?;
    if let Some(password) = server.made_password() {
        println!("made the root user {email}, shown this once, with password {password}");
    }
    if let Some((metrics, address)) = metrics {
        match server.serve_metrics(metrics, address).await {
            Ok(address) => println!("metrics on http://{address}/metrics"),
            Err(error) => {
                server.shutdown().await;
                return Err(error);
            }
        }
    }
    println!("listening on http://{}", server.local_addr());
    told_to_stop.await;
    tracing::info!("stopping");
    server.shutdown().await;
    Ok(())
}

fn permission(granted: bool) -> Permission {
    if granted { Permission::Granted } else { Permission::Denied }
}

#[cfg(unix)]
fn stop_signal() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
    async move {
        let waits = signals.into_iter().filter_map(Result::ok).map(|mut signal| {
            Box::pin(async move {
                signal.recv().await;
            })
        });
        futures::future::select_all(waits).await;
    }
}

#[cfg(not(unix))]
fn stop_signal() -> impl Future<Output = ()> {
    async {
        let _ = tokio::signal::ctrl_c().await;
    }
}
