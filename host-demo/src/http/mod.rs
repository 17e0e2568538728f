//! The HTTP edge: addresses, parameters, bodies, answers and errors, and the router that ties them together.
//!
//! ```text
//! address ┐
//! params  ┼─ RequestContext ─ resources ─ answer or error
//! body    ┘
//! ```
//!
//! What happens to data is decided in `access`, `pipeline` and `resources`; nothing here reads the database.

pub(crate) mod address;
pub(crate) mod answer;
pub(crate) mod body;
pub(crate) mod error;
mod measure;
pub(crate) mod params;
mod plugin_route;
mod router;
pub(crate) mod stream;

pub(crate) use router::router;
