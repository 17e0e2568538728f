//! The server: people's data in collections, and the workflows that their actions start.
//!
//! A request enters through `http`, gets its `RequestContext` in `access`, and goes to one of the
//! management `resources` or through the `pipeline`, where an action, the plugins, the store and the engine meet.
//!
//! Reading order:
//!
//! 1. [`server`], [`bootstrap`], [`cli`]: starting and stopping
//! 2. `host`: what every request works with; `in_step`: what other hosts on the same database have changed
//! 3. `http`: addresses, parameters, bodies, errors, routes
//! 4. `access`: who asks, in which role, and what they may do
//! 5. `pipeline`: reading, writing, post-action events, verdicts
//! 6. `resources`: collections, roles, workflows, executions, signing in
//! 7. `observe`: metrics, logs and spans, for the operator
//! 8. `triggers`, [`plugins`]: workflow configurations, and trigger plugins loaded from libraries
//! 9. `bindings`: which workflows fit which button
//! 10. `services`: what plugins may ask of the server
//! 11. `data_sources`: further databases
//! 12. `clock`: what starts by itself, when its time has come
//! 13. `provided_nodes`: the plugins' node types, as the engine knows them

mod access;
mod bindings;
pub mod bootstrap;
pub mod cli;
mod clock;
mod data_sources;
pub mod error;
mod host;
mod http;
mod in_step;
mod observe;
mod pipeline;
pub mod plugins;
mod provided_nodes;
mod resources;
pub mod server;
mod services;
mod triggers;

pub use bindings::Strictness;
pub use error::HostError;
pub use server::{HostRole, Server, ServerOptions};
pub use store::Clock;
