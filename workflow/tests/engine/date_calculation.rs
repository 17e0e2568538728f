//! `date-calculation` through the engine.

use serde_json::{Value, json};
use store::JobStatus;

use crate::harness::{Harness, node};

/// Calculates on a moment that comes from the context.
async fn calculate(harness: &Harness, input: Value, zone: &str, steps: Value) -> Result<Value, String> {
    let config = json!({"input": "{{$context.data.at}}", "timeZone": zone, "steps": steps});
    let (_, job, result) = harness.run_node(node("date-calculation", config), json!({"data": {"at": input}})).await;
    match job {
        JobStatus::Resolved => Ok(result),
        _ => Err(result["message"].as_str().unwrap_or_default().to_owned()),
    }
}

fn step(function: &str, unit: &str) -> Value {
    json!([{"function": function, "unit": unit}])
}

fn add(amount: impl Into<Value>, unit: &str) -> Value {
    let amount: Value = amount.into();
    json!([{"function": "add", "unit": unit, "amount": amount}])
}

#[test_database::test]
async fn moments_move_on_the_calendar_of_a_zone() {
    let harness = Harness::new().await;
    for (input, zone, steps, want) in [
        (json!("2024-01-31T10:00:00Z"), "UTC", add(1, "month"), "2024-02-29T10:00:00.000Z"),
        (json!("2024-01-31T10:00:00Z"), "UTC", add(3, "quarter"), "2024-10-31T10:00:00.000Z"),
        (json!("2024-02-29"), "UTC", add(-1, "year"), "2023-02-28T00:00:00.000Z"),
        (json!(1_700_000_000_123_i64), "UTC", add(2, "second"), "2023-11-14T22:13:22.123Z"),
        // The night of 31 March 2024 has 23 hours in Berlin: a day later is the same time, 24 hours later is not.
        (json!("2024-03-30T12:00:00+01:00"), "Europe/Berlin", add(1, "day"), "2024-03-31T12:00:00.000+02:00"),
        (json!("2024-03-30T12:00:00+01:00"), "Europe/Berlin", add(24, "hour"), "2024-03-31T13:00:00.000+02:00"),
        // 02:30 is skipped.
        (json!("2024-03-30T02:30:00+01:00"), "Europe/Berlin", add(1, "day"), "2024-03-31T03:30:00.000+02:00"),
        // 02:30 comes twice.
        (json!("2024-10-26T02:30:00+02:00"), "Europe/Berlin", add(1, "day"), "2024-10-27T02:30:00.000+02:00"),
        // 30 December 2011 did not take place on Samoa.
        (json!("2011-12-29T08:00:00-10:00"), "Pacific/Apia", add(1, "day"), "2011-12-31T08:00:00.000+14:00"),
    ] {
        let got = calculate(&harness, input.clone(), zone, steps.clone()).await;
        assert_eq!(got, Ok(json!(want)), "{input} {zone} {steps}");
    }
}

#[test_database::test]
async fn periods_begin_and_end() {
    let harness = Harness::new().await;
    let at = json!("2024-05-16T15:45:30.678Z");
    for (function, unit, want) in [
        ("startOf", "second", "2024-05-16T15:45:30.000Z"),
        ("startOf", "minute", "2024-05-16T15:45:00.000Z"),
        ("startOf", "hour", "2024-05-16T15:00:00.000Z"),
        ("startOf", "day", "2024-05-16T00:00:00.000Z"),
        ("startOf", "week", "2024-05-13T00:00:00.000Z"),
        ("startOf", "month", "2024-05-01T00:00:00.000Z"),
        ("startOf", "quarter", "2024-04-01T00:00:00.000Z"),
        ("startOf", "year", "2024-01-01T00:00:00.000Z"),
        ("endOf", "minute", "2024-05-16T15:45:59.999Z"),
        ("endOf", "week", "2024-05-19T23:59:59.999Z"),
        ("endOf", "quarter", "2024-06-30T23:59:59.999Z"),
        ("endOf", "year", "2024-12-31T23:59:59.999Z"),
    ] {
        assert_eq!(
            calculate(&harness, at.clone(), "UTC", step(function, unit)).await,
            Ok(json!(want)),
            "{function} {unit}"
        );
    }
    // Summer time begins at midnight in Beirut: the day begins at one.
    let got = calculate(&harness, json!("2024-03-31T12:00:00+03:00"), "Asia/Beirut", step("startOf", "day")).await;
    assert_eq!(got, Ok(json!("2024-03-31T01:00:00.000+03:00")));
    let got = calculate(&harness, json!("2024-03-30T12:00:00+02:00"), "Asia/Beirut", step("endOf", "day")).await;
    assert_eq!(got, Ok(json!("2024-03-30T23:59:59.999+02:00")));
}

