//! `calculation`: the result of an expression.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Effect, NodeError, NodeResult, NodeType, Run};
use crate::expression::Expressions;

/// Evaluates an expression; its value is the job's result.
pub(super) struct Calculation;

/// Evaluates an expression.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Config {
    /// The language of the expression.
    #[serde(default)]
    #[expect(dead_code, reason = "there is one engine so far; the schema refuses other names")]
    engine: Engine,
    /// The expression, with variables as `{{$context.data.amount}}`.
    expression: String,
}

#[derive(Deserialize, JsonSchema, Default)]
#[serde(rename_all = "lowercase")]
enum Engine {
    #[default]
    Cel,
}

impl NodeType for Calculation {
    const NAME: &'static str = "calculation";
    const AT_ONCE: bool = true;
    const WITHIN: bool = true;
    const VERBATIM: &'static [&'static str] = &["expression"];

    type Config = Config;

    fn check(config: &Value, expressions: &Expressions) -> Result<(), String> {
        let expression = config.get("expression").and_then(Value::as_str).unwrap_or_default();
        expressions.check(expression).map_err(|error| error.to_string())
    }

    async fn run(config: Config, run: &Run<'_>) -> Result<Effect, NodeError> {
        Ok(Effect::Done(NodeResult::resolved(run.expressions.evaluate(&config.expression, run.scope).await?)))
    }
}
