//! Drives the store over a real database in a temporary folder.

mod commits;
mod fixture;
mod records;
