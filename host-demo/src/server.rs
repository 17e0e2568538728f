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
    error::HostError,
    host::Host,
    http,
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

/// What a server starts with.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Holds the token secret and, unless `database_url` says otherwise, the database; made if it is not there.
    pub data_dir: PathBuf,
    /// The address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The plugin manifest; without one there are no plugins.
    pub manifest: Option<PathBuf>,
    /// `sqlite:PATH`; the file `host.db` in the data directory if there is none.
    pub database_url: Option<String>,
    /// The user of the first start.
    pub admin: Admin,
    /// What workflow nodes may reach outside of the store.
    pub outside: OutsideOptions,
    /// What requests that name their button may fire.
    pub strictness: Strictness,
    /// What time it is for what starts by the clock; the system's but in tests.
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
        let url = database_url(&options)?;
        let (manifest, strictness) = (options.manifest, options.strictness);
        let plugins = tokio::task::spawn_blocking(move || PluginManager::load(manifest))
            .await
            .map_err(|_| HostError::Interrupted)??;
        bootstrap::make_data_dir(&options.data_dir)?;
        let lock = bootstrap::lock_data_dir(&options.data_dir)?;
        let tokens = Tokens::new(&bootstrap::token_secret(&options.data_dir)?);
        let listener = TcpListener::bind(options.listen)
            .await
            .map_err(|source| HostError::Listen { address: options.listen, source })?;
        let local_addr =
            listener.local_addr().map_err(|source| HostError::Listen { address: options.listen, source })?;

        let store = Store::open_by(&url, options.clock).await?;
        let made_password = bootstrap::first_user(&store, &options.admin).await?;
        // The lock on the data directory lets one server at a time have this name.
        let name = std::path::absolute(&options.data_dir).unwrap_or(options.data_dir).display().to_string();
        let instance = Instance { name: Some(name), ..Instance::default() };
        let options = EngineOptions { parallel_workflows: PARALLEL_WORKFLOWS, outside: options.outside };
        let plugins = Arc::new(plugins);
        let nodes = Arc::new(NodesOfPlugins(Arc::clone(&plugins)));
        let engine = Engine::start_with_nodes(store.clone(), options, instance, nodes).await?;
        let host = Arc::new(Host::new(store, engine, plugins, tokens, strictness));
        host.open_services();
        host.switch.enable_all().await?;
        CollectionEvents::listen(&host);
        clock::keep(&host);

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
        self.host.store.close().await;
    }
}

fn database_url(options: &ServerOptions) -> Result<String, HostError> {
    match &options.database_url {
        None => Ok(format!("sqlite:{}", options.data_dir.join("host.db").display())),
        Some(url) if url.starts_with("sqlite:") => Ok(url.clone()),
        Some(_) => Err(HostError::DatabaseUnsupported),
    }
}
