//! Variables: `{{$context.data.title}}` and the like in the configuration of a node.
//!
//! A configuration is JSON with templates in its texts. [`resolve`] walks it once and puts values from a [`Scope`] in their
//! place; what it has put in is never looked at again, so a record that contains `{{…}}` stays as it is. Text that is no
//! variable stays untouched. Nothing here knows node types.

mod path;
mod scope;
mod template;

pub(crate) use path::{Path, follow};
pub(crate) use scope::Scope;
pub(crate) use template::{Part, holds_variable, parts, resolve};
