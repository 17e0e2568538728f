//! The engine on a real database.

mod control;
mod dispatch;
mod harness;
mod leases;
mod nodes;
mod recovery;
mod resume;
mod versions;
