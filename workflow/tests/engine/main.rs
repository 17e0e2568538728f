//! The engine on a real database.

#![expect(clippy::needless_pass_by_value, reason = "`json!` at the call reads best without a borrow")]

mod control;
mod dispatch;
mod harness;
mod nodes;
mod recovery;
mod versions;
