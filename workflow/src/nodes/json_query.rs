//! `json-query`: takes a JSON value apart and puts another one together, in the language of jq.
//!
//! A query is configured by somebody and run on data of somebody else, so it is metered: [`meter`] puts a step counter into
//! the program, which [`program`] compiles and runs on a thread of its own, with a deadline, a number of steps and a size of
//! the result. Queries reach nothing outside: no files, no environment, no modules.

mod meter;
mod program;
mod result;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Effect, NodeError, NodeResult, NodeType, Run};
use crate::expression::Expressions;

/// Queries a JSON value. The job's result is the first output, or a list of all with `multiple`.
pub(super) struct JsonQuery;

/// Takes a JSON value apart and puts another one together, in the language of jq.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Config {
    /// The language of the expression.
    #[serde(default)]
    #[expect(dead_code, reason = "there is one engine so far; the schema refuses other names")]
    engine: Engine,
    /// The value: usually a variable.
    #[serde(default)]
    source: Value,
    /// The query, such as `.items | map(select(.price > 10))`.
    expression: String,
    /// All outputs as a list, instead of the first one.
    #[serde(default)]
    multiple: bool,
}

#[derive(Deserialize, JsonSchema, Default)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Engine {
    #[default]
    Jq,
}

/// How many outputs are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outputs {
    First,
    All,
}

impl NodeType for JsonQuery {
    const NAME: &'static str = "json-query";
    const VERBATIM: &'static [&'static str] = &["expression"];

    type Config = Config;

    fn check(config: &Value, _: &Expressions) -> Result<(), String> {
        program::check(config.get("expression").and_then(Value::as_str).unwrap_or_default())
            .map_err(|error| error.to_string())
    }

    async fn run(config: Config, run: &Run<'_>) -> Result<Effect, NodeError> {
        let outputs = if config.multiple { Outputs::All } else { Outputs::First };
        let Config { expression, source, .. } = config;
        let result = run
            .outside
            .interpreters
            .run(program::NEEDS, move || program::run(&expression, &source, outputs))
            .await
            .map_err(|error| NodeError::Refused(format!("the query failed: {error}")))?;
        Ok(Effect::Done(NodeResult::resolved(result.map_err(|error| NodeError::Refused(error.to_string()))?)))
    }
}
