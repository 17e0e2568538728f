//! `loop`: runs its branch once for each item.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Effect, NodeError, NodeType, Run, Surround,
    contained::caught,
    question::{self, Question},
    resolve_except,
};
use crate::{expression::Expressions, variables::Scope};

/// Most rounds of one loop. All jobs of an execution are read when it goes on after a wait or a restart; at this many
/// rounds that still takes well under a second.
const MAX_ROUNDS: usize = 10_000;

/// Runs its branch once for each item. The job's result says how many rounds were gone through and whether it broke off.
pub(super) struct Loop;

/// Runs its branch once for each item.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Config {
    /// What to go through: a list, a text (its characters) or a number (that many rounds). Nothing makes no round.
    #[serde(default)]
    target: Value,
    /// Asked before each round, with the round's own variables.
    #[serde(default)]
    condition: Option<Checkpoint>,
    /// What becomes of the loop when a round fails.
    #[serde(default)]
    exit: OnFailure,
}

/// A condition on a round.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
struct Checkpoint {
    #[serde(flatten)]
    #[expect(dead_code, reason = "read again for each round, whose variables it may use")]
    question: Question,
    /// Whether the next item has its turn when the condition does not hold; otherwise the loop is over.
    #[serde(default)]
    continue_on_false: bool,
}

/// What becomes of a loop when a round fails.
#[derive(Debug, Deserialize, JsonSchema, Default, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum OnFailure {
    /// It fails like the round.
    #[default]
    Exit,
    /// It is over, and the execution goes on behind it.
    Break,
    /// The next item has its turn.
    Continue,
}

/// The rounds of a loop that has begun.
pub(crate) struct Rounds {
    items: Vec<Value>,
    /// As configured, variables not resolved.
    condition: Option<Value>,
    continue_on_false: bool,
    /// What becomes of the loop when a round fails.
    pub(crate) exit: OnFailure,
}

/// Whether a round is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It is.
    Run,
    /// It is left out.
    Skip,
    /// Neither it nor any after it.
    Over,
}

impl Rounds {
    /// How many items there are.
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// What the nodes of a round see as `$scopes.<key of the loop>`.
    pub(crate) fn variables(&self, round: usize) -> Value {
        let item = self.items.get(round).unwrap_or(&Value::Null);
        json!({"item": item, "index": round, "sequence": round + 1, "length": self.items.len()})
    }

    /// Asks the condition about the round whose variables are in the scope.
    pub(crate) async fn admits(&self, expressions: &Expressions, scope: &Scope) -> Result<Admission, NodeError> {
        let Some(condition) = &self.condition else { return Ok(Admission::Run) };
        let verdict = async {
            let resolved = resolve_except(condition, scope, question::VERBATIM);
            let question: Question =
                serde_json::from_value(resolved).map_err(|error| NodeError::Refused(error.to_string()))?;
            question.verdict(expressions, scope).await
        };
        Ok(match caught(Loop::NAME, verdict).await? {
            true => Admission::Run,
            false if self.continue_on_false => Admission::Skip,
            false => Admission::Over,
        })
    }
}

impl NodeType for Loop {
    const NAME: &'static str = "loop";
    const AT_ONCE: bool = true;
    const WITHIN: bool = true;
    const SURROUNDS: bool = true;
    const VERBATIM: &'static [&'static str] = &["condition"];

    type Config = Config;

    fn check(config: &Value, expressions: &Expressions) -> Result<(), String> {
        match config.get("condition") {
            Some(condition) => Question::check(condition, expressions).map_err(|error| format!("condition: {error}")),
            None => Ok(()),
        }
    }

    async fn run(config: Config, run: &Run<'_>) -> Result<Effect, NodeError> {
        let condition = run.node.config.get("condition").filter(|condition| condition.is_object()).cloned();
        Ok(Effect::Surround(Surround::Loop(Rounds {
            items: items(config.target)?,
            condition,
            continue_on_false: config.condition.is_some_and(|condition| condition.continue_on_false),
            exit: config.exit,
        })))
    }
}

fn items(target: Value) -> Result<Vec<Value>, NodeError> {
    let items: Vec<Value> = match target {
        Value::Null => Vec::new(),
        Value::Array(items) => items,
        Value::String(text) => text.chars().map(|character| character.to_string().into()).collect(),
        Value::Number(number) => {
            let count = number.as_f64().unwrap_or_default().clamp(0.0, MAX_ROUNDS as f64 + 1.0) as usize;
            (0..count).map(Value::from).collect()
        }
        other @ (Value::Bool(_) | Value::Object(_)) => {
            return Err(NodeError::Refused(format!("a loop cannot go through {other}")));
        }
    };
    if items.len() > MAX_ROUNDS {
        return Err(NodeError::Refused(format!("a loop has at most {MAX_ROUNDS} rounds")));
    }
    Ok(items)
}
