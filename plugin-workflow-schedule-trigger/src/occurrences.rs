//! The moments that a configuration means: from a first to a last one, at an interval or by a cron expression.
//!
//! Where a zone's clocks are put forward or back, the library decides: a cron expression for one time of day that does not exist that
//! day, or exists twice, means one moment all the same.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone as _};
use chrono_tz::Tz;
use croner::Cron;
use plugin_api::PluginError;
use serde_json::{Map, Value};

use crate::{
    config::{Boundary, Config, Repeat},
    fields::SHORTEST_INTERVAL_MS,
};

/// The moments of one workflow, or of one record of it, in milliseconds since 1970.
#[derive(Debug)]
pub(crate) struct Occurrences {
    first_ms: i64,
    last_ms: Option<i64>,
    rhythm: Rhythm,
}

#[derive(Debug)]
enum Rhythm {
    Once,
    Every { interval_ms: i64 },
    Cron { cron: Box<Cron>, zone: Tz },
}

impl Occurrences {
    /// Checks that the configuration means moments, whatever records there are.
    ///
    /// # Errors
    ///
    /// [`plugin_api::ErrorKind::Invalid`] with a sentence for the person who configures.
    pub(crate) fn check(config: &Config) -> Result<(), PluginError> {
        for (name, boundary) in [("startsOn", &config.starts_on), ("endsOn", &config.ends_on)] {
            if let Some(Boundary::Moment(text)) = boundary
                && read_moment(text, config.time_zone.0).is_none()
            {
                return Err(PluginError::invalid(format!("\"{name}\" is no date or time: {text}")));
            }
        }
        rhythm(config).map(drop)
    }

    /// What a configuration means for a record with these dates; `None` if the record has no date to begin with.
    ///
    /// # Errors
    ///
    /// The configuration was never checked.
    pub(crate) fn of(config: &Config, record: Option<&Map<String, Value>>) -> Result<Option<Self>, PluginError> {
        let zone = config.time_zone.0;
        let moment = |boundary: &Boundary| match boundary {
            Boundary::Moment(text) => read_moment(text, zone),
            Boundary::Field(date) => {
                let value = record?.get(&date.field)?.as_str()?;
                Some(read_moment(value, zone)?.saturating_add(date.offset.saturating_mul(date.unit.ms())))
            }
        };
        let first_ms = match &config.starts_on {
            // Nothing is due before the workflow was enabled anyway.
            None => 0,
            Some(boundary) => match moment(boundary) {
                Some(first_ms) => first_ms,
                None => return Ok(None),
            },
        };
        // A record without an end goes on.
        let last_ms = config.ends_on.as_ref().and_then(moment);
        Ok(Some(Self { first_ms, last_ms, rhythm: rhythm(config)? }))
    }

    /// The first moment after another one.
    pub(crate) fn after(&self, moment_ms: i64) -> Option<i64> {
        let floor_ms = moment_ms.max(self.first_ms.saturating_sub(1));
        let found = match &self.rhythm {
            Rhythm::Once => (self.first_ms > moment_ms).then_some(self.first_ms),
            Rhythm::Every { .. } if moment_ms < self.first_ms => Some(self.first_ms),
            Rhythm::Every { interval_ms } => {
                let gone = moment_ms.checked_sub(self.first_ms)? / interval_ms;
                gone.checked_add(1)?.checked_mul(*interval_ms)?.checked_add(self.first_ms)
            }
            // Its moments are whole seconds: the first after a moment is the first after that moment's second.
            Rhythm::Cron { cron, zone } => {
                let from = zone.timestamp_opt(floor_ms.div_euclid(1_000), 0).single()?;
                Some(cron.find_next_occurrence(&from, false).ok()?.timestamp_millis())
            }
        };
        found.filter(|found| self.last_ms.is_none_or(|last| *found <= last))
    }

    /// The last moment until another one, that one included.
    pub(crate) fn until(&self, moment_ms: i64) -> Option<i64> {
        let ceiling_ms = self.last_ms.map_or(moment_ms, |last| last.min(moment_ms));
        let found = match &self.rhythm {
            Rhythm::Once => Some(self.first_ms),
            Rhythm::Every { interval_ms } => {
                let gone = ceiling_ms.checked_sub(self.first_ms).filter(|gone| *gone >= 0)? / interval_ms;
                Some(self.first_ms + gone * interval_ms)
            }
            Rhythm::Cron { cron, zone } => {
                let from = zone.timestamp_opt(ceiling_ms.div_euclid(1_000), 0).single()?;
                Some(cron.find_previous_occurrence(&from, true).ok()?.timestamp_millis())
            }
        };
        found.filter(|found| (self.first_ms..=ceiling_ms).contains(found))
    }
}

fn rhythm(config: &Config) -> Result<Rhythm, PluginError> {
    match &config.repeat {
        None => Ok(Rhythm::Once),
        Some(Repeat::Interval(interval_ms)) if *interval_ms >= SHORTEST_INTERVAL_MS => {
            Ok(Rhythm::Every { interval_ms: *interval_ms })
        }
        Some(Repeat::Interval(_)) => {
            Err(PluginError::invalid(format!("\"repeat\" must be {SHORTEST_INTERVAL_MS} milliseconds or more")))
        }
        Some(Repeat::Cron(expression)) => {
            let cron: Cron = expression
                .parse()
                .map_err(|error| PluginError::invalid(format!("\"repeat\" is no cron expression: {error}")))?;
            Ok(Rhythm::Cron { cron: Box::new(cron), zone: config.time_zone.0 })
        }
    }
}

/// Reads RFC 3339, a local time (`2026-03-29T02:30`), or a day, which begins at midnight.
fn read_moment(text: &str, zone: Tz) -> Option<i64> {
    let text = text.trim();
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Some(moment.timestamp_millis());
    }
    let formats = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];
    let local = formats
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .or_else(|| Some(NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_time(NaiveTime::MIN)))?;
    // A time that exists twice is the first one; one that does not exist is as long after the gap as it lies in it.
    let moment = zone
        .from_local_datetime(&local)
        .earliest()
        .or_else(|| zone.from_local_datetime(&(local + TimeDelta::hours(1))).earliest())?;
    Some(moment.timestamp_millis())
}

#[cfg(test)]
mod tests;
