//! `script`: JavaScript in a sandbox.
//!
//! A script is the body of an asynchronous function whose parameters are the configured arguments. It sees the language and
//! nothing else: no files, no network, no timers, no modules, no other script. Time, memory and stack are bounded.

mod sandbox;

use std::{collections::HashSet, time::Duration};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use store::JobStatus;

use self::sandbox::{Limits, Script as Source};
use super::{Effect, NodeError, NodeResult, NodeType, Run, lenient::Amount};
use crate::expression::Expressions;

/// Runs a script. The job's result is what it returns.
pub(super) struct Script;

/// Runs JavaScript in a sandbox.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Config {
    /// The body of a function; `return` answers, `await` waits for promises.
    #[schemars(length(max = 65536))]
    content: String,
    /// What the script is given, by name.
    #[serde(default)]
    #[schemars(length(max = 100))]
    arguments: Vec<Argument>,
    /// Milliseconds that it may take.
    #[serde(default = "one_second")]
    timeout: Amount,
    /// Goes on if the script fails.
    #[serde(default, rename = "continue")]
    continues: bool,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(inline)]
struct Argument {
    /// The name of the variable.
    name: String,
    /// Its value.
    #[serde(default)]
    value: Value,
}

fn one_second() -> Amount {
    Amount(1_000.0)
}

/// Longest run: a script takes one of a few places.
const MAX_TIMEOUT_MS: f64 = 30_000.0;

impl NodeType for Script {
    const NAME: &'static str = "script";
    const VERBATIM: &'static [&'static str] = &["content"];

    type Config = Config;

    fn check(config: &Value, _: &Expressions) -> Result<(), String> {
        let mut seen = HashSet::new();
        for argument in config.get("arguments").and_then(Value::as_array).into_iter().flatten() {
            let name = argument.get("name").and_then(Value::as_str).unwrap_or_default();
            if !is_identifier(name) {
                return Err(format!("\"{name}\" cannot be the name of a variable"));
            }
            if !seen.insert(name) {
                return Err(format!("the argument \"{name}\" is given twice"));
            }
        }
        let names = seen.into_iter().map(str::to_owned).collect();
        let content = config.get("content").and_then(Value::as_str).unwrap_or_default();
        sandbox::check(names, content.to_owned()).map_err(|error| error.to_string())
    }

    async fn run(config: Config, run: &Run<'_>) -> Result<Effect, NodeError> {
        let Config { content, arguments, timeout: Amount(timeout_ms), continues } = config;
        if !(1.0..=MAX_TIMEOUT_MS).contains(&timeout_ms) {
            return Err(NodeError::Refused(format!("\"timeout\" must be between 1 and {MAX_TIMEOUT_MS}")));
        }
        let arguments = arguments.into_iter().map(|argument| (argument.name, argument.value)).collect();
        let script = Source { content, arguments };
        let limits = Limits { time: Duration::from_millis(timeout_ms as u64) };
        let outcome = run.outside.interpreters.run(limits.needs(), move || sandbox::run(&script, limits)).await;
        let (execution, node) = (run.execution.0, run.node.key.as_str());
        let failure = match outcome {
            Ok((lines, answer)) => {
                for line in lines {
                    tracing::debug!(execution, node, "script: {line}");
                }
                match answer {
                    Ok(value) => return Ok(Effect::Done(NodeResult::resolved(value))),
                    Err(error) => error.to_string(),
                }
            }
            Err(error) => format!("the script failed: {error}"),
        };
        let status = if continues { JobStatus::Resolved } else { JobStatus::Error };
        Ok(Effect::Done(NodeResult::ended(status, json!({"message": failure}))))
    }
}

/// Names of letters that are no words of the language; others could not be used as variables anyway.
fn is_identifier(name: &str) -> bool {
    let mut letters = name.chars();
    let letter = |letter: char| letter.is_ascii_alphabetic() || matches!(letter, '_' | '$');
    letters.next().is_some_and(letter)
        && name.len() <= 64
        && letters.all(|other| letter(other) || other.is_ascii_digit())
}
