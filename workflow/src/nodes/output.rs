//! `output`: says what the execution has worked out.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Effect, NodeError, NodeResult, NodeType, Run};

/// Sets the execution's output; the last one counts. The job's result is the output.
pub(super) struct Output;

/// Says what the execution has worked out.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Config {
    /// The output: any JSON.
    #[serde(default)]
    value: Value,
}

impl NodeType for Output {
    const NAME: &'static str = "output";
    const AT_ONCE: bool = true;
    const WITHIN: bool = true;
    const OUTPUTS: bool = true;

    type Config = Config;

    async fn run(config: Config, _: &Run<'_>) -> Result<Effect, NodeError> {
        Ok(Effect::Done(NodeResult::resolved(config.value)))
    }
}
