//! Further databases: somebody else's, of every kind, with tables that were made past the store.

mod associations;
mod odd;
mod outbox;
mod records;
mod source;
mod types;
mod users;
mod write_receipts;
