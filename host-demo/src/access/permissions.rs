//! What a role may do: rights per collection, and the fields they reach.
//!
//! A role's own configuration of a collection decides; a collection without one falls back to the role's strategy.
//! Built-in collections are the administrators' unless a configuration names them. Nothing here reads the database.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;
use store::{AssociationKind, Collection, FieldType, Record, schema::Origin};

use crate::http::error::ApiError;

/// The role that may do everything.
pub(crate) const ROOT_ROLE: &str = "root";

/// One thing a role may do with the records of a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Right {
    /// Read: `list`, `get`, appended associations, filters.
    View,
    /// Make records.
    Create,
    /// Change records and their links.
    Update,
    /// Delete records.
    Destroy,
    /// Press buttons that start workflows with records; to see them is another right.
    Trigger,
}

impl Right {
    /// Reads the name that role configurations use; scoped ones such as `view:own` grant nothing.
    fn from_name(name: &str) -> Option<Self> {
        match name {
            "view" => Some(Self::View),
            "create" => Some(Self::Create),
            "update" => Some(Self::Update),
            "destroy" => Some(Self::Destroy),
            "trigger" => Some(Self::Trigger),
            _ => None,
        }
    }
}

/// The fields that a right reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fields {
    /// Every field.
    All,
    /// These, and the foreign keys of the `belongsTo` associations among them.
    Only(BTreeSet<String>),
}

impl Fields {
    /// Says whether a field of the collection is reached.
    pub(crate) fn reach(&self, collection: &Collection, name: &str) -> bool {
        let Self::Only(names) = self else { return true };
        names.contains(name)
            || names
                .iter()
                .filter_map(|field| collection.association(field))
                .any(|association| association.kind == AssociationKind::BelongsTo && association.foreign_key == name)
    }
}

type Grants = HashMap<Right, Fields>;

/// A role with everything that decides what it may do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Role {
    name: String,
    reach: Reach,
}

#[derive(Debug, Clone, PartialEq)]
enum Reach {
    Everything,
    Granted { manages: bool, strategy: Grants, resources: HashMap<String, Grants> },
}

impl Role {
    /// Reads a role's record and those of its resource configurations.
    pub(crate) fn read(role: &Record, resources: &[Record]) -> Self {
        let text = |name: &str| role.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let name = text("name");
        if name == ROOT_ROLE {
            return Self::unlimited();
        }
        let manages =
            items(role.get("snippets")).filter_map(Value::as_str).any(|snippet| matches!(snippet, "pm" | "pm.*"));
        let strategy = items(role.get("strategy").and_then(|strategy| strategy.get("actions")))
            .filter_map(|action| Some((Right::from_name(action.as_str()?)?, Fields::All)))
            .collect();
        let resources = resources
            .iter()
            .filter(|resource| resource.get("usingActionsConfig").and_then(Value::as_bool) != Some(false))
            .filter_map(|resource| {
                Some((
                    resource.get("name")?.as_str()?.to_owned(),
                    items(resource.get("actions")).filter_map(grant).collect(),
                ))
            })
            .collect();
        Self { name, reach: Reach::Granted { manages, strategy, resources } }
    }

    /// What everybody may do with records of their own in a built-in collection: read the scalar fields, and nothing behind
    /// them.
    pub(crate) fn owner_of(collection: &Collection) -> Self {
        let fields = Fields::Only(scalar_names(collection).map(str::to_owned).collect());
        let resources = HashMap::from([(collection.name.clone(), HashMap::from([(Right::View, fields)]))]);
        Self { name: String::new(), reach: Reach::Granted { manages: false, strategy: HashMap::new(), resources } }
    }

    /// A role that may do everything, for what is done in nobody's name.
    pub(crate) fn unlimited() -> Self {
        Self { name: ROOT_ROLE.to_owned(), reach: Reach::Everything }
    }

    /// Its name, as in the trigger context.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Says whether it is the role that may do everything.
    pub(crate) fn is_root(&self) -> bool {
        self.reach == Reach::Everything
    }

    /// Passes roles that manage the schema, roles, users and workflows.
    ///
    /// # Errors
    ///
    /// [`ApiError::Forbidden`] for all others.
    pub(crate) fn require_manager(&self) -> Result<(), ApiError> {
        match &self.reach {
            Reach::Everything | Reach::Granted { manages: true, .. } => Ok(()),
            Reach::Granted { manages: false, .. } => Err(ApiError::Forbidden),
        }
    }

    /// The fields of a collection that a right reaches.
    ///
    /// # Errors
    ///
    /// [`ApiError::Forbidden`] without the right.
    pub(crate) fn permit(&self, collection: &Collection, right: Right) -> Result<Fields, ApiError> {
        let Reach::Granted { manages, strategy, resources } = &self.reach else { return Ok(Fields::All) };
        let granted = match (resources.get(&collection.name), collection.origin) {
            (_, Origin::BuiltIn) if *manages => return Ok(Fields::All),
            (Some(grants), _) => grants.get(&right),
            (None, Origin::User) => strategy.get(&right),
            (None, Origin::BuiltIn | Origin::Further) => None,
        };
        granted.cloned().ok_or(ApiError::Forbidden)
    }

    /// Says whether a right reaches every field of every collection, so that nothing has to be filtered.
    pub(crate) fn is_unlimited(&self) -> bool {
        self.is_root()
    }
}

