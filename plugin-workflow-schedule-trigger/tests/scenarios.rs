//! What starts when time passes: in process, and through the library that the host loads.

use chrono::{DateTime, SecondsFormat};
use plugin_api::{ErrorKind, ExecutionMode, WorkflowId};
use plugin_testkit::{PluginUnderTest, Schema, TestHost, TestMark, both_ways};
use plugin_workflow_schedule_trigger::ScheduleTriggerPlugin;
use serde_json::{Value, json};

both_ways!(
    plugin_workflow_schedule_trigger,
    ScheduleTriggerPlugin: each_working_day_at_nine, a_host_that_was_down_makes_up_for_it, each_record_has_its_own_time,
    a_bad_configuration_is_refused, what_is_switched_off_starts_nothing,
);

fn host(plugin: PluginUnderTest, config: Value) -> (TestHost, WorkflowId) {
    let mut host = TestHost::new(plugin, schema());
    let workflow = host.enable("reminder", "schedule", ExecutionMode::Async, config).expect("a good configuration");
    (host, workflow)
}

fn schema() -> Schema {
    Schema::default().collection("events", ["title"]).date("events", "from").to_one("events", "place", "places")
}

fn ms(moment: &str) -> i64 {
    DateTime::parse_from_rfc3339(moment).expect("a moment").timestamp_millis()
}

fn written(moments: &[i64]) -> Vec<String> {
    let moment = |moment: &i64| DateTime::from_timestamp_millis(*moment).expect("in the calendar");
    moments.iter().map(|ms| moment(ms).to_rfc3339_opts(SecondsFormat::Secs, true)).collect()
}

fn each_working_day_at_nine(plugin: PluginUnderTest) {
    let (host, workflow) = host(plugin, json!({"repeat": "0 9 * * MON-FRI", "timeZone": "Europe/Berlin", "limit": 3}));
    assert_eq!(host.watch(workflow), Ok(None));
    // A Friday; clocks are put forward on Sunday.
    let mut mark = TestMark::new(workflow, ms("2026-03-27T00:00:00Z"));
    let started = host.pass_time(&mut mark, ms("2026-03-30T12:00:00Z")).expect("an answer");
    assert_eq!(written(&started), ["2026-03-27T08:00:00Z", "2026-03-30T07:00:00Z"]);
    assert_eq!(mark.next_ms, Some(ms("2026-03-31T07:00:00Z")));
    let started = host.pass_time(&mut mark, ms("2027-01-01T00:00:00Z")).expect("an answer");
    assert_eq!(written(&started), ["2026-03-31T07:00:00Z"]);
    assert_eq!((mark.runs, mark.next_ms), (3, None), "the limit is reached");
}

fn a_host_that_was_down_makes_up_for_it(plugin: PluginUnderTest) {
    let (host, workflow) = host(plugin, json!({"repeat": "0 * * * *", "missed": "all"}));
    let mut mark = TestMark::new(workflow, ms("2026-01-01T00:30:00Z"));
    assert_eq!(host.pass_time(&mut mark, ms("2026-01-01T00:40:00Z")), Ok(vec![]));
    let made_up = host.due(&mut mark, ms("2026-01-01T03:20:00Z")).expect("an answer");
    assert_eq!(written(&made_up), ["2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z", "2026-01-01T03:00:00Z"]);
    assert_eq!(host.due(&mut mark, ms("2026-01-01T03:20:00Z")), Ok(vec![]), "each moment once");
    assert_eq!(mark.next_ms, Some(ms("2026-01-01T04:00:00Z")));
}

fn each_record_has_its_own_time(plugin: PluginUnderTest) {
    let starts_on = json!({"field": "from", "offset": -1, "unit": 3_600_000});
    let (host, workflow) =
        host(plugin, json!({"mode": 1, "collection": "events", "startsOn": starts_on, "appends": ["place"]}));
    let watch = host.watch(workflow).expect("an answer").expect("a collection");
    assert_eq!((watch.collection.name(), watch.fields, watch.preloads.len()), ("events", vec!["from".to_owned()], 1));

    let enabled = TestMark::new(workflow, ms("2026-01-01T00:00:00Z"));
    let mut concert = enabled.clone().of_record(&json!({"title": "Concert", "from": "2026-01-02T20:00:00Z"}));
    let mut lecture = enabled.of_record(&json!({"title": "Lecture"}));
    let noon = ms("2026-01-02T12:00:00Z");
    for event in [&mut concert, &mut lecture] {
        assert_eq!(host.pass_time(event, noon), Ok(vec![]));
    }
    concert.change_record(noon, &json!({"title": "Concert", "from": "2026-01-02T18:00:00Z"}));
    let evening = ms("2026-01-03T00:00:00Z");
    assert_eq!(host.pass_time(&mut concert, evening), Ok(vec![ms("2026-01-02T17:00:00Z")]));
    assert_eq!(host.pass_time(&mut lecture, evening), Ok(vec![]), "it has no date");
}

fn a_bad_configuration_is_refused(plugin: PluginUnderTest) {
    let mut host = TestHost::new(plugin, schema());
    let mut check = |config: Value, expected: &str| {
        let error = host.enable("reminder", "schedule", ExecutionMode::Async, config).expect_err(expected);
        assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Invalid, expected));
    };
    let by = |field: &str| json!({"mode": 1, "collection": "events", "startsOn": {"field": field}});
    check(by("title"), "events has no field title that holds a date");
    check(json!({"startsOn": "tomorrow"}), "\"startsOn\" is no date or time: tomorrow");
    check(json!({"startsOn": "2026-01-01", "repeat": 1}), "\"repeat\" must be 1000 milliseconds or more");
}

fn what_is_switched_off_starts_nothing(plugin: PluginUnderTest) {
    let (mut host, workflow) = host(plugin, json!({"startsOn": "2026-01-01", "repeat": 1_000}));
    host.disable(workflow).expect("it is switched off");
    let error = host.pass_time(&mut TestMark::new(workflow, 0), 1_000).expect_err("nobody asks");
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Invalid, "workflow 1 is not enabled"));
}
