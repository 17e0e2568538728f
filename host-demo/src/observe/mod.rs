//! What an operator sees of a running server from outside: metrics, logs and spans.
//!
//! The rest of the project writes to the facades `metrics` and `tracing` and knows no exporter; only this module does. Nothing
//! here changes what the server does, and without being asked for, nothing of it runs but the log.

pub(crate) mod metrics;
pub(crate) mod spans;
