//! `delay`: waits, then lets the execution go on or fails it.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use store::{Job, JobStatus};

use super::{Effect, NodeError, NodeResult, NodeType, Run, end::EndStatus, lenient::Amount};

/// Waits `unit` × `duration` milliseconds. The result of the job is that product.
pub(super) struct Delay;

/// Waits, then lets the execution go on or fails it. Other executions are not held up.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Config {
    /// Milliseconds in a unit: 60,000 for minutes.
    #[serde(default = "one_millisecond")]
    unit: Amount,
    /// How many units.
    duration: Amount,
    /// 1 goes on afterwards, -1 fails.
    #[serde(default)]
    end_status: EndStatus,
}

fn one_millisecond() -> Amount {
    Amount(1.0)
}

/// Ten years: beyond it a delay is a mistake.
const LONGEST_MS: f64 = 10.0 * 365.0 * 24.0 * 3_600_000.0;

impl NodeType for Delay {
    const NAME: &'static str = "delay";
    const AT_ONCE: bool = true;
    const STANDS_ALONE: bool = false;

    type Config = Config;

    async fn run(config: Config, run: &Run<'_>) -> Result<Effect, NodeError> {
        let ms = (config.unit.0 * config.duration.0).round();
        if !(0.0..=LONGEST_MS).contains(&ms) {
            return Err(NodeError::Refused(format!("a delay of {ms} milliseconds is not between 0 and {LONGEST_MS}")));
        }
        let ms = ms as i64;
        let now_ms = run.scope.now().timestamp_millis();
        Ok(Effect::Done(NodeResult {
            status: JobStatus::Pending,
            result: Value::from(ms),
            due_at_ms: Some(now_ms.saturating_add(ms)),
            wakes: None,
        }))
    }

    fn resume(config: Config, job: &Job) -> Result<NodeResult, NodeError> {
        Ok(NodeResult::ended(config.end_status.job_status(), job.result.clone()))
    }
}
