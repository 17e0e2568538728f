//! Who a node means: users by id, by records of theirs, or by role.

use std::collections::HashSet;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{Conn, Filter, Find, Record, Select, UserId};

use super::NodeError;

/// Most people that one node means: more of them are a matter for a mailing list.
const MOST_PEOPLE: usize = 1_000;

/// Users, as a configuration names them: an id, a record with an id, or lists of these, as deep as variables bring them.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct Users(Value);

impl JsonSchema for Users {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Users".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["array", "integer", "string", "object", "null"]})
    }
}

impl Users {
    /// Those that a value names.
    pub(crate) fn new(named: Value) -> Self {
        Self(named)
    }
}

/// A user, as far as nodes are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) id: UserId,
    pub(crate) email: Option<String>,
}

/// Says whether a configuration names anybody, be it by a variable.
pub(super) fn are_named(config: &Value, users: &str) -> bool {
    let says = |name: &str| match config.get(name) {
        None | Some(Value::Null) => false,
        Some(Value::Array(items)) => !items.is_empty(),
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Bool(_) | Value::Number(_) | Value::Object(_)) => true,
    };
    says(users) || says("roles")
}

/// Finds the users that are meant: those that are named, in that order, then those of the roles. Each once.
///
/// # Errors
///
/// [`NodeError::Refused`] for somebody who is not there, and for nobody at all.
pub(crate) async fn find(conn: &mut Conn, users: &Users, roles: &[String]) -> Result<Vec<Person>, NodeError> {
    let mut ids = Vec::new();
    collect(&users.0, &mut ids)?;
    let mut people = named(conn, ids).await?;
    people.extend(of_roles(conn, roles).await?);
    let mut seen = HashSet::new();
    people.retain(|person| seen.insert(person.id));
    match people.len() {
        0 => Err(NodeError::Refused("there is nobody to give it to: no user is named".into())),
        1..=MOST_PEOPLE => Ok(people),
        more => Err(NodeError::Refused(format!("it is for {more} users, and {MOST_PEOPLE} are the most"))),
    }
}

fn collect(value: &Value, ids: &mut Vec<i64>) -> Result<(), NodeError> {
    let id = match value {
        Value::Null => return Ok(()),
        Value::Array(items) => return items.iter().try_for_each(|item| collect(item, ids)),
        Value::Object(record) => record.get("id").and_then(Value::as_i64),
        Value::String(text) if text.trim().is_empty() => return Ok(()),
        Value::String(text) => text.trim().parse().ok(),
        Value::Number(number) => number.as_i64(),
        Value::Bool(_) => None,
    };
    ids.push(id.ok_or_else(|| NodeError::Refused(format!("{value} is no id of a user")))?);
    Ok(())
}

async fn named(conn: &mut Conn, mut ids: Vec<i64>) -> Result<Vec<Person>, NodeError> {
    let mut seen = HashSet::new();
    ids.retain(|id| seen.insert(*id));
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let users = conn.schema().collection("users")?.clone();
    let filter = Filter::by_key(&users, &json!(ids))?;
    let select = Select { fields: vec!["id".into(), "email".into()], ..Select::default() };
    let found = people(&conn.find(&Find { filter, select, ..Find::all(users) }).await?);
    let person = |id: i64| {
        let there = found.iter().find(|person| person.id.0 == id).cloned();
        there.ok_or_else(|| NodeError::Refused(format!("there is no user with the id {id}")))
    };
    ids.into_iter().map(person).collect()
}

async fn of_roles(conn: &mut Conn, names: &[String]) -> Result<Vec<Person>, NodeError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let roles = conn.schema().collection("roles")?.clone();
    let filter = Filter::by_key(&roles, &json!(names))?;
    let select = Select { fields: vec!["name".into()], ..Select::default() };
    let found = conn.find(&Find { filter, select, ..Find::all(roles.clone()) }).await?;
    let is_there = |name: &&String| found.iter().any(|role| role.get("name").and_then(Value::as_str) == Some(name));
    if let Some(unknown) = names.iter().find(|name| !is_there(name)) {
        return Err(NodeError::Refused(format!("there is no role \"{unknown}\"")));
    }
    let keys: Vec<Value> = names.iter().map(|name| json!(name)).collect();
    let select = Select { fields: vec!["id".into(), "email".into()], ..Select::default() };
    Ok(people(&conn.follow(&roles, &keys, &["users".to_owned()], &select).await?))
}

fn people(records: &[Record]) -> Vec<Person> {
    let person = |record: &Record| {
        let email = record.get("email").and_then(Value::as_str).filter(|email| !email.is_empty());
        Some(Person { id: UserId(record.get("id")?.as_i64()?), email: email.map(str::to_owned) })
    };
    records.iter().filter_map(person).collect()
}

#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "`json!` at the call reads best without a borrow")]
mod tests {
    use super::*;

    #[track_caller]
    fn check(users: Value, want: Result<&[i64], &str>) {
        let mut ids = Vec::new();
        let got = collect(&users, &mut ids).map(|()| ids.as_slice()).map_err(|error| error.to_string());
        assert_eq!(got.as_ref().map(|ids| *ids).map_err(String::as_str), want, "{users}");
    }

    #[test]
    fn users_are_named_in_many_ways() {
        check(json!(7), Ok(&[7]));
        check(json!("7"), Ok(&[7]));
        check(json!([1, null, "2", {"id": 3, "nickname": "x"}, [4, [5]]]), Ok(&[1, 2, 3, 4, 5]));
        check(json!(null), Ok(&[]));
        check(json!(""), Ok(&[]));
        check(json!("admin"), Err("\"admin\" is no id of a user"));
        check(json!([1.5]), Err("1.5 is no id of a user"));
        check(json!({"nickname": "x"}), Err("{\"nickname\":\"x\"} is no id of a user"));
    }
}
