//! The input of a manual run: an object with the data, `userId` and perhaps `roleName`.

use serde_json::{Map, Value};

use crate::{
    error::PluginError,
    id::UserId,
    schema::{AssociationPath, CollectionRef},
    trigger::{ManualData, ManualRun},
};

/// What a person starts a workflow with.
#[derive(Debug)]
pub struct ManualInput(Map<String, Value>);

impl ManualInput {
    /// Reads the input.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Invalid`] if it is no object.
    pub fn read(input: Value) -> Result<Self, PluginError> {
        match input {
            Value::Object(members) => Ok(Self(members)),
            _ => Err(PluginError::invalid("The input of a manual run must be an object")),
        }
    }

    /// Takes out a member that has to be there.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Invalid`] if it is not, or is `null`.
    pub fn required(&mut self, name: &str) -> Result<Value, PluginError> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Err(PluginError::invalid(format!("\"{name}\" is required"))),
            Some(value) => Ok(value),
        }
    }

    /// Takes out a member that may be missing; `null` is missing.
    pub fn optional(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    /// Starts with `data`, in the name of the input's user.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Invalid`] if there is no user, or user or role are not what they should be.
    pub fn run(mut self, data: ManualData) -> Result<ManualRun, PluginError> {
        let user = self.required("userId")?;
        let user = user.as_i64().ok_or_else(|| PluginError::invalid("\"userId\" must be the number of a user"))?;
        let role = match self.0.remove("roleName") {
            None | Some(Value::Null) => None,
            Some(Value::String(role)) => Some(role),
            Some(_) => return Err(PluginError::invalid("\"roleName\" must be a string")),
        };
        Ok(ManualRun { role, ..ManualRun::new(data, UserId(user)) })
    }
}

/// Reads `data` for a workflow that gets a record: it is taken as given, unless associations have to be loaded with it; a key
/// names the record to load.
///
/// # Errors
///
/// [`crate::ErrorKind::Invalid`] for what is neither.
pub fn record_or_key(
    data: Value,
    collection: &CollectionRef,
    appends: &[AssociationPath],
) -> Result<ManualData, PluginError> {
    match data {
        record @ Value::Object(_) if appends.is_empty() => Ok(ManualData::Given(record)),
        key @ (Value::Object(_) | Value::Number(_) | Value::String(_)) => {
            Ok(ManualData::Load { collection: collection.clone(), key, preloads: appends.to_vec() })
        }
        Value::Null | Value::Bool(_) | Value::Array(_) => {
            Err(PluginError::invalid("\"data\" must be a record or the primary key of one"))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn run(input: Value) -> Result<ManualRun, String> {
        let read = |input| {
            let mut input = ManualInput::read(input)?;
            let data = input.required("data")?;
            let appends = [AssociationPath::parse("category")];
            let data = record_or_key(data, &CollectionRef::parse("posts"), &appends)?;
            input.run(data)
        };
        read(input).map_err(|error: PluginError| error.message)
    }

    #[test]
    fn a_run_has_data_a_user_and_perhaps_a_role() {
        let started = run(json!({"data": 1, "userId": 7, "roleName": "member"})).expect("a good input");
        assert_eq!((started.user, started.role.as_deref(), &*started.variable), (UserId(7), Some("member"), "data"));
        let preloads = vec![AssociationPath::parse("category")];
        assert_eq!(
            started.data,
            ManualData::Load { collection: CollectionRef::parse("posts"), key: json!(1), preloads },
        );
        assert_eq!(run(json!({"data": "slug", "userId": 7})).expect("a good input").role, None);
    }

    #[test]
    fn a_record_is_taken_as_given_unless_more_has_to_be_loaded() {
        let posts = CollectionRef::parse("posts");
        let record = json!({"id": 1, "title": "given"});
        assert_eq!(record_or_key(record.clone(), &posts, &[]), Ok(ManualData::Given(record.clone())));
        let preloads = vec![AssociationPath::parse("category")];
        let loaded = ManualData::Load { collection: posts.clone(), key: record.clone(), preloads: preloads.clone() };
        assert_eq!(record_or_key(record, &posts, &preloads), Ok(loaded));
    }

    #[test]
    fn what_is_missing_or_wrong_is_said() {
        let check = |input: Value, message: &str| assert_eq!(run(input).expect_err("a bad input"), message);
        check(json!({"userId": 1}), r#""data" is required"#);
        check(json!({"data": null, "userId": 1}), r#""data" is required"#);
        check(json!({"data": [1, 2], "userId": 1}), r#""data" must be a record or the primary key of one"#);
        check(json!({"data": true, "userId": 1}), r#""data" must be a record or the primary key of one"#);
        check(json!({"data": 1}), r#""userId" is required"#);
        check(json!({"data": 1, "userId": null}), r#""userId" is required"#);
        check(json!({"data": 1, "userId": "x"}), r#""userId" must be the number of a user"#);
        check(json!({"data": 1, "userId": 1.5}), r#""userId" must be the number of a user"#);
        check(json!({"data": 1, "userId": 1, "roleName": 3}), r#""roleName" must be a string"#);
        check(json!([]), "The input of a manual run must be an object");
        check(Value::Null, "The input of a manual run must be an object");
    }
}
