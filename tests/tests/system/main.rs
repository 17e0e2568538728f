//! The real server as a process, over TCP, with the real plugins.

mod access;
mod bad_input;
mod bindings;
mod crash;
mod depth;
mod explain;
mod harness;
mod lifecycle;
mod plugins;
mod post_action;
mod watch;
