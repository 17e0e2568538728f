//! What nodes may reach outside of the store, and with what.
//!
//! The operator decides with [`OutsideOptions`]; the engine makes one [`Outside`] of it, which every running node is handed.
//! Nothing here knows nodes, variables or the queue.

mod address;
pub(crate) mod http;
pub(crate) mod interpreters;
pub(crate) mod mail;

use http::HttpClient;
use interpreters::Interpreters;
use mail::MailServer;

/// What the operator lets nodes do outside of the store. By default, no more than ask public servers.
#[derive(Debug, Clone, Default)]
pub struct OutsideOptions {
    /// Whether requests may go to addresses that are not public: this machine, the local network, cloud metadata.
    pub private_requests: Permission,
    /// Whether nodes may ask the database in SQL, past the rights of whoever triggered them.
    pub sql: Permission,
    /// Who takes mail; without one none can be sent.
    pub mail: Option<MailServer>,
}

/// Whether something may be done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Permission {
    /// It may not.
    #[default]
    Denied,
    /// It may.
    Granted,
}

/// The ways out.
#[derive(Debug, Default)]
pub(crate) struct Outside {
    /// For requests.
    pub(crate) http: HttpClient,
    /// Whether SQL may be run.
    pub(crate) sql: Permission,
    /// For queries and scripts.
    pub(crate) interpreters: Interpreters,
    /// For notifications.
    pub(crate) mail: Option<MailServer>,
}

impl Outside {
    pub(crate) fn new(options: &OutsideOptions) -> Self {
        Self {
            http: HttpClient::new(options.private_requests),
            sql: options.sql,
            interpreters: Interpreters::default(),
            mail: options.mail.clone(),
        }
    }
}
