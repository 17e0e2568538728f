//! The engine on a real database.

mod concurrency;
mod control;
mod dispatch;
mod faults;
mod harness;
mod leases;
mod nodes;
mod recovery;
mod resume;
mod retries;
mod timeouts;
mod versions;
