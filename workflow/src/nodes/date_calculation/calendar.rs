//! Units of time on the calendar of a time zone.

use chrono::{
    DateTime, Datelike, Days, MappedLocalTime, Months, NaiveDate, NaiveDateTime, TimeDelta, TimeZone, Timelike,
};
use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::Deserialize;

/// A unit of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum Unit {
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    /// From Monday.
    Week,
    Month,
    Quarter,
    Year,
}

/// How a unit is measured.
enum Measure {
    /// So many milliseconds, whatever the clocks do.
    Exact(i64),
    /// So many days of the calendar.
    Days(i64),
    /// So many months of the calendar.
    Months(i32),
}

impl Unit {
    fn measure(self) -> Measure {
        match self {
            Self::Millisecond => Measure::Exact(1),
            Self::Second => Measure::Exact(1_000),
            Self::Minute => Measure::Exact(60_000),
            Self::Hour => Measure::Exact(3_600_000),
            Self::Day => Measure::Days(1),
            Self::Week => Measure::Days(7),
            Self::Month => Measure::Months(1),
            Self::Quarter => Measure::Months(3),
            Self::Year => Measure::Months(12),
        }
    }

    /// The moment `amount` units later; earlier if it is negative. A day that the month does not have becomes its last one.
    /// `None` beyond what the calendar reaches.
    pub(super) fn add(self, moment: &DateTime<Tz>, amount: i64) -> Option<DateTime<Tz>> {
        match self.measure() {
            Measure::Exact(ms) => moment.checked_add_signed(TimeDelta::try_milliseconds(amount.checked_mul(ms)?)?),
            Measure::Days(days) => {
                let days = amount.checked_mul(days)?;
                let local = moment.naive_local();
                let span = Days::new(days.unsigned_abs());
                let moved = if days < 0 { local.checked_sub_days(span) } else { local.checked_add_days(span) };
                in_zone(moved?, moment.timezone())
            }
            Measure::Months(months) => in_zone(months_later(moment.naive_local(), amount, months)?, moment.timezone()),
        }
    }

    /// The beginning of the period that a moment is in.
    pub(super) fn start(self, moment: &DateTime<Tz>) -> Option<DateTime<Tz>> {
        let local = moment.naive_local();
        let date = local.date();
        let midnight = |date: NaiveDate| in_zone(date.and_time(chrono::NaiveTime::MIN), moment.timezone());
        match self {
            // Shorter than any change of the clocks, so that taking time off stays on the same side of it.
            Self::Millisecond => moment.with_nanosecond(local.nanosecond() / 1_000_000 * 1_000_000),
            Self::Second => moment.with_nanosecond(0),
            Self::Minute => back(moment, 0, local.second(), local.nanosecond()),
            Self::Hour => back(moment, local.minute(), local.second(), local.nanosecond()),
            Self::Day => midnight(date),
            Self::Week => midnight(date.checked_sub_days(Days::new(date.weekday().num_days_from_monday().into()))?),
            Self::Month => midnight(date.with_day(1)?),
            Self::Quarter => midnight(date.with_day(1)?.with_month0(date.month0() / 3 * 3)?),
            Self::Year => midnight(date.with_day(1)?.with_month(1)?),
        }
    }

    /// The last millisecond of the period that a moment is in.
    pub(super) fn end(self, moment: &DateTime<Tz>) -> Option<DateTime<Tz>> {
        let next = self.add(&self.start(moment)?, 1)?;
        // The clocks may have changed in between: the next period begins at its own beginning.
        self.start(&next)?.checked_sub_signed(TimeDelta::milliseconds(1))
    }

    /// How many whole units lie between two moments; negative if `to` is earlier.
    pub(super) fn between(self, from: &DateTime<Tz>, to: &DateTime<Tz>) -> i64 {
        let (start, end) = (from.naive_local(), to.naive_local());
        match self.measure() {
            Measure::Exact(ms) => to.signed_duration_since(*from).num_milliseconds() / ms,
            Measure::Days(days) => end.signed_duration_since(start).num_days() / days,
            Measure::Months(months) => {
                let month = |local: NaiveDateTime| i64::from(local.year()) * 12 + i64::from(local.month0());
                let mut between = month(end) - month(start);
                // The last month counts only if it is over.
                let reached = months_later(start, between, 1);
                match between {
                    1.. if reached.is_none_or(|reached| reached > end) => between -= 1,
                    ..=-1 if reached.is_none_or(|reached| reached < end) => between += 1,
                    _ => {}
                }
                between / i64::from(months)
            }
        }
    }
}

fn back(moment: &DateTime<Tz>, minutes: u32, seconds: u32, nanoseconds: u32) -> Option<DateTime<Tz>> {
    let span = TimeDelta::minutes(minutes.into())
        + TimeDelta::seconds(seconds.into())
        + TimeDelta::nanoseconds(nanoseconds.into());
    moment.checked_sub_signed(span)
}

fn months_later(local: NaiveDateTime, amount: i64, months: i32) -> Option<NaiveDateTime> {
    let months = amount.checked_mul(months.into())?;
    let span = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
    if months < 0 { local.checked_sub_months(span) } else { local.checked_add_months(span) }
}

/// A local time in its zone: the first of two where clocks go back; where they go forward past it, as much later as they go.
pub(super) fn in_zone(local: NaiveDateTime, zone: Tz) -> Option<DateTime<Tz>> {
    match zone.from_local_datetime(&local) {
        MappedLocalTime::Single(moment) | MappedLocalTime::Ambiguous(moment, _) => Some(moment),
        MappedLocalTime::None => {
            // Clocks jump by an hour or so; where the date line moved, by a day.
            [3, 27].into_iter().map(TimeDelta::hours).find_map(|hours| {
                let before = zone.from_local_datetime(&local.checked_sub_signed(hours)?).earliest()?;
                before.checked_add_signed(hours)
            })
        }
    }
}
