//! Workflows, their versions and their nodes, as the engine's rows.

use serde_json::{Value, json};
use store::{
    NodeId, NodeRow, StoreError, UserId, WorkflowId, WorkflowRow,
    workflows::{NewNode, Revision},
};

use crate::harness::{Harness, Place, log, node, object};

async fn create(harness: &Harness, values: Value) -> WorkflowRow {
    harness.write(move |tx| Box::pin(async move { tx.create_workflow(object(values), Some(UserId(1))).await })).await
}

async fn update(harness: &Harness, id: WorkflowId, values: Value) -> Result<Vec<WorkflowRow>, StoreError> {
    harness.store.write(move |tx| Box::pin(async move { tx.update_workflow(id, object(values), None).await })).await
}

async fn revise(harness: &Harness, id: WorkflowId, kind: Revision) -> WorkflowRow {
    harness.write(move |tx| Box::pin(async move { tx.revise_workflow(id, kind).await })).await
}

async fn record(harness: &Harness, id: WorkflowId) -> Value {
    harness.records("workflows").await.into_iter().find(|record| record["id"] == id.0).expect("the workflow")
}

#[test_database::test]
async fn a_new_workflow_has_defaults() {
    let harness = Harness::new().await;
    let row = create(&harness, json!({"title": "t", "type": "action", "config": {"collection": "posts"}})).await;
    assert!(row.key.len() == 11 && row.key.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()));
    assert!(row.id.0 < 1 << 53);
    let record = record(&harness, row.id).await;
    for (name, want) in [
        ("enabled", json!(false)),
        ("sync", json!(false)),
        ("current", json!(true)),
        ("executed", json!(0)),
        ("allExecuted", json!(0)),
        ("options", json!({"timeout": 0})),
        ("config", json!({"collection": "posts"})),
        ("description", Value::Null),
        ("invalid", json!(false)),
        ("createdById", json!(1)),
    ] {
        assert_eq!(record[name], want, "{name}");
    }
    let enabled =
        create(&harness, json!({"type": "action", "enabled": true, "sync": true, "options": {"stackLimit": 3}})).await;
    assert!(enabled.enabled && enabled.sync);
    assert_eq!(enabled.options, json!({"timeout": 0, "stackLimit": 3}));
}

#[test_database::test]
async fn wrong_values_are_refused() {
    let harness = Harness::new().await;
    for (values, want) in [
        (json!({"title": "t"}), "Trigger type is required"),
        (json!({"type": "action", "title": 1}), "\"title\" must be a string"),
        (json!({"type": "action", "enabled": "yes"}), "\"enabled\" must be a boolean"),
        (json!({"type": "action", "config": []}), "\"config\" must be an object"),
    ] {
        let refused: Result<WorkflowRow, StoreError> = harness
            .store
            .write(move |tx| Box::pin(async move { tx.create_workflow(object(values), None).await }))
            .await;
        assert_eq!(refused.unwrap_err().to_string(), want);
    }
}

#[test_database::test]
async fn updates_change_what_may_change() {
    let harness = Harness::new().await;
    let row = create(&harness, json!({"title": "t", "type": "action", "config": {"collection": "a"}})).await;
    let changed =
        update(&harness, row.id, json!({"sync": true, "title": "other", "type": "x", "key": "k"})).await.unwrap();
    assert_eq!(changed, []);
    let row = harness.row(row.id).await;
    assert_eq!((row.sync, row.title.as_deref(), row.trigger_type.as_str()), (false, Some("other"), "action"));

    let changed = update(&harness, row.id, json!({"config": {"collection": "b"}})).await.unwrap();
    assert_eq!(changed.iter().map(|row| &row.config).collect::<Vec<_>>(), [&json!({"collection": "b"})]);
    let changed = update(&harness, row.id, json!({"enabled": true})).await.unwrap();
    assert_eq!((changed.len(), changed[0].enabled), (1, true));
    assert_eq!(update(&harness, row.id, json!({"enabled": true})).await.unwrap(), []);

    harness.run(&row, json!({})).await;
    let frozen = update(&harness, row.id, json!({"config": {"collection": "c"}})).await.unwrap_err();
    assert!(matches!(frozen, StoreError::Invalid { code: "WORKFLOW_FROZEN", .. }), "{frozen}");
    assert_eq!(update(&harness, row.id, json!({"config": {"collection": "b"}, "title": "same"})).await.unwrap(), []);
    assert!(matches!(update(&harness, WorkflowId(5), json!({})).await, Err(StoreError::NotFound { .. })));
}

