//! Drives the store over real databases: each test over a file and over a server.

mod aggregates;
mod agreement;
mod appends;
mod associations;
mod buttons;
mod changes;
mod clock;
mod commits;
mod destroy;
mod fields;
mod filters;
mod fixture;
mod further;
mod hostile;
mod hosts;
mod marks;
mod nested;
mod record_changes;
mod records;
mod rivals;
mod schema;
mod statements;
mod transfer;
