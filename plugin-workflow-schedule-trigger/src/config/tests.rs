use plugin_api::{Association, ManualData, Trigger as _, WorkflowId};
use serde_json::{Value, json};

use super::*;
use crate::trigger::ScheduleTrigger;

/// A host with posts that have a date, `from`.
struct Posts;

impl SchemaView for Posts {
    fn has_data_source(&self, data_source: &str) -> bool {
        data_source == "main"
    }

    fn has_collection(&self, collection: &CollectionRef) -> bool {
        collection.name() == "posts"
    }

    fn association(&self, _: &CollectionRef, _: &str) -> Option<Association> {
        None
    }

    fn check_date(&self, _: &CollectionRef, field: &str) -> Result<(), PluginError> {
        if field == "from" { Ok(()) } else { Err(PluginError::invalid("no date")) }
    }
}

fn problem(config: Value) -> Option<String> {
    let config: Config = match serde_json::from_value(config) {
        Ok(config) => config,
        Err(error) => return Some(error.to_string()),
    };
    config.check(&Posts).err().map(|error| error.message)
}

#[test]
fn what_does_not_make_sense_is_refused() {
    let check = |config: Value, expected: &str| {
        let problem = problem(config.clone()).unwrap_or_default();
        assert!(problem.contains(expected) && problem.is_empty() == expected.is_empty(), "{config}: {problem}");
    };
    let from = json!({"field": "from"});
    check(json!({"startsOn": "2026-01-01T00:00:00Z"}), "");
    check(json!({"repeat": "0 9 * * MON", "timeZone": "Asia/Seoul"}), "");
    check(json!({"mode": 1, "collection": "posts", "startsOn": from, "limit": 1}), "");
    check(json!({}), "\"startsOn\" is required, unless \"repeat\" is a cron expression");
    check(json!({"repeat": 60_000}), "\"startsOn\" is required");
    check(json!({"startsOn": "tomorrow"}), "\"startsOn\" is no date or time: tomorrow");
    check(json!({"startsOn": "2026-01-01", "endsOn": "x"}), "\"endsOn\" is no date or time: x");
    check(json!({"startsOn": from}), "Without a collection there are no date fields: set \"mode\" to 1");
    check(json!({"startsOn": "2026-01-01", "repeat": 999}), "\"repeat\" must be 1000 milliseconds or more");
    check(json!({"repeat": "every day"}), "\"repeat\" is no cron expression: ");
    check(json!({"repeat": "0 25 * * *"}), "\"repeat\" is no cron expression: ");
    check(json!({"startsOn": "2026-01-01", "limit": 0}), "\"limit\" must be 1 or more");
    check(json!({"startsOn": "2026-01-01", "timeZone": "Mars/Olympus"}), "there is no time zone \"Mars/Olympus\"");
    check(json!({"startsOn": "2026-01-01", "endson": "2026-01-02"}), "unknown field `endson`");
    check(json!({"mode": 2, "startsOn": "2026-01-01"}), "\"mode\" must be 0 or 1");
    check(json!({"mode": 1, "startsOn": from}), "\"collection\" is required");
    check(json!({"mode": 1, "collection": "nosuch", "startsOn": from}), "Collection \"nosuch\" does not exist");
    check(json!({"mode": 1, "collection": "posts", "startsOn": "2026-01-01"}), "\"startsOn\" must name a date field");
    check(json!({"mode": 1, "collection": "posts", "startsOn": {"field": "title"}}), "no date");
    check(json!({"mode": 1, "collection": "posts", "startsOn": from, "endsOn": {"field": "title"}}), "no date");
    check(json!({"mode": 1, "collection": "posts", "startsOn": from, "appends": ["x"]}), "Association \"x\"");
}

#[test]
fn a_manual_run_is_due_when_it_is_said_to_be() {
    let manual = |config: Value, input: Value| {
        let config: Config = serde_json::from_value(config).expect("a configuration");
        ScheduleTrigger.manual(&config, input)
    };
    let at = json!({"startsOn": "2026-01-01"});
    let run = manual(at.clone(), json!({"userId": 1, "date": "2026-01-01"})).expect("a run");
    assert_eq!((run.variable.as_str(), run.data), ("date", ManualData::Given(json!("2026-01-01"))));
    let ManualData::Given(now) = manual(at, json!({"userId": 1})).expect("a run").data else { panic!("given") };
    assert!(now.as_str().is_some_and(|now| now.ends_with('Z')), "{now}");

    let by_record = json!({"mode": 1, "collection": "posts", "startsOn": {"field": "from"}});
    let run = manual(by_record.clone(), json!({"userId": 1, "data": {"id": 1}, "date": "d"})).expect("a run");
    assert_eq!((run.variable.as_str(), &run.more["date"]), ("data", &json!("d")));
    let error = manual(by_record, json!({"userId": 1})).expect_err("no record");
    assert_eq!(error.message, "\"data\" is required");
    ScheduleTrigger.disable(WorkflowId(1));
}
