//! Further databases: administrators add them at run time, and their tables are collections like those of main.
//!
//! ```text
//! settings  ─ what an administrator says of one: checked, with its password kept apart
//! registry  ─ which there are on this host, and how each is doing
//! keeper    ─ one task for each: connects, tries again, and relays
//! relay     ─ takes up what was written into an outbox and not taken at once, and sweeps receipts
//! source    ─ one that is open: what a request, or a node, works with
//! schemas   ─ the collections of all of them at one moment
//! ```
//!
//! The rows of `dataSources` say which there are; every host follows them (`in_step`) and opens each once. One that cannot be
//! reached stops nobody: what needs it is refused until it can be. Nothing here knows actions or workflows: what a message means
//! is known in `pipeline::outbox`.

mod keeper;
mod registry;
mod relay;
mod schemas;
mod settings;
mod source;

pub(crate) use keeper::{follow, open_all, refresh, try_out};
pub(crate) use registry::{DataSources, Standing};
pub(crate) use schemas::Schemas;
pub(crate) use settings::{Folder, Settings};
pub(crate) use source::DataSource;
