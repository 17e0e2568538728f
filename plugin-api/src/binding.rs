//! The `triggerWorkflows` parameter: which workflows a button, or an HTTP caller, binds to one action.
//!
//! ```text
//! bindings = entry *("," entry)
//! entry    = key ["!" path]          ; an empty path is the record itself: "key!" equals "key"
//! path     = field *("." field)
//! ```

use crate::schema::AssociationPath;

/// One entry of `triggerWorkflows`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The workflow's key, shared by all its versions; case-sensitive.
    pub key: String,
    /// Which record the workflow gets, seen from the action's record.
    pub path: AssociationPath,
}

impl Binding {
    /// Reads the entries in the order given. Entries without a key are left out; no text is an error.
    pub fn parse_all(text: &str) -> Vec<Self> {
        text.split(',')
            .filter_map(|entry| {
                let (key, path) = entry.split_once('!').unwrap_or((entry, ""));
                (!key.is_empty()).then(|| Self { key: key.to_owned(), path: AssociationPath::parse(path) })
            })
            .collect()
    }
}
