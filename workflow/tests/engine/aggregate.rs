//! `aggregate` through the engine.

use serde_json::{Value, json};
use store::JobStatus;

use crate::harness::{Harness, node};

async fn aggregate(harness: &Harness, config: Value, data: Value) -> (JobStatus, Value) {
    let (_, job, result) = harness.run_node(node("aggregate", config), json!({"data": data})).await;
    (job, result)
}

#[test_database::test]
async fn records_are_counted_and_summed() {
    let harness = Harness::new().await;
    for (title, read) in [("a", 1), ("a", 2), ("b", 2), ("c", 100)] {
        harness.post(json!({"title": title, "read": read})).await;
    }
    let few = json!({"read.$lt": "{{$context.data.limit}}"});
    for (config, want) in [
        (json!({"aggregator": "count", "collection": "posts"}), json!(4)),
        (json!({"aggregator": "count", "collection": "main:posts", "params": {"filter": few}}), json!(3)),
        (
            json!({"aggregator": "count", "collection": "posts", "params": {"field": "title", "distinct": true}}),
            json!(3),
        ),
        (json!({"aggregator": "sum", "collection": "posts", "params": {"field": "read", "filter": few}}), json!(5)),
        (
            json!({"aggregator": "avg", "collection": "posts", "params": {"field": "read", "filter": few}, "precision": 2}),
            json!(1.67),
        ),
        (json!({"aggregator": "min", "collection": "posts", "params": {"field": "title"}}), json!("a")),
        (json!({"aggregator": "max", "collection": "posts", "params": {"field": "read"}}), json!(100)),
        (json!({"aggregator": "max", "collection": "logs", "params": {"field": "tag"}}), json!(null)),
    ] {
        let got = aggregate(&harness, config.clone(), json!({"limit": 10})).await;
        assert_eq!(got, (JobStatus::Resolved, want), "{config}");
    }
}

#[test_database::test]
async fn only_what_a_record_leads_to() {
    let harness = Harness::new().await;
    harness
        .write(|tx| {
            Box::pin(async move {
                let field = json!({"type": "hasMany", "name": "posts", "target": "posts", "foreignKey": "writerId"});
                let definition = json!({"name": "writers", "fields": [field]});
                let Value::Object(definition) = definition else { return Ok(()) };
                tx.create_collection(&definition).await.map(drop)
            })
        })
        .await;
    let writers =
        node("create", json!({"collection": "writers", "params": {"values": {"posts": [{"read": 3}, {"read": 4}]}}}));
    harness.run_node(writers, json!({})).await;
    harness.post(json!({"read": 100})).await;
    let config = |key: &str| {
        json!({"aggregator": "sum", "collection": "posts", "params": {"field": "read"},
            "association": {"associatedCollection": "writers", "associatedKey": key, "name": "posts"}})
    };
    let got = aggregate(&harness, config("{{$context.data.id}}"), json!({"id": 1})).await;
    assert_eq!(got, (JobStatus::Resolved, json!(7)));
    let got = aggregate(&harness, config("{{$context.data.id}}"), json!({"id": 2})).await;
    assert_eq!(got, (JobStatus::Resolved, json!(0)));
}

#[test_database::test]
async fn mistakes_are_told() {
    let harness = Harness::new().await;
    let check = |config: Value| harness.engine.check_node("aggregate", &config).map_err(|error| error.to_string());
    assert_eq!(check(json!({"aggregator": "sum", "collection": "posts"})), Err("\"params.field\" is required".into()));
    assert_eq!(
        check(json!({"aggregator": "median", "collection": "posts"})),
        Err("\"aggregator\" must be one of [\"count\",\"sum\",\"avg\",\"min\",\"max\"]".into())
    );
    let config = json!({"aggregator": "sum", "collection": "posts", "params": {"field": "title"}});
    let (status, result) = aggregate(&harness, config, json!({})).await;
    assert_eq!(
        (status, &result["message"]),
        (JobStatus::Error, &json!("title: only numbers have a sum and an average"))
    );
    let config =
        json!({"aggregator": "count", "collection": "posts", "params": {"filter": {"title": "{{$context.data}}"}}});
    let (status, _) = aggregate(&harness, config, json!({"$ne": null})).await;
    assert_eq!(status, JobStatus::Error, "a record must not bring operators along");
}
