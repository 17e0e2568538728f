//! `response-message`: says something to the person who waits for a synchronous workflow.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Effect, NodeError, NodeResult, NodeType, Run, lenient::Text};

/// Adds a message to the answer. The message is the job's result.
pub(super) struct ResponseMessage;

/// Says something to the person who waits for the answer of a synchronous workflow.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Config {
    /// What to say.
    #[serde(default)]
    message: Text,
}

impl NodeType for ResponseMessage {
    const NAME: &'static str = "response-message";
    const AT_ONCE: bool = true;
    const WITHIN: bool = true;

    type Config = Config;

    async fn run(config: Config, _: &Run<'_>) -> Result<Effect, NodeError> {
        Ok(Effect::Done(NodeResult::resolved(Value::String(config.message.0))))
    }

    fn message(result: &Value) -> Option<String> {
        result.as_str().map(str::to_owned)
    }
}
