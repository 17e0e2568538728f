//! Secrets in configurations. What a trigger's schema calls `writeOnly` is stored apart from the configuration, where nobody reads it but the
//! trigger: the configuration says `***` in its place, and whoever sends that back keeps the secret.
//!
//! Secrets are members at the top of a configuration.

use serde_json::{Map, Value};
use store::WorkflowRow;

use crate::http::error::ApiError;

/// What stands for a secret.
const STARS: &str = "***";

/// Puts known secrets in the place of the stars of a configuration.
///
/// # Errors
///
/// 400 for stars that stand for nothing.
pub(crate) fn opened(schema: &Value, config: &Value, known: &Value) -> Result<Value, ApiError> {
    let mut config = config.clone();
    for name in names(schema) {
        let Some(value) = config.get_mut(name).filter(|value| *value == STARS) else { continue };
        match known.get(name) {
            Some(secret) => *value = secret.clone(),
            None => {
                return Err(ApiError::Refused(format!(
                    "\"{name}\" has to be given: \"{STARS}\" stands for nothing yet"
                )));
            }
        }
    }
    Ok(config)
}

/// Takes the secrets out of a configuration: what is left, and what was taken out.
pub(crate) fn sealed(schema: &Value, mut config: Value) -> (Value, Value) {
    let mut secrets = Map::new();
    for name in names(schema) {
        if let Some(value) = config.get_mut(name).filter(|value| !value.is_null()) {
            secrets.insert(name.clone(), std::mem::replace(value, STARS.into()));
        }
    }
    (config, Value::Object(secrets))
}

/// The configuration of a workflow as its trigger gets it.
pub(crate) fn told(row: &WorkflowRow) -> Value {
    let mut config = row.config.clone();
    if let (Some(members), Some(secrets)) = (config.as_object_mut(), row.secrets.as_object()) {
        members.extend(secrets.clone());
    }
    config
}

fn names(schema: &Value) -> impl Iterator<Item = &String> {
    let fields = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    fields.filter(|(_, field)| field.get("writeOnly") == Some(&Value::Bool(true))).map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_taken_out_and_put_back() {
        let schema = json!({"properties": {"secret": {"writeOnly": true}, "token": {"writeOnly": true}, "path": {}}});
        let (config, secrets) = sealed(&schema, json!({"secret": "s", "token": null, "path": "p"}));
        assert_eq!(config, json!({"secret": "***", "token": null, "path": "p"}));
        assert_eq!(secrets, json!({"secret": "s"}));
        let sent = json!({"secret": "***", "token": "t", "path": "***"});
        let opened_config = opened(&schema, &sent, &secrets).expect("known");
        assert_eq!(opened_config, json!({"secret": "s", "token": "t", "path": "***"}));
        let error = opened(&schema, &json!({"token": "***"}), &secrets).expect_err("unknown");
        assert_eq!(error.to_string(), "\"token\" has to be given: \"***\" stands for nothing yet");
    }
}
