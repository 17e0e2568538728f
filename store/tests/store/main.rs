//! Drives the store over a real database in a temporary folder.

mod aggregates;
mod agreement;
mod appends;
mod associations;
mod buttons;
mod changes;
mod commits;
mod destroy;
mod fields;
mod filters;
mod fixture;
mod hostile;
mod marks;
mod nested;
mod record_changes;
mod records;
mod schema;
mod statements;
