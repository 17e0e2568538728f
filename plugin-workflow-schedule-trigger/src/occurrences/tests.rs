use serde_json::{Value, json};

use super::*;

fn config(config: Value) -> Config {
    serde_json::from_value(config).expect("a configuration")
}

fn ms(text: &str) -> i64 {
    DateTime::parse_from_rfc3339(text).expect("a moment").timestamp_millis()
}

fn text(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms).expect("a moment").to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// The first moments after another one.
fn check(settings: Value, from: &str, expected: &[&str]) {
    let config = config(settings);
    Occurrences::check(&config).expect("a good configuration");
    let occurrences = Occurrences::of(&config, None).expect("a good configuration").expect("moments");
    let moments = std::iter::successors(occurrences.after(ms(from)), |moment| occurrences.after(*moment));
    let found: Vec<i64> = moments.take(expected.len().max(1)).collect();
    assert_eq!(found.iter().copied().map(text).collect::<Vec<_>>(), expected, "{config:?}");
    for moment in found {
        assert_eq!(occurrences.until(moment).map(text), Some(text(moment)), "looking back");
    }
}

#[test]
fn once_at_an_interval_and_until_an_end() {
    let start = "2026-03-01T10:00:00Z";
    check(json!({"startsOn": start}), "2026-01-01T00:00:00Z", &[start]);
    check(json!({"startsOn": start}), start, &[]);
    let hourly = json!({"startsOn": start, "repeat": 3_600_000, "endsOn": "2026-03-01T12:00:00Z"});
    check(hourly.clone(), "2026-01-01T00:00:00Z", &[start, "2026-03-01T11:00:00Z", "2026-03-01T12:00:00Z"]);
    check(hourly.clone(), "2026-03-01T10:30:00Z", &["2026-03-01T11:00:00Z", "2026-03-01T12:00:00Z"]);
    check(hourly, "2026-03-01T12:00:00Z", &[]);
}

#[test]
fn cron_expressions_in_a_zone_whose_clocks_are_changed() {
    // On 29 March there is no half past two in Berlin; on 25 October there are two.
    let daily = json!({"repeat": "30 2 * * *", "timeZone": "Europe/Berlin"});
    check(
        daily.clone(),
        "2026-03-28T12:00:00Z",
        &["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z", "2026-03-31T00:30:00Z"],
    );
    check(daily, "2026-10-24T12:00:00Z", &["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
    let hourly = json!({"repeat": "0 * * * *", "timeZone": "Europe/Berlin"});
    let hours = ["2026-10-24T23:00:00Z", "2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"];
    check(hourly, "2026-10-24T22:30:00Z", &hours);
    let bounded = json!({"repeat": "0 9 * * MON-FRI", "startsOn": "2026-01-03", "endsOn": "2026-01-06"});
    check(bounded, "2025-01-01T00:00:00Z", &["2026-01-05T09:00:00Z"]);
    check(
        json!({"repeat": "*/20 * * * * *"}),
        "2026-01-01T00:00:05Z",
        &["2026-01-01T00:00:20Z", "2026-01-01T00:00:40Z"],
    );
}

#[test]
fn local_times_are_those_of_the_zone() {
    let start = |text: &str, zone: &str| json!({"startsOn": text, "timeZone": zone});
    check(start("2026-07-01T12:00", "Europe/Berlin"), "2026-01-01T00:00:00Z", &["2026-07-01T10:00:00Z"]);
    check(start("2026-07-01", "America/New_York"), "2026-01-01T00:00:00Z", &["2026-07-01T04:00:00Z"]);
    check(start("2026-03-29 02:30", "Europe/Berlin"), "2026-01-01T00:00:00Z", &["2026-03-29T01:30:00Z"]);
    check(start("2026-10-25 02:30", "Europe/Berlin"), "2026-01-01T00:00:00Z", &["2026-10-25T00:30:00Z"]);
    check(start("2026-07-01T12:00:00+05:00", "Europe/Berlin"), "2026-01-01T00:00:00Z", &["2026-07-01T07:00:00Z"]);
}

#[test]
fn dates_of_records() {
    let settings = json!({
        "mode": 1, "collection": "posts", "repeat": 86_400_000,
        "startsOn": {"field": "from", "offset": -1, "unit": 3_600_000}, "endsOn": {"field": "to"},
    });
    let of = |record: Value| {
        let occurrences = Occurrences::of(&config(settings.clone()), record.as_object()).expect("it was checked");
        occurrences.map(|it| (it.after(0).map(text), it.last_ms.map(text)))
    };
    let from = Some("2026-05-01T09:00:00Z".to_owned());
    let to = Some("2026-05-03T00:00:00Z".to_owned());
    assert_eq!(of(json!({"from": "2026-05-01T10:00:00.000Z", "to": "2026-05-03"})), Some((from.clone(), to)));
    assert_eq!(of(json!({"from": "2026-05-01T10:00:00.000Z", "to": null})), Some((from, None)));
    assert_eq!(of(json!({"from": null, "to": "2026-05-03"})), None);
    assert_eq!(of(json!({})), None);
    let far = json!({"mode": 1, "collection": "posts", "startsOn": {"field": "from", "offset": i64::MAX}});
    let record = json!({"from": "2026-05-01"});
    let far = Occurrences::of(&config(far), record.as_object()).expect("it was checked").expect("a moment");
    assert_eq!(far.after(0), Some(i64::MAX), "it does not wrap around");
}