fn items(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

fn grant(action: &Value) -> Option<(Right, Fields)> {
    let right = Right::from_name(action.get("name")?.as_str()?)?;
    let fields = match action.get("fields").and_then(Value::as_array) {
        None => Fields::All,
        Some(names) => Fields::Only(names.iter().filter_map(|name| Some(name.as_str()?.to_owned())).collect()),
    };
    Some((right, fields))
}

/// Says whether a field is one that identifies records or that the store keeps itself: readable with any view right.
pub(crate) fn is_system_field(collection: &Collection, name: &str) -> bool {
    // What a column of somebody else's table means is not ours to guess.
    let is_ours = collection.origin != Origin::Further;
    collection.key.iter().any(|key| key == name)
        || (is_ours && matches!(name, "createdAt" | "updatedAt" | "createdById" | "updatedById"))
}

/// The names of the scalar fields.
pub(crate) fn scalar_names(collection: &Collection) -> impl Iterator<Item = &str> {
    collection
        .fields
        .iter()
        .filter(|field| !field.hidden && !matches!(field.field_type, FieldType::Association(_)))
        .map(|field| field.name.as_str())
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    pub(crate) fn record(value: Value) -> Record {
        match value {
            Value::Object(record) => record,
            other => panic!("not an object: {other}"),
        }
    }

    /// posts(title, content, category → categories), comments(content, post → posts), made in a real store.
    pub(crate) async fn schema() -> (tempfile::TempDir, store::Store, Arc<store::Schema>) {
        let folder = tempfile::tempdir().expect("a folder");
        let store =
            store::Store::open(&format!("sqlite:{}", folder.path().join("t.db").display())).await.expect("a store");
        store
            .write::<_, store::StoreError, _>(|tx| {
                Box::pin(async move {
                    for (name, field) in [("categories", "title"), ("posts", "title"), ("comments", "content")] {
                        tx.create_collection(&record(json!({"name": name, "fields": [
                            {"name": field, "type": "string"}, {"name": "note", "type": "string"},
                        ]})))
                        .await?;
                    }
                    let belongs_to = |name: &str, target: &str, key: &str| {
                        record(json!({"name": name, "type": "belongsTo", "target": target, "foreignKey": key, "targetKey": "id"}))
                    };
                    tx.create_field("posts", &belongs_to("category", "categories", "categoryId")).await?;
                    tx.create_field("comments", &belongs_to("post", "posts", "postId")).await?;
                    Ok(())
                })
            })
            .await
            .expect("collections");
        let schema = store.schema();
        (folder, store, schema)
    }

    /// Views and writes posts(title, category) and comments(content, post); creates categories; nothing else.
    pub(crate) fn member() -> Role {
        let resource =
            |name: &str, actions: Value| record(json!({"name": name, "usingActionsConfig": true, "actions": actions}));
        let all = |fields: Value| json!([{"name": "view", "fields": fields}, {"name": "create", "fields": fields}, {"name": "update", "fields": fields}]);
        Role::read(
            &record(json!({"name": "member", "snippets": [], "strategy": {"actions": []}})),
            &[
                resource("posts", all(json!(["title", "category"]))),
                resource("comments", all(json!(["content", "post"]))),
                resource("categories", json!([{"name": "create"}])),
            ],
        )
    }

    #[tokio::test]
    async fn rights() {
        let (_folder, _store, schema) = schema().await;
        let role = |value: Value, resources: &[Record]| Role::read(&record(value), resources);
        let root = role(json!({"name": "root"}), &[]);
        let admin =
            role(json!({"name": "admin", "snippets": ["pm.*"], "strategy": {"actions": ["view", "create:own"]}}), &[]);
        let off = [record(json!({"name": "posts", "usingActionsConfig": false, "actions": []}))];
        let reader = role(json!({"name": "reader", "snippets": ["ui"], "strategy": {"actions": ["view"]}}), &off);
        let check = |role: &Role, collection: &str, right: Right, want: bool| {
            let collection = schema.collection(collection).expect("a collection");
            assert_eq!(role.permit(collection, right).is_ok(), want, "{} {right:?} {}", role.name(), collection.name);
        };
        check(&root, "posts", Right::Destroy, true);
        check(&root, "users", Right::Destroy, true);
        check(&admin, "posts", Right::View, true);
        check(&admin, "posts", Right::Create, false);
        check(&admin, "users", Right::Create, true);
        check(&reader, "posts", Right::View, true);
        check(&reader, "posts", Right::Update, false);
        check(&reader, "users", Right::View, false);
        check(&member(), "posts", Right::Create, true);
        check(&member(), "posts", Right::Destroy, false);
        check(&member(), "categories", Right::View, false);
        check(&member(), "users", Right::View, false);
        assert!(root.require_manager().is_ok() && admin.require_manager().is_ok() && reader.require_manager().is_err());
    }

    #[tokio::test]
    async fn an_association_brings_its_foreign_key() {
        let (_folder, _store, schema) = schema().await;
        let posts = schema.collection("posts").expect("posts");
        let fields = member().permit(posts, Right::Update).expect("a right");
        let reached: Vec<_> =
            ["title", "note", "category", "categoryId", "id"].map(|name| fields.reach(posts, name)).into();
        assert_eq!(reached, [true, false, true, true, false]);
    }
}
