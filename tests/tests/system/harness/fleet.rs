//! Several hosts on one PostgreSQL database.

use tempfile::TempDir;
use test_database::{Database, TestDatabase};
use tests::cable::Cable;

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
        let cable = Cable::to(self.database.url()).await.expect("a cable");
        let mut options = self.options(role);
        cable.url().clone_into(&mut options.environment[0].1);
        (Host::start_with(options).await, cable)
    }
}

/// The root user at another host, with the token of this one.
pub(crate) fn elsewhere(client: &Client, host: &Host) -> Client {
    Client::anonymous(host.base_url()).with_token(client.token.as_deref().expect("signed in"))
}
