//! What people configure: when a workflow starts, by itself or by the dates of records.
//!
//! The type's JSON Schema drives the console's form (see `fields.rs`). Unknown fields are refused: a misspelt end would never come.

use plugin_api::{AssociationPath, CollectionRef, PluginError, SchemaView, watch::fields as shared};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{fields, occurrences::Occurrences};

/// The configuration of a workflow of type `schedule`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(title = "Schedule")]
pub struct Config {
    /// 0: at a time of its own; 1: by the dates of records.
    #[schemars(schema_with = "fields::mode")]
    pub mode: Mode,

    /// The collection whose records decide, in mode 1.
    #[schemars(schema_with = "fields::collection")]
    pub collection: Option<CollectionRef>,

    /// The first moment; in mode 1 a date field of the record. A cron expression may do without one in mode 0.
    #[schemars(schema_with = "fields::starts_on")]
    pub starts_on: Option<Boundary>,

    /// Whether, and when, it starts again: milliseconds between two moments, or a cron expression.
    #[schemars(schema_with = "fields::repeat")]
    pub repeat: Option<Repeat>,

    /// The moment after which it does not start again; in mode 1 perhaps by a date field of the record.
    #[schemars(schema_with = "fields::ends_on")]
    pub ends_on: Option<Boundary>,

    /// How often it starts; in mode 1 for each record.
    #[schemars(schema_with = "fields::limit")]
    pub limit: Option<u64>,

    /// The time zone of the cron expression, and of times and days that do not name theirs; UTC if it is empty.
    #[schemars(schema_with = "fields::time_zone")]
    pub time_zone: Zone,

    /// What becomes of moments that passed while nothing could start.
    #[schemars(schema_with = "fields::missed")]
    pub missed: Missed,

    /// The associations loaded into the record, in mode 1.
    #[schemars(schema_with = "fields::appends")]
    pub appends: Vec<AssociationPath>,
}

/// What decides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u8")]
pub enum Mode {
    /// The configuration alone.
    #[default]
    Time,
    /// The dates of each record of a collection.
    Record,
}

/// A beginning or an end.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Boundary {
    /// RFC 3339, or a local time or a day in the configured zone.
    Moment(String),
    /// So long after the date of a record.
    Field(FieldDate),
}

/// A moment that a record's field decides.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldDate {
    /// A field of the collection that holds a moment or a day.
    pub field: String,
    /// How many units later; earlier if it is negative.
    #[serde(default)]
    pub offset: i64,
    /// The unit, in milliseconds.
    #[serde(default)]
    pub unit: Unit,
}

/// The unit of an offset, by its milliseconds. A day has 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "i64")]
pub struct Unit(i64);

/// How moments repeat.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Repeat {
    /// Milliseconds between two moments.
    Interval(i64),
    /// Minute, hour, day of the month, month, day of the week; perhaps with seconds before them.
    Cron(String),
}

/// The name of a time zone, such as `Europe/Berlin`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Zone(pub(crate) chrono_tz::Tz);

/// What becomes of moments that passed while the server was down, or the plugin out of service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Missed {
    /// Nothing.
    Skip,
    /// One start makes up for all.
    #[default]
    Once,
    /// Each is made up for, the latest hundred at most.
    All,
}

impl TryFrom<u8> for Mode {
    type Error = String;

    fn try_from(mode: u8) -> Result<Self, String> {
        match mode {
            0 => Ok(Self::Time),
            1 => Ok(Self::Record),
            _ => Err("\"mode\" must be 0 or 1".to_owned()),
        }
    }
}

impl Unit {
    /// A second, a minute, an hour and a day.
    pub(crate) const ALL: [i64; 4] = [1_000, 60_000, 3_600_000, 86_400_000];

    pub(crate) const fn ms(self) -> i64 {
        self.0
    }
}

impl Default for Unit {
    fn default() -> Self {
        Self(86_400_000)
    }
}

impl TryFrom<i64> for Unit {
    type Error = String;

    fn try_from(ms: i64) -> Result<Self, String> {
        if Self::ALL.contains(&ms) { Ok(Self(ms)) } else { Err(format!("\"unit\" must be one of {:?}", Self::ALL)) }
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self(chrono_tz::UTC)
    }
}

impl TryFrom<String> for Zone {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        if name.is_empty() {
            return Ok(Self::default());
        }
        name.parse().map(Self).map_err(|_| format!("\"timeZone\": there is no time zone \"{name}\""))
    }
}

impl Config {
    /// Checks what the JSON Schema does not say.
    ///
    /// # Errors
    ///
    /// [`plugin_api::ErrorKind::Invalid`] with a sentence for the person who configures.
    pub(crate) fn check(&self, schema: &dyn SchemaView) -> Result<(), PluginError> {
        if self.limit == Some(0) {
            return Err(PluginError::invalid("\"limit\" must be 1 or more"));
        }
        match self.mode {
            Mode::Time => {
                let by_field = |boundary: &Option<Boundary>| matches!(boundary, Some(Boundary::Field(_)));
                if by_field(&self.starts_on) || by_field(&self.ends_on) {
                    return Err(PluginError::invalid(
                        "Without a collection there are no date fields: set \"mode\" to 1",
                    ));
                }
                if self.starts_on.is_none() && !matches!(self.repeat, Some(Repeat::Cron(_))) {
                    return Err(PluginError::invalid(
                        "\"startsOn\" is required, unless \"repeat\" is a cron expression",
                    ));
                }
            }
            Mode::Record => {
                let collection =
                    self.collection.as_ref().ok_or_else(|| PluginError::invalid("\"collection\" is required"))?;
                shared::check_collection(schema, collection)?;
                shared::check_appends(schema, collection, &self.appends)?;
                if !matches!(self.starts_on, Some(Boundary::Field(_))) {
                    return Err(PluginError::invalid(
                        "\"startsOn\" must name a date field: {\"field\", \"offset\", \"unit\"}",
                    ));
                }
                for field in self.date_fields() {
                    schema.check_date(collection, field)?;
                }
            }
        }
        Occurrences::check(self)
    }

    /// The date fields that decide, each once.
    pub(crate) fn date_fields(&self) -> Vec<&str> {
        let mut fields = Vec::new();
        for boundary in [&self.starts_on, &self.ends_on] {
            if let Some(Boundary::Field(date)) = boundary
                && !fields.contains(&date.field.as_str())
            {
                fields.push(date.field.as_str());
            }
        }
        fields
    }
}

#[cfg(test)]
mod tests;
