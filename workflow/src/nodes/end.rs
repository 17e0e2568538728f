//! `end`: ends the execution, well or not.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Value;
use store::JobStatus;

use super::{Effect, NodeError, NodeResult, NodeType, Run};

/// Ends the execution.
pub(super) struct End;

/// Ends the execution, wherever it stands: in a loop or in a parallel branch, too.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Config {
    /// 1 ends the execution as resolved, -1 as failed.
    #[serde(default)]
    end_status: EndStatus,
}

/// How something ends: 1 or -1 in a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum EndStatus {
    /// Well.
    #[default]
    Resolved,
    /// With a negative verdict.
    Failed,
}

impl EndStatus {
    /// The state of a job that ends like this.
    pub(super) fn job_status(self) -> JobStatus {
        match self {
            Self::Resolved => JobStatus::Resolved,
            Self::Failed => JobStatus::Failed,
        }
    }
}

impl<'de> Deserialize<'de> for EndStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match i64::deserialize(deserializer)? {
            1 => Ok(Self::Resolved),
            -1 => Ok(Self::Failed),
            other => Err(D::Error::custom(format!("{other} is no end status"))),
        }
    }
}

impl JsonSchema for EndStatus {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "EndStatus".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"enum": [1, -1], "default": 1})
    }
}

impl NodeType for End {
    const NAME: &'static str = "end";
    const AT_ONCE: bool = true;
    const WITHIN: bool = true;
    const ENDS: bool = true;

    type Config = Config;

    async fn run(config: Config, _: &Run<'_>) -> Result<Effect, NodeError> {
        Ok(Effect::Done(NodeResult::ended(config.end_status.job_status(), Value::Null)))
    }
}
