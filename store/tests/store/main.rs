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
mod nested;
mod records;
mod schema;
mod statements;
