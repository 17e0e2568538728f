//! The engine on a real database.

mod aggregate;
mod control;
mod date_calculation;
mod dispatch;
mod harness;
mod json_query;
mod json_variable_mapping;
mod leases;
mod nodes;
mod recovery;
mod request;
mod resume;
mod script;
mod sql;
mod versions;
