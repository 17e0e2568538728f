//! What of a request's values, fields and filters a role may use.
//!
//! Values of fields outside a role's right are dropped silently, as are fields and appends of a read. A nested object that
//! makes a record needs the right to create there; one that changes a record needs the right to update there; a link needs
//! the association field alone. A filter or sort key outside the view right is refused, because its answer would tell.

use serde_json::Value;
use store::{
    Collection, Record, Schema, Select,
    schema::{Association, Origin},
};

use super::permissions::{Right, Role, is_system_field, scalar_names};
use crate::http::error::ApiError;

/// Looks at one request's names and values for one role.
#[derive(Clone, Copy)]
pub(crate) struct Allowance<'a> {
    /// Who acts.
    pub(crate) role: &'a Role,
    /// The schema as the request sees it.
    pub(crate) schema: &'a Schema,
    /// Association paths whose existing records nested values may change.
    pub(crate) update_associations: &'a [String],
}

impl Allowance<'_> {
    /// Keeps the values that the role may set.
    ///
    /// # Errors
    ///
    /// [`ApiError::Forbidden`] without the right itself, here or at a nested record.
    pub(crate) fn values(&self, collection: &Collection, right: Right, values: Record) -> Result<Record, ApiError> {
        self.values_below("", collection, right, values)
    }

    fn values_below(
        &self,
        prefix: &str,
        collection: &Collection,
        right: Right,
        values: Record,
    ) -> Result<Record, ApiError> {
        let fields = self.role.permit(collection, right)?;
        let mut kept = Record::new();
        for (name, value) in values {
            if !fields.reach(collection, &name) {
                continue;
            }
            let value = match collection.association(&name) {
                Some(association) => self.nested(&join(prefix, &name), association, value)?,
                None => value,
            };
            kept.insert(name, value);
        }
        Ok(kept)
    }

    fn nested(&self, path: &str, association: &Association, value: Value) -> Result<Value, ApiError> {
        match value {
            Value::Array(items) => {
                let items = items.into_iter().map(|item| self.nested(path, association, item));
                Ok(Value::Array(items.collect::<Result<_, _>>()?))
            }
            Value::Object(values) => {
                let target = self.schema.collection(&association.target)?;
                let Some(key) = existing_key(target, association, &values) else {
                    only_run_time(target)?;
                    return Ok(Value::Object(self.values_below(path, target, Right::Create, values)?));
                };
                let mut linked = Record::new();
                if values.len() > key.len() && self.update_associations.iter().any(|listed| listed == path) {
                    only_run_time(target)?;
                    linked = self.values_below(path, target, Right::Update, values)?;
                }
                linked.extend(key);
                Ok(Value::Object(linked))
            }
            link => Ok(link),
        }
    }

    /// Keeps the fields and appends that the role may see.
    ///
    /// # Errors
    ///
    /// [`ApiError::Forbidden`] without the view right, or if nothing at all is left to see.
    pub(crate) fn select(&self, collection: &Collection, select: Select) -> Result<Select, ApiError> {
        self.role.permit(collection, Right::View)?;
        if self.role.is_unlimited() {
            return Ok(select);
        }
        // An association among the fields is an append.
        let (named, mut fields): (Vec<String>, Vec<String>) =
            select.fields.into_iter().partition(|path| self.is_association(collection, path));
        if fields.is_empty() && named.is_empty() {
            fields = scalar_names(collection).map(str::to_owned).collect();
        }
        let appends: Vec<String> =
            select.appends.into_iter().chain(named).filter(|path| self.sees_whole_path(collection, path)).collect();
        fields.retain(|path| self.sees(collection, path));
        let reaches_into = |append: &str, fields: &[String]| {
            fields.iter().any(|f| f.strip_prefix(append).is_some_and(|rest| rest.starts_with('.')))
        };
        for append in all_prefixes(&appends) {
            if !reaches_into(&append, &fields) {
                let target = self.target(collection, &append)?;
                fields.extend(
                    scalar_names(target).filter(|name| self.sees(target, name)).map(|name| format!("{append}.{name}")),
                );
            }
        }
        fields.extend(collection.key.iter().filter(|key| !fields.contains(key)).cloned().collect::<Vec<_>>());
        if fields.is_empty() {
            return Err(ApiError::Forbidden);
        }
        Ok(Select { fields, except: select.except, appends })
    }

    /// Passes filters whose every path the role may see.
    ///
    /// # Errors
    ///
    /// [`ApiError::Forbidden`] otherwise.
    pub(crate) fn filter(&self, collection: &Collection, filter: &Value) -> Result<(), ApiError> {
        if self.role.is_unlimited() { Ok(()) } else { self.filter_below("", collection, filter) }
    }

    fn filter_below(&self, prefix: &str, collection: &Collection, filter: &Value) -> Result<(), ApiError> {
        match filter {
            Value::Object(members) => members.iter().try_for_each(|(name, value)| {
                let path = name
                    .split('.')
                    .filter(|part| !part.starts_with('$'))
                    .fold(prefix.to_owned(), |path, part| join(&path, part));
                if !path.is_empty() && !self.sees(collection, &path) {
                    return Err(ApiError::Forbidden);
                }
                self.filter_below(&path, collection, value)
            }),
            Value::Array(items) => items.iter().try_for_each(|item| self.filter_below(prefix, collection, item)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
        }
    }

    /// Passes sort keys that the role may see.
    ///
    /// # Errors
    ///
    /// [`ApiError::Forbidden`] otherwise.
    pub(crate) fn sort(&self, collection: &Collection, sort: &[String]) -> Result<(), ApiError> {
        let seen = |key: &String| self.role.is_unlimited() || self.sees(collection, key.trim_start_matches('-'));
        if sort.iter().all(seen) { Ok(()) } else { Err(ApiError::Forbidden) }
    }

    /// Says whether the role may see what a dotted path of fields leads to. Unknown names below an unlimited right pass:
    /// they are the store's to refuse.
    fn sees(&self, collection: &Collection, path: &str) -> bool {
        let (head, rest) = path.split_once('.').map_or((path, None), |(head, rest)| (head, Some(rest)));
        let Ok(fields) = self.role.permit(collection, Right::View) else { return false };
        if !fields.reach(collection, head) && !is_system_field(collection, head) {
            return false;
        }
        match (rest, collection.association(head)) {
            (Some(rest), Some(association)) => {
                self.schema.collection(&association.target).is_ok_and(|target| self.sees(target, rest))
            }
            (Some(_), None) | (None, _) => true,
        }
    }

    fn sees_whole_path(&self, collection: &Collection, path: &str) -> bool {
        self.sees(collection, path)
            && self.target(collection, path).is_ok_and(|target| self.role.permit(target, Right::View).is_ok())
    }

    fn is_association(&self, collection: &Collection, path: &str) -> bool {
        self.target(collection, path).is_ok()
    }

    fn target<'s>(&'s self, collection: &'s Collection, path: &str) -> Result<&'s Collection, ApiError> {
        path.split('.').try_fold(collection, |collection, segment| {
            let association = collection.association(segment).ok_or_else(|| {
                ApiError::invalid(
                    "UNKNOWN_FIELD",
                    format!("\"{segment}\" is no association of \"{}\"", collection.name),
                )
            })?;
            Ok(self.schema.collection(&association.target)?.as_ref())
        })
    }
}

