//! The server in this process, spoken to over TCP: what the HTTP API promises, beside post-action events.

mod buttons;
mod executions;
mod harness;
mod lifecycle;
mod management;
mod requests;
mod rights;
mod schedule;
mod tasks;
