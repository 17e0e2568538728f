//! `json-variable-mapping`: gives parts of a JSON value names of their own.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Effect, NodeError, NodeResult, NodeType, Run};
use crate::{expression::Expressions, variables};

/// Maps paths to names. The job's result is an object with one member per name.
pub(super) struct JsonVariableMapping;

/// Takes parts of a JSON value, such as the answer of a request, and gives each a name that later nodes can use.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Config {
    /// The value: usually a variable. A text is read as JSON.
    source: Value,
    /// What to take from it.
    #[schemars(length(max = 200))]
    variables: Vec<Mapping>,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(inline)]
struct Mapping {
    /// Members joined by dots, as in variables: a list is followed in each of its items, a number picks one. An empty path
    /// is the whole value.
    #[serde(default)]
    path: String,
    /// The name in the result.
    name: String,
    /// Stands for a part that is not there.
    #[serde(default)]
    default: Value,
    /// Whether a part that is not there, without a default, is an error.
    #[serde(default)]
    required: bool,
}

impl Mapping {
    fn find(&self, source: &Value) -> Result<Value, NodeError> {
        let members: Vec<String> = match self.path.trim() {
            "" => Vec::new(),
            path => path.split('.').map(|member| member.trim().to_owned()).collect(),
        };
        let found = variables::follow(source, &members).unwrap_or_else(|| self.default.clone());
        if self.required && found.is_null() {
            return Err(NodeError::Refused(format!(
                "\"{}\" is missing: there is nothing at \"{}\"",
                self.name, self.path
            )));
        }
        Ok(found)
    }
}

impl NodeType for JsonVariableMapping {
    const NAME: &'static str = "json-variable-mapping";
    const WITHIN: bool = true;
    /// Paths and names are what they are; only the value comes from elsewhere.
    const VERBATIM: &'static [&'static str] = &["variables"];

    type Config = Config;

    fn check(config: &Value, _: &Expressions) -> Result<(), String> {
        let mut seen = HashSet::new();
        for mapping in config.get("variables").and_then(Value::as_array).into_iter().flatten() {
            let name = mapping.get("name").and_then(Value::as_str).unwrap_or_default();
            if name.is_empty() || name.contains(['.', '{', '}']) {
                return Err(format!("\"{name}\" cannot be a name: it is empty or has a dot or a brace"));
            }
            if !seen.insert(name) {
                return Err(format!("the name \"{name}\" is given twice"));
            }
        }
        Ok(())
    }

    async fn run(config: Config, _: &Run<'_>) -> Result<Effect, NodeError> {
        let source = match config.source {
            Value::String(text) => serde_json::from_str(&text)
                .map_err(|error| NodeError::Refused(format!("the source is a text, but not JSON: {error}")))?,
            other => other,
        };
        let mut result = Map::with_capacity(config.variables.len());
        for mapping in config.variables {
            let value = mapping.find(&source)?;
            result.insert(mapping.name, value);
        }
        Ok(Effect::Done(NodeResult::resolved(Value::Object(result))))
    }
}
