//! Keeps administrators from becoming, changing or removing the root user through the users collection.
//!
//! Rights say who may write users at all; this says which users, and which roles they may be given. It looks inside the
//! transaction that writes, so nothing slips in between.

use serde_json::{Value, json};
use store::{Collection, Conn, Filter, Origin, Record, Tx, UserId, WriteOptions};

use super::{
    context::RequestContext,
    permissions::{ROOT_ROLE, Role},
};
use crate::{http::error::ApiError, pipeline::SourceRef};

/// Guards the writes of one request.
pub(crate) struct AccountGuard {
    subject: Subject,
    actor: UserId,
    is_root: bool,
}

/// What the request writes.
enum Subject {
    Users(std::sync::Arc<Collection>),
    Others,
}

impl AccountGuard {
    /// Looks at what is about to be written.
    pub(crate) fn new(context: &RequestContext, collection: &std::sync::Arc<Collection>) -> Self {
        let subject = if is_users(collection) { Subject::Users(collection.clone()) } else { Subject::Others };
        Self { subject, actor: context.actor().id, is_root: Role::is_root(context.role()) }
    }

    /// Refuses the root role in a user's values, unless root gives it.
    pub(crate) fn values(&self, values: &Record) -> Result<(), ApiError> {
        let gives_root = values.get("roles").is_some_and(names_root);
        let is_users = matches!(self.subject, Subject::Users(_));
        if is_users && !self.is_root && gives_root { Err(ApiError::Forbidden) } else { Ok(()) }
    }

    /// Notes the moment of a password change (milliseconds since 1970): older tokens end there.
    pub(crate) fn stamp(&self, mut values: Record, now_ms: i64) -> Record {
        if matches!(self.subject, Subject::Users(_)) && values.contains_key("password") {
            values.insert("passwordChangeTz".to_owned(), now_ms.into());
        }
        values
    }

    /// Makes the first of the roles given to users the one they act in by default.
    pub(crate) async fn settle(&self, tx: &mut Tx, users: &[Record], roles: Option<&Value>) -> Result<(), ApiError> {
        let first = roles.and_then(Value::as_array).and_then(|roles| roles.first()).and_then(role_name);
        let (Subject::Users(_), Some(first)) = (&self.subject, first) else { return Ok(()) };
        let links = tx.schema().collection("rolesUsers")?.clone();
        for id in users.iter().filter_map(|user| user.get("id")) {
            for (operator, is_default) in [("$ne", false), ("$eq", true)] {
                let meant = json!({"userId": {"$eq": id}, "roleName": {operator: first}});
                let filter = Filter::parse(tx.schema(), &links, &meant)?;
                let values = Record::from_iter([("default".to_owned(), is_default.into())]);
                tx.update(&links, &filter, values, &WriteOptions::default()).await?;
            }
        }
        Ok(())
    }

    /// Refuses to change users who have the root role, unless root does it.
    pub(crate) async fn change(&self, conn: &mut Conn, filter: &Filter) -> Result<(), ApiError> {
        let Subject::Users(users) = &self.subject else { return Ok(()) };
        if self.is_root {
            return Ok(());
        }
        let roots = Filter::parse(conn.schema(), users, &json!({"roles.name": ROOT_ROLE}))?;
        if conn.count(users, &filter.clone().and(roots)).await? > 0 { Err(ApiError::Forbidden) } else { Ok(()) }
    }

    /// Refuses to delete oneself, and users who have the root role unless root does it.
    pub(crate) async fn destroy(&self, conn: &mut Conn, filter: &Filter) -> Result<(), ApiError> {
        let Subject::Users(users) = &self.subject else { return Ok(()) };
        let oneself = Filter::by_key(users, &json!(self.actor.0))?;
        if conn.count(users, &filter.clone().and(oneself)).await? > 0 {
            return Err(ApiError::invalid("OWN_ACCOUNT", "you cannot delete your own account"));
        }
        self.change(conn, filter).await
    }

    /// Refuses to link the root role, or any role of a root user, unless root does it.
    pub(crate) async fn links(&self, conn: &mut Conn, source: &SourceRef, keys: &[Value]) -> Result<(), ApiError> {
        if self.is_root || !is_users(&source.collection) {
            return Ok(());
        }
        if keys.iter().any(names_root) {
            return Err(ApiError::Forbidden);
        }
        let subject = Subject::Users(source.collection.clone());
        let guard = Self { subject, actor: self.actor, is_root: self.is_root };
        guard.change(conn, &Filter::by_key(&source.collection, &source.key)?).await
    }
}

/// A table of a further database may have the same name.
fn is_users(collection: &Collection) -> bool {
    collection.name == "users" && collection.origin == Origin::BuiltIn
}

fn role_name(role: &Value) -> Option<&str> {
    role.as_str().or_else(|| role.get("name")?.as_str())
}

fn names_root(value: &Value) -> bool {
    match value {
        Value::String(name) => name == ROOT_ROLE,
        Value::Object(role) => role.get("name").is_some_and(names_root),
        Value::Array(roles) => roles.iter().any(names_root),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_recognised_in_every_shape() {
        for (roles, want) in [
            (json!(["member", "root"]), true),
            (json!([{"name": "root", "title": "x"}]), true),
            (json!("root"), true),
            (json!(["member", {"name": "admin"}]), false),
            (json!(null), false),
        ] {
            assert_eq!(names_root(&roles), want, "{roles}");
        }
    }
}
