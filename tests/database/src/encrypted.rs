//! Servers that speak to nobody without encryption, over TCP as from another machine.

use std::{io, net::TcpListener, path::PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::{Database, guard::Guard, mysql, postgres};

/// Whom its certificate is for.
const NAME: &str = "localhost";
/// The file with the certificate of the authority.
const AUTHORITY: &str = "authority.pem";
/// How often a port is tried: one that was free a moment ago may be taken.
const ATTEMPTS: usize = 5;

/// A server of a test's own, with a certificate for `localhost` from an authority that nobody knows. It ends with this value.
pub struct EncryptedServer {
    guard: Guard,
    /// What its URLs begin with.
    user: &'static str,
    port: u16,
}

impl EncryptedServer {
    /// A PostgreSQL server; `None` where there is none.
    ///
    /// # Panics
    ///
    /// Without it, if it is required.
    pub fn postgres() -> Option<Self> {
        let found = Self::start("postgres://postgres", |port, mut files| {
            let rules = "local all all trust\nhostssl all all 127.0.0.1/32 trust\n";
            files.push(("rules.conf", rules.to_owned()));
            let settings = format!(
                "-c listen_addresses=127.0.0.1 -c port={port} -c hba_file=$1/rules.conf -c ssl=on \
                 -c ssl_cert_file=$1/server.pem -c ssl_key_file=$1/server.key"
            );
            postgres::start_with(&settings, &files)
        });
        Self::or_left_out(Database::Postgres, "DATABASE_URL", found)
    }

    /// A MariaDB server, likewise.
    ///
    /// # Panics
    ///
    /// Without it, if it is required.
    pub fn mysql() -> Option<Self> {
        let found = Self::start("mysql://root", |port, files| {
            let settings = format!(
                "--skip-networking=0 --bind-address=127.0.0.1 --port={port} --require-secure-transport=ON \
                 --ssl-cert=$1/server.pem --ssl-key=$1/server.key"
            );
            mysql::start_with(&settings, &files)
        });
        Self::or_left_out(Database::Mysql, "MYSQL_URL", found)
    }

    fn start(
        user: &'static str,
        start: impl Fn(u16, Vec<(&'static str, String)>) -> Result<Guard, String>,
    ) -> Result<Self, String> {
        let attempt = || {
            let port = free_port().map_err(|error| error.to_string())?;
            let files = certificates().map_err(|error| error.to_string())?;
            Ok(Self { guard: start(port, files)?, user, port })
        };
        let mut found = attempt();
        for _ in 1..ATTEMPTS {
            found = found.or_else(|_: String| attempt());
        }
        found
    }

    /// With a server that somebody has brought, there need not be programs to start another one.
    fn or_left_out(kind: Database, brought: &str, found: Result<Self, String>) -> Option<Self> {
        match found {
            Err(problem) if std::env::var_os(brought).is_some() => {
                eprintln!("encryption is left out: {problem}");
                None
            }
            found => kind.or_left_out(found),
        }
    }

    /// Leads to a database of it, by a name of this machine and with parameters.
    pub fn url(&self, host: &str, database: &str, parameters: &str) -> String {
        format!("{}@{host}:{}/{database}?{parameters}", self.user, self.port)
    }

    /// The file with the certificate of the authority.
    pub fn authority(&self) -> PathBuf {
        self.guard.folder.join(AUTHORITY)
    }
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// An authority's certificate, and the server's with its key.
fn certificates() -> Result<Vec<(&'static str, String)>, rcgen::Error> {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let server = CertificateParams::new([NAME.to_owned()])?.signed_by(&key, &authority)?;
    Ok(vec![(AUTHORITY, authority.pem()), ("server.pem", server.pem()), ("server.key", key.serialize_pem())])
}
