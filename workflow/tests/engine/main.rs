//! The engine on a real database.

mod branching;
mod concurrency;
mod control;
mod dispatch;
mod faults;
mod harness;
mod leases;
mod model;
mod nodes;
mod parallel;
mod recovery;
mod resume;
mod retries;
mod subflow;
mod timeouts;
mod versions;
