//! The running server: starts everything in order, and stops it in the reverse order.

use std::{fs::File, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use store::{Clock, Store};
use tokio::{net::TcpListener, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;
use workflow::{Engine, EngineOptions, Instance, OutsideOptions};

use crate::{
    access::Tokens,
    bindings::Strictness,
    bootstrap::{self, Admin},
    clock,
    data_sources::{self, DataSources, Folder},
    error::HostError,
    host::Host,
    http,
    in_step::InStep,
    observe::metrics::Metrics,
    pipeline::CollectionEvents,
    plugins::PluginManager,
    provided_nodes::NodesOfPlugins,
};

/// How long requests that are being answered may take at a stop.
const DRAIN: Duration = Duration::from_secs(10);
/// How long executions that are running may take at a stop; what takes longer goes on at the next start.
const ENGINE_GRACE: Duration = Duration::from_secs(10);
/// Workflows that run in the background at the same time; they mostly wait for the one writer.
const PARALLEL_WORKFLOWS: usize = 32;

/// What a host does among those that share a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum HostRole {
    /// Answers requests, with what is run before the answer; leaves the rest to others.
    Serve,
    /// Runs what is queued; answers nothing but whether it lives.
    Work,
    /// Everything.
    #[default]
    Both,
}

/// What a server starts with.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Holds the token secret and, unless `database_url` says otherwise, the database; made if it is not there.
    pub data_dir: PathBuf,
    /// The address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The plugin manifest; without one there are no plugins.
    pub manifest: Option<PathBuf>,
    /// `sqlite:PATH` or `postgres://…`; the file `host.db` in the data directory if there is none.
    pub database_url: Option<String>,
    /// What it does; on SQLite, where it is alone, everything.
    pub role: HostRole,
    /// Holds the secret that tokens are signed with, which is the same for all hosts of a database; made if it is not there. The
    /// file `token.secret` in the data directory if there is none.
    pub token_secret: Option<PathBuf>,
    /// Whether it was changed on purpose: the hosts of the database share this one from now on.
    pub token_secret_changed: bool,
    /// The user of the first start.
    pub admin: Admin,
    /// The folder whose files may be added as data sources; none may without one.
    pub data_source_folder: Option<PathBuf>,
    /// What workflow nodes may reach outside of the store.
    pub outside: OutsideOptions,
    /// What requests that name their button may fire.
    pub strictness: Strictness,
    /// What time it is: the system's clock, which that of a database's server leads. Tests set it.
    pub clock: Clock,
}

/// A running server.
pub struct Server {
    host: Arc<Host>,
    local_addr: SocketAddr,
    made_password: Option<String>,
    stop: CancellationToken,
    serving: JoinHandle<std::io::Result<()>>,
    /// Held until the database is closed.
    _lock: File,
}

impl Server {
    /// Starts a server; it answers when this returns.
    ///
    /// # Errors
    ///
    /// [`HostError`], one readable line; nothing keeps running.
    pub async fn start(options: ServerOptions) -> Result<Self, HostError> {
        // The cheap checks come first: a wrong manifest should not leave a new database behind.
        let url = database_url(&options);
        if options.role != HostRole::Both && url.starts_with("sqlite:") {
            return Err(HostError::Alone);
        }
        let (manifest, strictness) = (options.manifest, options.strictness);
        let plugins = tokio::task::spawn_blocking(move || PluginManager::load(manifest))
            .await
            .map_err(|_| HostError::Interrupted)??;
        bootstrap::make_data_dir(&options.data_dir)?;
        let lock = bootstrap::lock_data_dir(&options.data_dir)?;
        let secret_path = options.token_secret.clone().unwrap_or_else(|| options.data_dir.join("token.secret"));
        let secret = bootstrap::token_secret(&secret_path)?;
        let tokens = Tokens::new(&secret);
        // The lock on the data directory lets one server at a time have this name.
        let name = bootstrap::instance_name(&options.data_dir)?;
        let listener = TcpListener::bind(options.listen)
            .await
            .map_err(|source| HostError::Listen { address: options.listen, source })?;
        let local_addr =
            listener.local_addr().map_err(|source| HostError::Listen { address: options.listen, source })?;

        let store = Store::open_by(&url, options.clock).await?;
        bootstrap::agree_on_secret(&store, &secret, options.token_secret_changed, &secret_path).await?;
        let data_sources = DataSources::load(store.clone(), Folder(options.data_source_folder)).await?;
        let data_sources = Arc::new(data_sources);
        let made_password = bootstrap::first_user(&store, &options.admin).await?;
        let instance = Instance { name: Some(name), ..Instance::default() };
        let role = options.role;
        let parallel_workflows = if role == HostRole::Serve { 0 } else { PARALLEL_WORKFLOWS };
        let options = EngineOptions { parallel_workflows, outside: options.outside };
        let plugins = Arc::new(plugins);
        let nodes = Arc::new(NodesOfPlugins(Arc::clone(&plugins)));
        let sources = Arc::clone(&data_sources);
        let engine = Engine::start_with_others(store.clone(), options, instance, nodes, sources).await?;
        let in_step = InStep::from(store.host_version().await?);
        let host = Arc::new(Host::new(data_sources, engine, role, plugins, tokens, strictness, in_step));
        host.open_services();
        host.switch.enable_all().await?;
        host.take_up_switches().await?;
        CollectionEvents::listen(&host);
        data_sources::open_all(&host);
        clock::keep(&host);
        host.requests.spawn(Arc::clone(&host).keep_in_step());

        let stop = CancellationToken::new();
        let serving = host.requests.spawn(
            axum::serve(listener, http::router(Arc::clone(&host)))
                .with_graceful_shutdown(stop.clone().cancelled_owned())
                .into_future(),
        );
        Ok(Self { host, local_addr, made_password, stop, serving, _lock: lock })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Serves the metrics until the server stops; answers where.
    ///
    /// # Errors
    ///
    /// The address cannot be listened on.
    pub(crate) async fn serve_metrics(&self, metrics: Metrics, address: SocketAddr) -> Result<SocketAddr, HostError> {
        metrics.serve(&self.host, address).await
    }

    /// The root user's password, if this start made one.
    pub fn made_password(&self) -> Option<&str> {
        self.made_password.as_deref()
    }

    /// Accepts nothing new, answers what was asked, hands back what the engine cannot finish, and closes the database.
    pub async fn shutdown(self) {
        self.host.drain();
        self.stop.cancel();
        self.host.requests.close();
        let stop_serving = self.serving.abort_handle();
        if timeout(DRAIN, self.host.requests.wait()).await.is_err() {
            tracing::warn!("some requests took longer than {} s and are cut off", DRAIN.as_secs());
            stop_serving.abort();
        }
        self.host.engine.shutdown(ENGINE_GRACE).await;
        self.host.data_sources.close().await;
        self.host.store.close().await;
    }
}

fn database_url(options: &ServerOptions) -> String {
    let file = || format!("sqlite:{}", options.data_dir.join("host.db").display());
    options.database_url.clone().unwrap_or_else(file)
}
