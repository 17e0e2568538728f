//! Who asks and what they may do.
//!
//! ```text
//! token ─ context (actor, role) ─ permissions ─ values (fields, nested records, filters)
//! ```
//!
//! [`RequestContext`] is made once per request, from the store; rights are decided here and nowhere else. Nothing here
//! writes.

pub(crate) mod accounts;
mod context;
mod permissions;
mod sign_in;
mod token;
mod values;

pub(crate) use context::RequestContext;
pub(crate) use permissions::{ROOT_ROLE, Right, Role};
pub(crate) use sign_in::sign_in;
pub(crate) use token::Tokens;
pub(crate) use values::Allowance;
