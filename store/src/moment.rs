//! Moments as they are stored: RFC 3339 text in UTC with milliseconds, which sorts as time does.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, Utc};

use crate::clock::Clock;

/// What a clock tells, in its stored form; one that is beyond the calendar is back at its beginning.
pub(crate) fn now(clock: &Clock) -> String {
    from_millis(clock.now_ms()).unwrap_or_else(|| format(DateTime::UNIX_EPOCH))
}

/// Writes a moment in its stored form.
pub(crate) fn format(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Writes a moment given in milliseconds since 1970; `None` beyond the calendar.
pub(crate) fn from_millis(millis: i64) -> Option<String> {
    DateTime::from_timestamp_millis(millis).and_then(in_range).map(format)
}

/// Milliseconds since 1970 of a moment in its stored form.
pub(crate) fn to_millis(stored: &str) -> Option<i64> {
    DateTime::parse_from_rfc3339(stored).ok().map(|moment| moment.timestamp_millis())
}

/// Reads a moment: RFC 3339, the same without an offset (UTC), or a day alone.
pub(crate) fn parse(text: &str) -> Option<String> {
    let text = text.trim();
    let moment = DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f %z"))
        .map(|moment| moment.to_utc())
        .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").map(|naive| naive.and_utc()))
        .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").map(|naive| naive.and_utc()))
        .or_else(|_| NaiveDate::parse_from_str(text, "%Y-%m-%d").map(|day| day.and_time(NaiveTime::MIN).and_utc()))
        .ok()?;
    in_range(moment).map(format)
}

/// Beyond these years the stored text would not sort as time does.
fn in_range(moment: DateTime<Utc>) -> Option<DateTime<Utc>> {
    use chrono::Datelike as _;
    (0..=9999).contains(&moment.year()).then_some(moment)
}

#[cfg(test)]
mod tests {
    use super::{from_millis, parse};

    #[test]
    fn moments_are_stored_in_utc() {
        for (text, stored) in [
            ("2024-02-03T04:05:06Z", Some("2024-02-03T04:05:06.000Z")),
            ("2024-02-03T04:05:06.789+02:00", Some("2024-02-03T02:05:06.789Z")),
            ("2024-02-03 04:05:06", Some("2024-02-03T04:05:06.000Z")),
            ("2024-02-03", Some("2024-02-03T00:00:00.000Z")),
            ("2024-02-30", None),
            ("+12024-02-03T04:05:06Z", None),
            ("tomorrow", None),
        ] {
            assert_eq!(parse(text).as_deref(), stored, "{text}");
        }
        assert_eq!(from_millis(0).as_deref(), Some("1970-01-01T00:00:00.000Z"));
        assert_eq!(from_millis(i64::MAX), None);
    }
}
