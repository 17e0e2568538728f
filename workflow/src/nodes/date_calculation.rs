//! `date-calculation`: takes a moment through steps: adds, cuts off, compares, writes out.
//!
//! The input becomes a moment in a time zone, each step makes another moment of it, and the last one may make a number or a
//! text. Days and longer units follow the calendar of the zone, so a day has 23 or 25 hours where clocks change.

mod calendar;
mod step;

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use self::step::{Reached, Step, StepConfig};
use super::{Effect, NodeError, NodeResult, NodeType, Run};
use crate::{expression::Expressions, variables::holds_variable};

/// Calculates with a moment. The job's result is a moment (RFC 3339), or what the last step makes of it.
pub(super) struct DateCalculation;

/// Takes a moment through steps. Each step makes another moment of it; the last one may make a number or a text.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Config {
    /// The moment to begin with: RFC 3339, a day (YYYY-MM-DD), or milliseconds since 1970. Now, if there is none.
    #[serde(default)]
    input: Value,
    /// The time zone whose calendar counts, such as Europe/Berlin.
    #[serde(default = "utc")]
    time_zone: String,
    /// What to do, in order.
    #[serde(default)]
    #[schemars(length(max = 50))]
    steps: Vec<StepConfig>,
}

fn utc() -> String {
    "UTC".to_owned()
}

impl NodeType for DateCalculation {
    const NAME: &'static str = "date-calculation";
    const WITHIN: bool = true;

    type Config = Config;

    fn check(config: &Value, _: &Expressions) -> Result<(), String> {
        if let Some(name) = config.get("timeZone").filter(|name| !holds_variable(name)).and_then(Value::as_str) {
            zone(name).map_err(|error| error.to_string())?;
        }
        let steps = config.get("steps").and_then(Value::as_array).map_or(&[] as &[_], Vec::as_slice);
        steps.iter().enumerate().try_for_each(|(index, step)| step::check(step, index, index + 1 == steps.len()))
    }

    async fn run(config: Config, run: &Run<'_>) -> Result<Effect, NodeError> {
        let zone = zone(&config.time_zone)?;
        let mut reached = Reached::Moment(match &config.input {
            Value::Null => run.scope.now().with_timezone(&zone),
            given => moment(given, zone)?,
        });
        for step in config.steps {
            let Reached::Moment(moment) = reached else {
                return Err(NodeError::Refused("a step that ends in a number or a text has to be the last one".into()));
            };
            reached = Step::read(step, zone)?.carry_out(moment)?;
        }
        Ok(Effect::Done(NodeResult::resolved(match reached {
            Reached::Moment(moment) => Value::String(written(&moment)),
            Reached::Value(value) => value,
        })))
    }
}

fn zone(name: &str) -> Result<Tz, NodeError> {
    name.parse().map_err(|_| NodeError::Refused(format!("there is no time zone \"{name}\"")))
}

/// Reads a moment. A day is its beginning in the zone.
fn moment(value: &Value, zone: Tz) -> Result<DateTime<Tz>, NodeError> {
    let refused =
        || NodeError::Refused(format!("{value} is no moment: RFC 3339, YYYY-MM-DD or milliseconds since 1970"));
    match value {
        Value::Number(ms) => {
            let ms = ms.as_i64().ok_or_else(refused)?;
            Ok(DateTime::<Utc>::from_timestamp_millis(ms).ok_or_else(refused)?.with_timezone(&zone))
        }
        Value::String(text) => {
            let text = text.trim();
            if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
                return Ok(moment.with_timezone(&zone));
            }
            let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").map_err(|_| refused())?;
            calendar::in_zone(day.and_time(chrono::NaiveTime::MIN), zone).ok_or_else(refused)
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(refused()),
    }
}

/// RFC 3339 with milliseconds, with the zone's offset.
fn written(moment: &DateTime<Tz>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Millis, true)
}
