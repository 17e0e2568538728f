//! The engine on a real database.

mod control;
mod dispatch;
mod faults;
mod harness;
mod nodes;
mod recovery;
mod versions;
