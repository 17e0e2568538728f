//! The collections and associations that a plugin may look at.

use std::{fmt, sync::LazyLock};

use serde::{Deserialize, Serialize};

use crate::{error::PluginError, plan::Condition};

/// Names a collection of a data source; written `name` in the main data source and `source:name` in others.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CollectionRef {
    data_source: String,
    name: String,
}

/// The data source that is there from the start.
pub const MAIN_DATA_SOURCE: &str = "main";

impl CollectionRef {
    /// Names a collection of a data source.
    pub fn new(data_source: impl Into<String>, name: impl Into<String>) -> Self {
        Self { data_source: data_source.into(), name: name.into() }
    }

    /// Reads `name` or `source:name`.
    pub fn parse(text: &str) -> Self {
        match text.split_once(':') {
            Some((source, name)) => Self::new(source, name),
            None => Self::new(MAIN_DATA_SOURCE, text),
        }
    }

    /// The collection of an action that is about no records, such as `workflows:trigger`: its name is empty. Since 1.2.
    pub fn none() -> &'static Self {
        static NONE: LazyLock<CollectionRef> = LazyLock::new(|| CollectionRef::new(MAIN_DATA_SOURCE, ""));
        &NONE
    }

    /// The data source's key.
    pub fn data_source(&self) -> &str {
        &self.data_source
    }

    /// The collection's name within its data source.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for CollectionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.data_source == MAIN_DATA_SOURCE {
            f.write_str(&self.name)
        } else {
            write!(f, "{}:{}", self.data_source, self.name)
        }
    }
}

impl From<CollectionRef> for String {
    fn from(collection: CollectionRef) -> Self {
        collection.to_string()
    }
}

impl From<String> for CollectionRef {
    fn from(text: String) -> Self {
        Self::parse(&text)
    }
}

/// How many records an association leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cardinality {
    /// `belongsTo`, `hasOne`.
    One,
    /// `hasMany`, `belongsToMany`.
    Many,
}

/// Where an association field leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Association {
    /// The collection at its end.
    pub target: CollectionRef,
    /// One record or many.
    pub cardinality: Cardinality,
}

/// Association fields to follow, one after the other; empty is the record itself. Written `post.category`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct AssociationPath(Vec<String>);

impl AssociationPath {
    /// Reads `post.category`; empty text is the empty path.
    pub fn parse(text: &str) -> Self {
        if text.is_empty() { Self::default() } else { Self(text.split('.').map(str::to_owned).collect()) }
    }

    /// The field names in order.
    pub fn segments(&self) -> &[String] {
        &self.0
    }

    /// Says whether the path names the record itself.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Follows the path from a collection to the one at its end; `None` if a segment is no association.
    pub fn end(&self, schema: &dyn SchemaView, from: &CollectionRef) -> Option<CollectionRef> {
        self.0.iter().try_fold(from.clone(), |collection, field| {
            schema.association(&collection, field).map(|association| association.target)
        })
    }
}

impl fmt::Display for AssociationPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

impl From<AssociationPath> for String {
    fn from(path: AssociationPath) -> Self {
        path.to_string()
    }
}

impl From<String> for AssociationPath {
    fn from(text: String) -> Self {
        Self::parse(&text)
    }
}

/// Read access to today's schema. The view is one consistent snapshot for as long as a call lasts.
pub trait SchemaView {
    /// Says whether the data source exists.
    fn has_data_source(&self, data_source: &str) -> bool;

    /// Says whether the collection exists.
    fn has_collection(&self, collection: &CollectionRef) -> bool;

    /// Says where an association field of a collection leads; `None` if there is no such association.
    fn association(&self, collection: &CollectionRef, field: &str) -> Option<Association>;

    /// Checks a [`Condition`] on records of a collection. Since 1.1; a host of 1.0 judges none, and refuses.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Invalid`], naming the first field or operator that does not exist, or value that does not fit.
    fn check_condition(&self, collection: &CollectionRef, condition: &Condition) -> Result<(), PluginError> {
        let _ = (collection, condition);
        Err(PluginError::invalid("This host does not judge conditions"))
    }

    /// Checks that the values of a field can be compared with those before an action: it holds a value, or leads to one
    /// record by a key of its own. Since 1.1; a host of 1.0 compares none, and refuses.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Invalid`], saying what is wrong with the field.
    fn check_comparable(&self, collection: &CollectionRef, field: &str) -> Result<(), PluginError> {
        let _ = (collection, field);
        Err(PluginError::invalid("This host does not compare fields"))
    }

    /// Checks that a field holds a moment or a day. Since 1.3; a host before it refuses.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Invalid`], saying what is wrong with the field.
    fn check_date(&self, collection: &CollectionRef, field: &str) -> Result<(), PluginError> {
        let _ = (collection, field);
        Err(PluginError::invalid("This host does not know which fields hold dates"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collections_are_written_with_their_source_unless_it_is_the_main_one() {
        fn check(text: &str, data_source: &str, name: &str, shown: &str) {
            let collection = CollectionRef::parse(text);
            assert_eq!((collection.data_source(), collection.name()), (data_source, name), "{text:?}");
            assert_eq!(collection.to_string(), shown, "{text:?}");
            assert_eq!(CollectionRef::parse(shown), collection, "{text:?} survives the round trip");
        }
        check("posts", "main", "posts", "posts");
        check("main:posts", "main", "posts", "posts");
        check("erp:posts", "erp", "posts", "erp:posts");
        check("erp:a:b", "erp", "a:b", "erp:a:b");
        check("", "main", "", "");
    }

    #[test]
    fn paths_are_dotted() {
        fn check(text: &str, segments: &[&str]) {
            let path = AssociationPath::parse(text);
            assert_eq!(path.segments(), segments, "{text:?}");
            assert_eq!(path.is_empty(), segments.is_empty(), "{text:?}");
            assert_eq!(path.to_string(), text);
        }
        check("", &[]);
        check("category", &["category"]);
        check("post.category", &["post", "category"]);
        check("a..b", &["a", "", "b"]);
    }

    /// A view of 1.0.
    struct Old;

    impl SchemaView for Old {
        fn has_data_source(&self, _: &str) -> bool {
            true
        }

        fn has_collection(&self, _: &CollectionRef) -> bool {
            true
        }

        fn association(&self, _: &CollectionRef, _: &str) -> Option<Association> {
            None
        }
    }

    #[test]
    fn a_host_that_judges_nothing_lets_no_terms_pass() {
        let posts = CollectionRef::parse("posts");
        assert!(Old.check_condition(&posts, &Condition::default()).is_err());
        assert!(Old.check_comparable(&posts, "title").is_err());
        assert!(Old.check_date(&posts, "publishedAt").is_err());
    }
}
