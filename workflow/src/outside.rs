//! What nodes may reach outside of the store, and with what.
//!
//! The operator decides with [`OutsideOptions`]; the engine makes one [`Outside`] of it, which every running node is handed.
//! Nothing here knows nodes, variables or the queue.

mod address;
pub(crate) mod http;
pub(crate) mod interpreters;

use http::HttpClient;
use interpreters::Interpreters;

/// What the operator lets nodes do outside of the store. By default, no more than ask public servers.
#[derive(Debug, Clone, Default)]
pub struct OutsideOptions {
    /// Whether requests may go to addresses that are not public: this machine, the local network, cloud metadata.
    pub private_requests: Permission,
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
    /// For queries and scripts.
    pub(crate) interpreters: Interpreters,
}

impl Outside {
    pub(crate) fn new(options: &OutsideOptions) -> Self {
        Self { http: HttpClient::new(options.private_requests), interpreters: Interpreters::default() }
    }
}
