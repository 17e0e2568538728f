//! `multi-conditions`: goes the way of the first condition that holds.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use store::JobStatus;

use super::{
    Effect, NodeError, NodeResult, NodeType, Run,
    question::{self, Question},
    resolve_except,
};
use crate::{expression::Expressions, variables::Scope};

/// Asks one condition after the other. The job's result says what each answered and which branch follows.
pub(super) struct MultiConditions;

/// Asks one condition after the other and goes the way of the first that holds.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Config {
    /// Asked in this order until one holds. The first one belongs to branch 1, and so on.
    conditions: Vec<Question>,
    /// Whether the execution goes on, by branch 0, if none holds; otherwise it fails.
    #[serde(default = "yes")]
    continue_on_no_match: bool,
}

fn yes() -> bool {
    true
}

impl NodeType for MultiConditions {
    const NAME: &'static str = "multi-conditions";
    const AT_ONCE: bool = true;
    const WITHIN: bool = true;

    type Config = Config;

    fn check(config: &Value, expressions: &Expressions) -> Result<(), String> {
        let conditions = config.get("conditions").and_then(Value::as_array).into_iter().flatten();
        for (number, condition) in conditions.enumerate() {
            Question::check(condition, expressions).map_err(|error| format!("condition {}: {error}", number + 1))?;
        }
        Ok(())
    }

    fn resolve(config: &Value, scope: &Scope) -> Result<Value, NodeError> {
        let mut resolved = resolve_except(config, scope, &["conditions"]);
        if let Some(conditions) = resolved.get_mut("conditions").and_then(Value::as_array_mut) {
            for condition in conditions {
                *condition = resolve_except(condition, scope, question::VERBATIM);
            }
        }
        Ok(resolved)
    }

    async fn run(config: Config, run: &Run<'_>) -> Result<Effect, NodeError> {
        let (mut answers, mut branch) = (Vec::new(), 0);
        for (condition, number) in config.conditions.iter().zip(1_i64..) {
            let holds = condition.verdict(run.expressions, run.scope).await?;
            answers.push(holds);
            if holds {
                branch = number;
                break;
            }
        }
        let status = if branch == 0 && !config.continue_on_no_match { JobStatus::Failed } else { JobStatus::Resolved };
        Ok(Effect::Done(NodeResult::ended(status, json!({"conditions": answers, "branch": branch}))))
    }

    fn branch(result: &Value) -> Option<i64> {
        result.get("branch").and_then(Value::as_i64)
    }
}
