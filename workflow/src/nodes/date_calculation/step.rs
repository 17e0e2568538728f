//! The steps of a date calculation.

use std::fmt::Write as _;

use chrono::{
    DateTime, Datelike, Timelike,
    format::{Item, StrftimeItems},
};
use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{calendar::Unit, moment};
use crate::{
    nodes::{NodeError, lenient::Amount},
    variables::holds_variable,
};

/// A step as it is configured: one shape for all, so that a form can show it and a variable can stand in each place.
#[derive(Deserialize, JsonSchema)]
#[schemars(inline)]
pub(super) struct StepConfig {
    /// What the step does.
    function: Function,
    /// For all but `format`: the unit.
    #[serde(default)]
    unit: Option<Unit>,
    /// For `add` and `subtract`: how many units.
    #[serde(default)]
    amount: Option<Amount>,
    /// For `difference`: the other moment.
    #[serde(default)]
    to: Value,
    /// For `format`: a pattern such as %Y-%m-%d %H:%M.
    #[serde(default)]
    format: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
enum Function {
    /// Goes on in time.
    Add,
    /// Goes back in time.
    Subtract,
    /// Goes to the beginning of a period.
    StartOf,
    /// Goes to the last millisecond of a period.
    EndOf,
    /// Counts the whole units up to another moment.
    Difference,
    /// Takes a part, such as the year.
    Get,
    /// Writes it out.
    Format,
}

impl Function {
    fn needs(self) -> &'static [&'static str] {
        match self {
            Self::Add | Self::Subtract => &["unit", "amount"],
            Self::StartOf | Self::EndOf | Self::Get => &["unit"],
            Self::Difference => &["unit", "to"],
            Self::Format => &["format"],
        }
    }

    /// Whether a moment comes out.
    fn makes_moment(self) -> bool {
        match self {
            Self::Add | Self::Subtract | Self::StartOf | Self::EndOf => true,
            Self::Difference | Self::Get | Self::Format => false,
        }
    }
}

/// Checks a step before its variables are resolved.
pub(super) fn check(step: &Value, index: usize, last: bool) -> Result<(), String> {
    let Some(function) = step.get("function").filter(|function| !holds_variable(function)) else { return Ok(()) };
    let function = Function::deserialize(function).map_err(|error| error.to_string())?;
    for name in function.needs() {
        if step.get(name).is_none_or(Value::is_null) {
            return Err(format!("\"steps.{index}.{name}\" is required"));
        }
    }
    if let Some(pattern) = step.get("format").filter(|pattern| !holds_variable(pattern)).and_then(Value::as_str) {
        items(pattern).map_err(|error| error.to_string())?;
    }
    if !last && !function.makes_moment() {
        return Err(format!("\"steps.{index}\" ends in a number or a text, so it has to be the last step"));
    }
    Ok(())
}

/// What a step has come to.
pub(super) enum Reached {
    Moment(DateTime<Tz>),
    /// Nothing can follow.
    Value(Value),
}

/// A step that makes sense.
pub(super) enum Step {
    Move { unit: Unit, amount: i64 },
    StartOf(Unit),
    EndOf(Unit),
    Difference { unit: Unit, to: DateTime<Tz> },
    Get(Unit),
    Format(String),
}

impl Step {
    /// Reads a step whose variables are resolved.
    pub(super) fn read(config: StepConfig, zone: Tz) -> Result<Self, NodeError> {
        let missing = |name: &str| NodeError::Refused(format!("\"{name}\" is required"));
        let unit = || config.unit.ok_or_else(|| missing("unit"));
        Ok(match config.function {
            Function::Add => Self::Move { unit: unit()?, amount: whole(config.amount)? },
            Function::Subtract => Self::Move { unit: unit()?, amount: -whole(config.amount)? },
            Function::StartOf => Self::StartOf(unit()?),
            Function::EndOf => Self::EndOf(unit()?),
            Function::Difference => Self::Difference { unit: unit()?, to: moment(&config.to, zone)? },
            Function::Get => Self::Get(unit()?),
            Function::Format => Self::Format(config.format.ok_or_else(|| missing("format"))?),
        })
    }

    /// Carries the step out.
    pub(super) fn carry_out(self, moment: DateTime<Tz>) -> Result<Reached, NodeError> {
        let reached = match self {
            Self::Move { unit, amount } => unit.add(&moment, amount),
            Self::StartOf(unit) => unit.start(&moment),
            Self::EndOf(unit) => unit.end(&moment),
            Self::Difference { unit, to } => return Ok(Reached::Value(Value::from(unit.between(&moment, &to)))),
            Self::Get(unit) => return Ok(Reached::Value(Value::from(part(&moment, unit)))),
            Self::Format(pattern) => return Ok(Reached::Value(Value::String(written(&moment, &pattern)?))),
        };
        reached
            .map(Reached::Moment)
            .ok_or_else(|| NodeError::Refused(format!("the calendar does not reach that far from {moment}")))
    }
}

/// Further than any calendar, and exact as a floating-point number.
const MAX_AMOUNT: f64 = 1e15;

fn whole(amount: Option<Amount>) -> Result<i64, NodeError> {
    match amount {
        Some(Amount(number)) if number.fract() == 0.0 && number.abs() <= MAX_AMOUNT => Ok(number as i64),
        Some(Amount(number)) => Err(NodeError::Refused(format!("{number} is no whole number of units"))),
        None => Err(NodeError::Refused("\"amount\" is required".into())),
    }
}

fn part(moment: &DateTime<Tz>, unit: Unit) -> i64 {
    match unit {
        Unit::Millisecond => i64::from(moment.nanosecond() / 1_000_000),
        Unit::Second => moment.second().into(),
        Unit::Minute => moment.minute().into(),
        Unit::Hour => moment.hour().into(),
        Unit::Day => moment.day().into(),
        Unit::Week => moment.iso_week().week().into(),
        Unit::Month => moment.month().into(),
        Unit::Quarter => i64::from(moment.month0() / 3 + 1),
        Unit::Year => moment.year().into(),
    }
}

/// Longest pattern, in bytes: a line of text with a date in it.
const MAX_PATTERN: usize = 200;

/// Reads a pattern; one that is wrong would otherwise be told only while it is written out.
fn items(pattern: &str) -> Result<Vec<Item<'_>>, NodeError> {
    if pattern.len() > MAX_PATTERN {
        return Err(NodeError::Refused(format!("the format is longer than {MAX_PATTERN} bytes")));
    }
    StrftimeItems::new(pattern)
        .parse()
        .map_err(|_| NodeError::Refused(format!("\"{pattern}\" is no format: see strftime")))
}

fn written(moment: &DateTime<Tz>, pattern: &str) -> Result<String, NodeError> {
    let mut text = String::new();
    write!(text, "{}", moment.format_with_items(items(pattern)?.into_iter()))
        .map_err(|_| NodeError::Refused(format!("{moment} cannot be written as \"{pattern}\"")))?;
    Ok(text)
}
