//! What is either so or not: the part that conditions, of whatever node, have in common.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{NodeError, calculator::Calculation};
use crate::{expression::Expressions, variables::Scope};

/// Members of its configuration whose text is not resolved.
pub(super) const VERBATIM: &[&str] = &["expression"];

/// A question that is answered by comparisons or by an expression.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Question {
    /// How the verdict is found.
    #[serde(default)]
    engine: Engine,
    /// For `basic`: comparisons in groups.
    #[serde(default)]
    calculation: Option<Calculation>,
    /// For `cel`: an expression that is true or false.
    #[serde(default)]
    expression: Option<String>,
}

#[derive(Deserialize, JsonSchema, Default, Clone, Copy)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Engine {
    #[default]
    Basic,
    Cel,
}

impl Question {
    /// Checks what the schema cannot say.
    pub(super) fn check(config: &Value, expressions: &Expressions) -> Result<(), String> {
        if config.get("engine").and_then(Value::as_str) != Some("cel") {
            return Ok(());
        }
        let expression =
            config.get("expression").and_then(Value::as_str).ok_or_else(|| "\"expression\" is required".to_owned())?;
        expressions.check(expression).map_err(|error| error.to_string())
    }

    /// Answers it. No comparison at all holds.
    pub(super) async fn verdict(&self, expressions: &Expressions, scope: &Scope) -> Result<bool, NodeError> {
        match self.engine {
            Engine::Basic => Ok(self.calculation.as_ref().is_none_or(Calculation::holds)),
            Engine::Cel => match expressions.evaluate(self.expression.as_deref().unwrap_or_default(), scope).await? {
                Value::Bool(verdict) => Ok(verdict),
                other => Err(NodeError::Refused(format!("the expression is neither true nor false: {other}"))),
            },
        }
    }
}
