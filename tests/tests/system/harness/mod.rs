//! What system tests stand on: the server as a process of its own, a client that speaks its HTTP API, and the collections
//! of the examples. Each test owns its server, port, folder and database.

pub(crate) mod client;
pub(crate) mod events;
pub(crate) mod eventually;
pub(crate) mod fixture;
pub(crate) mod fleet;
pub(crate) mod process;

pub(crate) use client::{Answer, Client};
pub(crate) use eventually::eventually;
pub(crate) use fixture::{Blog, NewWorkflow};
pub(crate) use fleet::Fleet;
pub(crate) use process::{Host, HostOptions, library};
