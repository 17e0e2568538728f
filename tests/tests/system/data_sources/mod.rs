//! Further databases: somebody else's tables as collections, and what is started by what happens to them.

mod erp;
mod events;
mod management;
mod nodes;
mod once;
mod outbox;
mod records;
