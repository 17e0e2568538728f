//! The server: people's data in collections, and the workflows that their actions start.
//!
//! 1. [`cli`]: the commands
//! 2. [`plugins`]: trigger plugins, loaded from libraries

pub mod cli;
pub mod plugins;
