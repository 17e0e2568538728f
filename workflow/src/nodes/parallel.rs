//! `parallel`: runs its branches at the same time.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Effect, NodeError, NodeType, Run, Surround};

/// Runs its branches at the same time. The job's result lists what became of each.
pub(super) struct Parallel;

/// Runs its branches at the same time. A branch that waits (a delay, a person) holds only itself.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Config {
    /// When it is over, and how.
    #[serde(default)]
    mode: Mode,
}

/// When a parallel node is over, and how. What still runs then is canceled.
#[derive(Debug, Deserialize, JsonSchema, Default, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub(crate) enum Mode {
    /// Well when all branches are through, ill when one fails.
    #[default]
    All,
    /// Well when one branch is through, ill when all have failed.
    Any,
    /// Like the first branch that is through or fails.
    Race,
    /// Well when all branches are through or have failed.
    AllSettled,
}

impl NodeType for Parallel {
    const NAME: &'static str = "parallel";
    const AT_ONCE: bool = true;
    const WITHIN: bool = true;
    const SURROUNDS: bool = true;

    type Config = Config;

    async fn run(config: Config, _: &Run<'_>) -> Result<Effect, NodeError> {
        Ok(Effect::Surround(Surround::Parallel(config.mode)))
    }
}
