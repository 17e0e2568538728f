//! Several hosts on one PostgreSQL database.

use std::path::PathBuf;

use tempfile::TempDir;
use test_database::{Database, TestDatabase};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, UnixStream},
    task::JoinSet,
};

use super::{Client, Host, HostOptions};

/// What the hosts have in common.
pub(crate) struct Fleet {
    database: TestDatabase,
    secrets: TempDir,
}

impl Fleet {
    /// A new database; `None` where there is no server.
    pub(crate) fn new() -> Option<Self> {
        let found = test_database::begin(Database::Postgres);
        found.then(|| Self { database: TestDatabase::new(), secrets: tempfile::tempdir().expect("a temporary folder") })
    }

    /// Carries out statements on its database, as an operator does.
    pub(crate) async fn execute(&self, statements: &'static str) {
        self.database.execute(statements).await;
    }

    /// How a host of this fleet starts.
    pub(crate) fn options(&self, role: &str) -> HostOptions {
        let secret = self.secrets.path().join("token.secret").display().to_string();
        let environment = vec![
            ("HOST_DATABASE_URL", self.database.url().to_owned()),
            ("HOST_TOKEN_SECRET_FILE", secret),
            ("HOST_ROLE", role.to_owned()),
        ];
        HostOptions { environment, ..HostOptions::default() }
    }

    /// Starts a host.
    pub(crate) async fn host(&self, role: &str) -> Host {
        Host::start_with(self.options(role)).await
    }

    /// Starts a host whose connections go through a cable.
    pub(crate) async fn host_on_cable(&self, role: &str) -> (Host, Cable) {
        let cable = Cable::to(self.database.url()).await;
        let mut options = self.options(role);
        options.environment[0].1.clone_from(&cable.url);
        (Host::start_with(options).await, cable)
    }
}

/// The root user at another host, with the token of this one.
pub(crate) fn elsewhere(client: &Client, host: &Host) -> Client {
    Client::anonymous(host.base_url()).with_token(client.token.as_deref().expect("signed in"))
}

/// What connects a host with the database, and can be pulled out.
pub(crate) struct Cable {
    url: String,
    port: u16,
    socket: PathBuf,
    /// Takes connections; those that it has taken end with it.
    carrying: JoinSet<()>,
}

impl Cable {
    async fn to(url: &str) -> Self {
        let (rest, folder) = url.split_once("?host=").expect("a server that listens on a socket");
        let name = rest.rsplit('/').next().expect("a database");
        let socket = PathBuf::from(folder).join(".s.PGSQL.5432");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let url = format!("postgres://postgres@127.0.0.1:{port}/{name}");
        let mut cable = Self { url, port, socket, carrying: JoinSet::new() };
        cable.carry(listener);
        cable
    }

    fn carry(&mut self, listener: TcpListener) {
        let socket = self.socket.clone();
        self.carrying.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                let socket = socket.clone();
                connections.spawn(async move {
                    let mut far = UnixStream::connect(socket).await?;
                    copy_bidirectional(&mut near, &mut far).await.map(drop)
                });
            }
        });
    }

    /// Breaks all connections, and refuses new ones.
    pub(crate) async fn pull(&mut self) {
        self.carrying.shutdown().await;
    }

    /// Takes connections again.
    pub(crate) async fn put_back(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.expect("the port is still free");
        self.carry(listener);
    }
}