#[test_database::test]
async fn differences_count_whole_units() {
    let harness = Harness::new().await;
    for (from, to, unit, want) in [
        ("2024-01-31T00:00:00Z", "2024-02-29T00:00:00Z", "month", 1),
        ("2024-01-30T12:00:00Z", "2024-02-29T11:00:00Z", "month", 0),
        ("2024-03-15T00:00:00Z", "2024-01-16T00:00:00Z", "month", -1),
        ("2024-03-15T00:00:00Z", "2024-01-15T00:00:00Z", "month", -2),
        ("2020-02-29", "2024-02-28", "year", 3),
        ("2020-02-29", "2024-02-29", "year", 4),
        ("2024-01-01T23:00:00Z", "2024-01-03T22:59:59Z", "day", 1),
        ("2024-01-03T22:59:59Z", "2024-01-01T23:00:00Z", "day", -1),
        ("2024-01-01", "2024-01-15", "week", 2),
        ("2024-01-01T00:00:00Z", "2024-01-01T00:00:01.500Z", "millisecond", 1500),
    ] {
        let steps = json!([{"function": "difference", "unit": unit, "to": to}]);
        assert_eq!(calculate(&harness, json!(from), "UTC", steps).await, Ok(json!(want)), "{from} {to} {unit}");
    }
    // From noon to noon is one day, also when it had 23 hours.
    let steps = json!([{"function": "difference", "unit": "day", "to": "2024-03-31T12:00:00+02:00"}]);
    assert_eq!(calculate(&harness, json!("2024-03-30T12:00:00+01:00"), "Europe/Berlin", steps).await, Ok(json!(1)));
}

#[test_database::test]
async fn the_last_step_may_make_a_number_or_a_text() {
    let harness = Harness::new().await;
    let at = json!("2024-12-30T22:30:00Z");
    for (unit, want) in
        [("year", 2024), ("quarter", 4), ("month", 12), ("week", 1), ("day", 31), ("hour", 0), ("minute", 30)]
    {
        let steps = json!([{"function": "add", "unit": "minute", "amount": 30}, {"function": "subtract", "unit": "minute", "amount": 30},
            {"function": "add", "unit": "hour", "amount": 1}, {"function": "get", "unit": unit}]);
        assert_eq!(calculate(&harness, at.clone(), "Europe/Berlin", steps).await, Ok(json!(want)), "{unit}");
    }
    let steps = json!([{"function": "endOf", "unit": "month"}, {"function": "format", "format": "%d.%m.%Y %H:%M %Z"}]);
    assert_eq!(calculate(&harness, at, "Europe/Berlin", steps).await, Ok(json!("31.12.2024 23:59 CET")));
    let now = harness
        .run_node(node("date-calculation", json!({"steps": [{"function": "get", "unit": "year"}]})), json!({}))
        .await;
    assert!(now.2.as_i64().unwrap() >= 2025, "{now:?}");
}

#[test_database::test]
async fn what_makes_no_sense_is_refused() {
    let harness = Harness::new().await;
    let refused = |input: Value, zone: &'static str, steps: Value| {
        let harness = &harness;
        async move { calculate(harness, input, zone, steps).await.unwrap_err() }
    };
    let message = refused(json!("yesterday"), "UTC", json!([])).await;
    assert_eq!(message, "\"yesterday\" is no moment: RFC 3339, YYYY-MM-DD or milliseconds since 1970");
    let message = refused(json!("2024-01-01"), "UTC", add(1.5, "day")).await;
    assert_eq!(message, "1.5 is no whole number of units");
    for (amount, unit) in [(999_999_999_999_i64, "year"), (999_999_999_999_999, "hour"), (-999_999_999_999_999, "day")]
    {
        let message = refused(json!("2024-01-01"), "UTC", add(amount, unit)).await;
        assert!(message.starts_with("the calendar does not reach that far"), "{message}");
    }

    let check = |config: Value| {
        harness.engine.check_node("date-calculation", &config).map_err(|error| error.to_string()).unwrap_err()
    };
    assert_eq!(check(json!({"timeZone": "Mars/Olympus"})), "there is no time zone \"Mars/Olympus\"");
    assert_eq!(check(json!({"steps": [{"function": "add", "unit": "day"}]})), "\"steps.0.amount\" is required");
    assert_eq!(check(json!({"steps": [{"function": "format", "format": "%Q"}]})), "\"%Q\" is no format: see strftime");
    assert_eq!(
        check(json!({"steps": [{"function": "get", "unit": "day"}, {"function": "startOf", "unit": "day"}]})),
        "\"steps.0\" ends in a number or a text, so it has to be the last step"
    );
}
