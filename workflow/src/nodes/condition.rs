//! `condition`: goes one way or the other, or ends the execution.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use store::JobStatus;

use super::{Effect, NodeError, NodeResult, NodeType, Run, calculator::Calculation};
use crate::expression::Expressions;

/// Decides. The job's result is the verdict.
pub(super) struct Condition;

/// The configuration of a [`Condition`].
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Config {
    /// How the verdict is found.
    #[serde(default)]
    engine: Engine,
    /// For `basic`: comparisons in groups.
    #[serde(default)]
    calculation: Option<Calculation>,
    /// For `cel`: an expression that is true or false.
    #[serde(default)]
    expression: Option<String>,
    /// Whether a negative verdict fails the execution; otherwise branch 1 follows a positive one, branch 0 a negative one.
    #[serde(default = "yes")]
    reject_on_false: bool,
}

#[derive(Deserialize, JsonSchema, Default, Clone, Copy)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Engine {
    #[default]
    Basic,
    Cel,
}

fn yes() -> bool {
    true
}

impl NodeType for Condition {
    const NAME: &'static str = "condition";
    const VERBATIM: &'static [&'static str] = &["expression"];

    type Config = Config;

    fn check(config: &Value, expressions: &Expressions) -> Result<(), String> {
        if config.get("engine").and_then(Value::as_str) != Some("cel") {
            return Ok(());
        }
        let expression =
            config.get("expression").and_then(Value::as_str).ok_or_else(|| "\"expression\" is required".to_owned())?;
        expressions.check(expression).map_err(|error| error.to_string())
    }

    async fn run(config: Config, run: &Run<'_>) -> Result<Effect, NodeError> {
        let verdict = match config.engine {
            Engine::Basic => config.calculation.as_ref().is_none_or(Calculation::holds),
            Engine::Cel => {
                let expression = config.expression.as_deref().unwrap_or_default();
                match run.expressions.evaluate(expression, run.scope).await? {
                    Value::Bool(verdict) => verdict,
                    other => {
                        return Err(NodeError::Refused(format!("the expression is neither true nor false: {other}")));
                    }
                }
            }
        };
        let status = if verdict || !config.reject_on_false { JobStatus::Resolved } else { JobStatus::Failed };
        Ok(Effect::Done(NodeResult::ended(status, Value::Bool(verdict))))
    }

    fn branch(result: &Value) -> Option<i64> {
        result.as_bool().map(i64::from)
    }
}