#[test_database::test]
async fn a_revision_takes_over_when_it_is_enabled() {
    let harness = Harness::new().await;
    let first = harness.workflow(vec![log("a")]).await;
    harness.run(&first, json!({})).await;
    let second = revise(&harness, first.id, Revision::NextVersion).await;
    assert_eq!((&second.key, second.enabled, second.executed), (&first.key, false, 0));
    assert_eq!(
        (record(&harness, second.id).await["current"].clone(), harness.row(first.id).await.enabled),
        (Value::Null, true)
    );

    let changed = update(&harness, second.id, json!({"enabled": true})).await.unwrap();
    assert_eq!(
        changed.iter().map(|row| (row.id, row.enabled)).collect::<Vec<_>>(),
        [(first.id, false), (second.id, true)]
    );
    let flags = |record: Value| [record["enabled"].clone(), record["current"].clone()];
    assert_eq!(flags(record(&harness, first.id).await), [json!(false), Value::Null]);
    assert_eq!(flags(record(&harness, second.id).await), [json!(true), json!(true)]);

    harness.run(&second, json!({})).await;
    assert_eq!((harness.row(first.id).await.executed, harness.row(second.id).await.executed), (1, 1));
    assert_eq!(record(&harness, first.id).await["allExecuted"], 2);
    assert_eq!(harness.logs().await, ["a", "a"]);
}

#[test_database::test]
async fn a_copy_stands_alone() {
    let harness = Harness::new().await;
    let first = harness.workflow(vec![log("a"), log("b")]).await;
    let copy = revise(&harness, first.id, Revision::Copy).await;
    assert_ne!(copy.key, first.key);
    assert!(copy.current && !copy.enabled);
    update(&harness, copy.id, json!({"enabled": true})).await.unwrap();
    assert!(harness.row(first.id).await.enabled);
    harness.run(&copy, json!({})).await;
    assert_eq!(harness.logs().await, ["a", "b"]);
}

#[test_database::test]
async fn destroying_the_current_version_takes_all_with_it() {
    let harness = Harness::new().await;
    let first = harness.workflow(vec![node("delay", json!({"unit": 60_000, "duration": 1}))]).await;
    let waiting = harness.run(&first, json!({})).await.id;
    let second = revise(&harness, first.id, Revision::NextVersion).await;
    let destroy = |id| {
        let harness = &harness;
        async move { harness.write(move |tx| Box::pin(async move { tx.destroy_workflow(id).await })).await }
    };
    let third = revise(&harness, first.id, Revision::NextVersion).await;
    assert_eq!(destroy(third.id).await.len(), 1);
    let gone: Vec<WorkflowId> = destroy(first.id).await.iter().map(|row| row.id).collect();
    assert_eq!(gone, [first.id, second.id]);
    assert_eq!((harness.records("workflows").await, harness.records("flow_nodes").await), (vec![], vec![]));
    assert_eq!((harness.find(waiting).await, harness.jobs(waiting).await), (None, vec![]));
}

#[test_database::test]
async fn a_destroyed_workflow_takes_the_rest_of_its_chain_with_it() {
    let harness = Harness::new().await;
    let (first, second) = (harness.workflow(vec![]).await, harness.workflow(vec![]).await);
    let head = harness.enqueue(vec![harness.direct(&first, json!({}))]).await[0];
    let tail = store::NewExecution { waits_for: Some(head), ..harness.direct(&second, json!({})) };
    let tail = harness.enqueue(vec![tail]).await[0];
    harness.write(move |tx| Box::pin(async move { tx.destroy_workflow(first.id).await.map(drop) })).await;
    assert_eq!((harness.find(head).await, harness.find(tail).await), (None, None));
    assert_eq!(harness.row(second.id).await.executed, 0);
}

