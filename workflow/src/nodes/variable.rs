//! `variable`: a value that later nodes can replace.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Effect, NodeError, NodeResult, NodeType, Run};
use crate::variables::Path;

/// Declares a variable, or assigns to one. The job's result is the value; a declared variable is read as the result of the
/// node that declares it, `{{$jobsMapByNodeKey.<key>}}`.
pub(super) struct Variable;

/// Declares a variable, or assigns to one.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Config {
    /// The key of the node that declares the variable to assign to; none declares one.
    #[serde(default)]
    target: Option<String>,
    /// The value.
    #[serde(default)]
    value: Value,
}

impl NodeType for Variable {
    const NAME: &'static str = "variable";
    const AT_ONCE: bool = true;
    const WITHIN: bool = true;
    const VERBATIM: &'static [&'static str] = &["target"];

    type Config = Config;

    async fn run(config: Config, run: &Run<'_>) -> Result<Effect, NodeError> {
        let declared = |key: &String| {
            let path = Path::parse(&format!("$jobsMapByNodeKey.{key}"));
            path.is_some_and(|path| run.scope.lookup(&path).is_some())
        };
        match config.target {
            Some(target) if !declared(&target) => {
                Err(NodeError::Refused(format!("the variable \"{target}\" is not declared before it is assigned to")))
            }
            Some(_) | None => Ok(Effect::Done(NodeResult::resolved(config.value))),
        }
    }

    fn assigns(config: &Value) -> Option<&str> {
        config.get("target").and_then(Value::as_str)
    }
}
