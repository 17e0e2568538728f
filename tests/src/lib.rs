//! Long runs against the real server: it is started as a process, loaded over HTTP, broken, and held to its word.
//!
//! ```text
//! place ── starts and kills ──> server <── HTTP ── load (callers, each with a seeded choice of actions)
//!                                 │                  │
//!                              database            ledger (what was asked, what was answered)
//!                                 └──> evidence ──> verdict: a list of broken promises, empty if all is well
//! ```
//!
//! [`crash`] kills hosts and cuts the [`cable`] between them and the database, [`soak`] runs long; the system tests call them in a short form, the programs of the same names in a long one. Nothing here looks inside the server while it runs; the database is read when it has stopped.

pub mod cable;
pub mod crash;
mod evidence;
mod fleet;
mod ledger;
mod load;
mod order;
mod place;
pub mod soak;
mod verdict;