/// The members that say which record a nested object means, if it means one that is there already.
fn existing_key(target: &Collection, association: &Association, values: &Record) -> Option<Record> {
    let member =
        |name: &String| values.get(name).filter(|value| !value.is_null()).map(|value| (name.clone(), value.clone()));
    let by_target_key = member(&association.target_key);
    let by_key: Option<Record> = target.key.iter().map(member).collect();
    match (by_target_key, by_key.filter(|key| !key.is_empty())) {
        (None, None) => None,
        (target_key, key) => Some(target_key.into_iter().chain(key.unwrap_or_default()).collect()),
    }
}

/// Records of built-in collections have rules of their own, which nested values would go around.
fn only_run_time(target: &Collection) -> Result<(), ApiError> {
    match target.origin {
        Origin::User | Origin::Further => Ok(()),
        Origin::BuiltIn => Err(ApiError::invalid(
            "BUILT_IN_COLLECTION",
            format!("nested values cannot make or change records of {}, only link them", target.name),
        )),
    }
}

fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

/// `a.b` brings `a` too, shortest first, each once.
fn all_prefixes(paths: &[String]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for path in paths {
        for (end, _) in path.match_indices('.').chain([(path.len(), "")]) {
            let prefix = path[..end].to_owned();
            if !all.contains(&prefix) {
                all.push(prefix);
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::permissions::tests::*, *};

    #[tokio::test]
    async fn values() {
        let (_folder, _store, schema) = schema().await;
        let role = member();
        let check = |collection: &str, right: Right, listed: &[&str], values: Value, want: Value| {
            let listed: Vec<String> = listed.iter().map(|&path| path.to_owned()).collect();
            let allowance = Allowance { role: &role, schema: &schema, update_associations: &listed };
            let collection = schema.collection(collection).expect("a collection");
            let got = match allowance.values(collection, right, record(values.clone())) {
                Ok(kept) => Value::Object(kept),
                Err(error) => json!(error.status().as_u16()),
            };
            assert_eq!(got, want, "{right:?} {} {values}", collection.name);
        };
        check("posts", Right::Create, &[], json!({"title": "t", "note": "n", "nosuch": 1}), json!({"title": "t"}));
        check("posts", Right::Create, &[], json!({"categoryId": 1}), json!({"categoryId": 1}));
        check(
            "posts",
            Right::Create,
            &[],
            json!({"category": {"title": "c", "note": "n"}}),
            json!({"category": {"title": "c", "note": "n"}}),
        );
        check("posts", Right::Create, &[], json!({"category": 7}), json!({"category": 7}));
        check("posts", Right::Update, &[], json!({"category": null}), json!({"category": null}));
        check(
            "posts",
            Right::Create,
            &[],
            json!({"category": {"id": 7, "title": "x"}}),
            json!({"category": {"id": 7}}),
        );
        check("posts", Right::Create, &["category"], json!({"category": {"id": 7, "title": "x"}}), json!(403));
        check("posts", Right::Destroy, &[], json!({}), json!(403));
        check("categories", Right::Update, &[], json!({}), json!(403));
        check(
            "comments",
            Right::Create,
            &["post", "post.category"],
            json!({"content": "c", "note": "n", "post": {"title": "p", "note": "n", "category": {"title": "c"}}}),
            json!({"content": "c", "post": {"title": "p", "category": {"title": "c"}}}),
        );
        check(
            "comments",
            Right::Create,
            &["post"],
            json!({"post": {"id": 1, "title": "p", "note": "n"}}),
            json!({"post": {"title": "p", "id": 1}}),
        );
    }

    #[tokio::test]
    async fn reads() {
        let (_folder, _store, schema) = schema().await;
        let role = member();
        let allowance = Allowance { role: &role, schema: &schema, update_associations: &[] };
        let posts = schema.collection("posts").expect("posts");
        let comments = schema.collection("comments").expect("comments");
        let select = |fields: &[&str], appends: &[&str]| Select {
            fields: fields.iter().map(|&f| f.to_owned()).collect(),
            except: vec![],
            appends: appends.iter().map(|&f| f.to_owned()).collect(),
        };
        let whole = allowance.select(posts, select(&[], &["category"])).expect("a view");
        assert!(!whole.fields.contains(&"note".to_owned()) && whole.fields.contains(&"title".to_owned()));
        assert!(whole.appends.is_empty(), "categories may not be viewed");
        let nested =
            allowance.select(comments, select(&["content", "note"], &["post", "post.category"])).expect("a view");
        assert_eq!(nested.appends, ["post"]);
        assert!(nested.fields.contains(&"post.title".to_owned()) && !nested.fields.contains(&"post.note".to_owned()));
        assert!(allowance.select(schema.collection("categories").expect("categories"), select(&[], &[])).is_err());

        let check = |filter: Value, want: bool| {
            assert_eq!(allowance.filter(comments, &filter).is_ok(), want, "{filter}");
        };
        check(json!({"content": "x", "id.$in": [1], "createdAt": {"$gt": "2020"}}), true);
        check(json!({"note": "x"}), false);
        check(json!({"$or": [{"content": "x"}, {"note.$like": "x"}]}), false);
        check(json!({"post.title": "x"}), true);
        check(json!({"post.note": "x"}), false);
        check(json!({"post": {"note": {"$eq": "x"}}}), false);
        check(json!({"post.category.title": "x"}), false);
        assert!(allowance.sort(posts, &["-title".into()]).is_ok() && allowance.sort(posts, &["note".into()]).is_err());
    }
}