/// The nodes as `type upstream/branch>downstream`, by their numbers.
fn drawn(nodes: &[NodeRow]) -> Vec<String> {
    let number = |id: Option<NodeId>| match id {
        None => "-".to_owned(),
        Some(id) => nodes.iter().position(|node| node.id == id).map_or("?".to_owned(), |number| number.to_string()),
    };
    nodes
        .iter()
        .map(|node| {
            let branch = node.branch_index.map_or(String::new(), |branch| format!("/{branch}"));
            let tag = node.config.pointer("/params/values/tag").and_then(Value::as_str).unwrap_or(&node.node_type);
            format!("{tag} {}{branch}>{}", number(node.upstream_id), number(node.downstream_id))
        })
        .collect()
}

#[test_database::test]
async fn nodes_are_inserted_and_taken_out_anywhere() {
    let harness = Harness::new().await;
    let condition = || node("condition", json!({"rejectOnFalse": false}));
    let (workflow, nodes) = harness
        .workflow_with(
            json!({}),
            vec![
                log("last"),
                condition().at(Place::Next),
                log("yes").at(Place::Branch(1, 1)),
                log("before yes").at(Place::Branch(1, 1)),
                log("after").at(Place::Behind(1)),
                log("between").at(Place::Behind(1)),
            ],
        )
        .await;
    assert_eq!(drawn(&nodes), ["last ->1", "condition 0>5", "yes 3>-", "before yes 1/1>2", "after 5>-", "between 1>4"]);
    let first =
        NewNode { node_type: "end".into(), title: None, config: json!({}), upstream_id: None, branch_index: None };
    let (id, head, before_yes) = (workflow.id, nodes[0].id, nodes[3].id);
    let nodes = harness
        .write(move |tx| {
            Box::pin(async move {
                tx.create_node(id, first).await?;
                tx.destroy_node(before_yes).await?;
                tx.destroy_node(head).await?;
                tx.nodes(id).await
            })
        })
        .await;
    assert_eq!(drawn(&nodes), ["condition 4>3", "yes 0/1>-", "after 3>-", "between 0>2", "end ->0"]);
    let condition = nodes[0].id;
    let nodes = harness
        .write(move |tx| {
            Box::pin(async move {
                tx.destroy_node(condition).await?;
                tx.nodes(id).await
            })
        })
        .await;
    assert_eq!(drawn(&nodes), ["after 1>-", "between 2>0", "end ->1"]);
}

#[test_database::test]
async fn nodes_of_an_executed_version_are_frozen() {
    let harness = Harness::new().await;
    let (workflow, nodes) = harness.workflow_with(json!({}), vec![log("a")]).await;
    let (id, of) = (nodes[0].id, workflow.id);
    let renamed = harness
        .write(move |tx| {
            Box::pin(async move { tx.update_node(id, object(json!({"title": "t", "config": {"x": 1}}))).await })
        })
        .await;
    assert_eq!((renamed.title.as_deref(), &renamed.config), (Some("t"), &json!({"x": 1})));
    harness.run(&workflow, json!({})).await;
    let new =
        NewNode { node_type: "end".into(), title: None, config: json!({}), upstream_id: None, branch_index: None };
    let created: Result<NodeRow, StoreError> =
        harness.store.write(move |tx| Box::pin(async move { tx.create_node(of, new).await })).await;
    assert_eq!(created.unwrap_err().to_string(), "Node could not be created in executed workflow");
    let updated: Result<NodeRow, StoreError> = harness
        .store
        .write(move |tx| Box::pin(async move { tx.update_node(id, object(json!({"config": {}}))).await }))
        .await;
    assert_eq!(updated.unwrap_err().to_string(), "Node could not be updated in executed workflow");
    let destroyed: Result<(), StoreError> =
        harness.store.write(move |tx| Box::pin(async move { tx.destroy_node(id).await })).await;
    assert_eq!(destroyed.unwrap_err().to_string(), "Node could not be deleted in executed workflow");
}
