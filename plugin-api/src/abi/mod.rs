//! What crosses the boundary between a host and a plugin's library. Nothing outside this module, and outside the
//! crate `plugin-loader` of hosts, names an ABI type.
//!
//! One file per thing that crosses, with both sides of it: the type, the *provider* that offers the author's ordinary
//! type through it, and the *client* that makes an ordinary type of it again.
//!
//! 1. [`module`]: the root symbol of a library, and how the host's call to it registers a plugin
//! 2. [`registrar`]: the host's, for the time of that call
//! 3. [`trigger`], [`hook`], [`node`] and [`route`]: objects of the plugin
//! 4. [`action`] and [`schema`]: what the host shows a plugin for the time of one call
//! 5. [`host`]: the services that a plugin calls
//! 6. [`log`] and [`proxy`]: the plugin's tracing, on its way to the host's subscriber
//! 7. [`in_process`]: the same without a library, for tests
//! 8. [`guard`] and [`error`]: panics stop here, on both sides
//!
//! Messages that are rare (configurations, settings, interests, plans) cross as JSON text of the author-facing types;
//! what is asked for each action crosses as typed fields.
//!
//! # Growing
//!
//! A method or field is added only behind the frozen prefix (`last_prefix_field`), methods with a default body.
//! Nothing is removed, reordered or changed in type. Plain structs ([`action::ActionFacts`], [`error::AbiError`], …)
//! never change. `docs/adr/0001-abi.md` has the reasons.

#[cfg(panic = "abort")]
compile_error!("a plugin or host built with panic = \"abort\" cannot contain panics: build it with panic = \"unwind\"");

pub mod action;
pub mod error;
pub mod guard;
pub mod hook;
pub mod host;
pub mod in_process;
pub mod log;
pub mod module;
pub mod node;
pub mod proxy;
pub mod registrar;
pub mod route;
pub mod schema;
pub mod trigger;

pub use abi_stable::library::LibHeader;
