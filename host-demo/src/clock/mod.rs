//! Starts workflows when their time has come, each moment once.
//!
//! ```text
//! workflow enabled ─▶ follow: notes it, and marks it, or each record that it waits with ─┐
//! record changed ──▶ watched: marks it, in the transaction of the change ───────────────┤
//!                                                                                        ▼
//!                         keeper: sleeps until the next mark ──▶ fire: asks the plugin what is due; stores the
//!                                                               executions and the advanced marks in one transaction
//! ```
//!
//! What is due is the plugin's decision ([`plugin_api::ClockHandler`]); what time it is, what is settled and that nothing starts twice is
//! decided here and in [`store::marks`]. The database is the only list of what is waited for: a host that starts goes on with what it
//! says, and so do several hosts on one database.

mod fire;
mod follow;
mod keeper;
mod watched;

pub(crate) use keeper::{ClockKeeper, keep};
