//! The engine on a real database.

mod aggregate;
mod branching;
mod children;
mod concurrency;
mod control;
mod date_calculation;
mod dispatch;
mod faults;
mod harness;
mod history;
mod json_query;
mod json_variable_mapping;
mod leases;
mod model;
mod node_faults;
mod nodes;
mod parallel;
mod recovery;
mod request;
mod resume;
mod retries;
mod script;
mod sql;
mod subflow;
mod timeouts;
mod versions;
