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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(&str, &[&str])]) {
        let parsed = Binding::parse_all(text);
        let parsed: Vec<(&str, Vec<&str>)> = parsed
            .iter()
            .map(|binding| (binding.key.as_str(), binding.path.segments().iter().map(String::as_str).collect()))
            .collect();
        let expected: Vec<(&str, Vec<&str>)> = expected.iter().map(|(key, path)| (*key, path.to_vec())).collect();
        assert_eq!(parsed, expected, "bindings of {text:?}");
    }

    #[test]
    fn parses() {
        check("", &[]);
        check("a", &[("a", &[])]);
        check("a!", &[("a", &[])]);
        check("a,b", &[("a", &[]), ("b", &[])]);
        check("a!category", &[("a", &["category"])]);
        check("a!post.category,b", &[("a", &["post", "category"]), ("b", &[])]);
        // repeated keys stay: which one counts is the trigger's decision
        check("a,a!category", &[("a", &[]), ("a", &["category"])]);
        // entries without a key are left out
        check(",,a,!category,", &[("a", &[])]);
        // only the first "!" divides; what follows is a path like any other, and names no association
        check("a!b!c", &[("a", &["b!c"])]);
        check("a!.", &[("a", &["", ""])]);
        // case and blanks count
        check("A, a", &[("A", &[]), (" a", &[])]);
    }
}
