//! The engine on a real database.

mod branching;
mod control;
mod dispatch;
mod harness;
mod nodes;
mod parallel;
mod recovery;
mod subflow;
mod versions;
