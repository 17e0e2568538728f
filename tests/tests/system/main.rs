//! The real server as a process, over TCP, with the real plugins.

mod access;
mod approvals;
mod backup;
mod bad_input;
mod before_action;
mod bindings;
mod collection_event;
mod crash;
mod custom_action;
mod data_sources;
mod depth;
mod encryption;
mod explain;
mod guide;
mod harness;
mod hosts;
mod lifecycle;
mod migrate;
mod misbehaving;
mod partitions;
mod plugins;
mod post_action;
mod round_trips;
mod schedule;
mod services;
mod watch;
mod webhook;
#[cfg(target_os = "linux")]
mod wrong_clock;
