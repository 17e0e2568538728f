//! What several benchmarks have in common: the load, and the server with its callers.

pub mod load;
pub mod server;
