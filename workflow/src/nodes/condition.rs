//! `condition`: goes one way or the other, or ends the execution.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use store::JobStatus;

use super::{Effect, NodeError, NodeResult, NodeType, Run, question::Question};
use crate::expression::Expressions;

/// Decides. The job's result is the verdict.
pub(super) struct Condition;

/// Decides, by comparisons or by an expression, and goes one way or the other, or ends the execution.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Config {
    #[serde(flatten)]
    question: Question,
    /// Whether a negative verdict fails the execution; otherwise branch 1 follows a positive one, branch 0 a negative one.
    #[serde(default = "yes")]
    reject_on_false: bool,
}

fn yes() -> bool {
    true
}

impl NodeType for Condition {
    const NAME: &'static str = "condition";
    const AT_ONCE: bool = true;
    const WITHIN: bool = true;
    const VERBATIM: &'static [&'static str] = &["expression"];

    type Config = Config;

    fn check(config: &Value, expressions: &Expressions) -> Result<(), String> {
        Question::check(config, expressions)
    }

    async fn run(config: Config, run: &Run<'_>) -> Result<Effect, NodeError> {
        let verdict = config.question.verdict(run.expressions, run.scope).await?;
        let status = if verdict || !config.reject_on_false { JobStatus::Resolved } else { JobStatus::Failed };
        Ok(Effect::Done(NodeResult::ended(status, Value::Bool(verdict))))
    }

    fn branch(result: &Value) -> Option<i64> {
        result.as_bool().map(i64::from)
    }
}
