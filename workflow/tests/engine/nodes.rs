//! Every node type, in an execution of its own.

use serde_json::{Value, json};
use store::{ExecutionStatus, JobStatus};

use crate::harness::{Harness, Node, Place, log, node};

/// Runs one node on a context, and answers the execution's and the job's state and the job's result.
async fn run(harness: &Harness, node: Node, context: Value) -> (ExecutionStatus, JobStatus, Value) {
    let workflow = harness.workflow(vec![node]).await;
    let outcome = harness.run(&workflow, context).await;
    assert_eq!(outcome.status, harness.status(outcome.id).await);
    let jobs = harness.jobs(outcome.id).await;
    assert_eq!(jobs.len(), 1);
    (outcome.status, jobs[0].status, jobs[0].result.clone())
}

#[test_database::test]
async fn an_execution_without_nodes_is_resolved() {
    let harness = Harness::new().await;
    let workflow = harness.workflow(vec![]).await;
    let outcome = harness.run(&workflow, json!({})).await;
    assert_eq!((outcome.status, outcome.ended_by_node), (ExecutionStatus::Resolved, false));
    assert_eq!(harness.row(workflow.id).await.executed, 1);
}

#[test_database::test]
async fn calculation() {
    let harness = Harness::new().await;
    let config = json!({"engine": "cel", "expression": "{{$context.data.amount}} * 2"});
    let (status, job, result) = run(&harness, node("calculation", config), json!({"data": {"amount": 700.5}})).await;
    assert_eq!((status, job, result), (ExecutionStatus::Resolved, JobStatus::Resolved, json!(1401)));

    let (status, job, result) = run(&harness, node("calculation", json!({"expression": "1 / 0"})), json!({})).await;
    assert_eq!((status, job), (ExecutionStatus::Error, JobStatus::Error));
    assert!(result["message"].as_str().unwrap().contains("Division by zero"), "{result}");
}

#[test_database::test]
async fn condition() {
    let harness = Harness::new().await;
    let basic = |reject: bool| {
        json!({"engine": "basic", "rejectOnFalse": reject, "calculation": {"group": {"type": "and", "calculations": [
            {"calculator": "gt", "operands": ["{{$context.data.read}}", 500]}]}}})
    };
    let cel = json!({"engine": "cel", "expression": "{{$context.data.read}} > 500"});
    let read = |read: Value| json!({"data": {"read": read}});
    for (config, context, want) in [
        (basic(true), read(json!(900)), (ExecutionStatus::Resolved, JobStatus::Resolved, json!(true))),
        (basic(true), read(json!("900.00")), (ExecutionStatus::Resolved, JobStatus::Resolved, json!(true))),
        (basic(true), read(json!(100)), (ExecutionStatus::Failed, JobStatus::Failed, json!(false))),
        (basic(false), read(json!(100)), (ExecutionStatus::Resolved, JobStatus::Resolved, json!(false))),
        (cel.clone(), read(json!(900)), (ExecutionStatus::Resolved, JobStatus::Resolved, json!(true))),
        (cel, read(json!(100)), (ExecutionStatus::Failed, JobStatus::Failed, json!(false))),
    ] {
        assert_eq!(run(&harness, node("condition", config.clone()), context.clone()).await, want, "{config} {context}");
    }
    let (status, ..) =
        run(&harness, node("condition", json!({"engine": "cel", "expression": "1 + 1"})), json!({})).await;
    assert_eq!(status, ExecutionStatus::Error);
}

#[test_database::test]
async fn a_condition_takes_the_right_branch_and_returns_to_the_line() {
    let harness = Harness::new().await;
    let calculation = json!({"group": {"type": "and", "calculations": [
        {"calculator": "gt", "operands": ["{{$context.data.read}}", 500]}]}});
    let workflow = harness
        .workflow(vec![
            node("condition", json!({"rejectOnFalse": false, "engine": "basic", "calculation": calculation})),
            log("yes").at(Place::Branch(0, 1)),
            log("no").at(Place::Branch(0, 0)),
            log("after").at(Place::Behind(0)),
        ])
        .await;
    for read in [900, 100] {
        let outcome = harness.run(&workflow, json!({"data": {"read": read}})).await;
        assert_eq!(outcome.status, ExecutionStatus::Resolved);
    }
    assert_eq!(harness.logs().await, ["yes", "after", "no", "after"]);
}

#[test_database::test]
async fn create() {
    let harness = Harness::new().await;
    let config = json!({"collection": "main:posts", "params": {
        "values": {"title": "a {{$context.data.title}}", "read": "{{$context.data.read}}"}, "appends": ["author"]}});
    let context = json!({"data": {"title": "{{$context.roleName}}", "read": 7}, "roleName": "member"});
    let (status, _, result) = run(&harness, node("create", config), context).await;
    assert_eq!(status, ExecutionStatus::Resolved);
    assert_eq!(
        (&result["title"], &result["read"], &result["createdById"], result.get("author")),
        (&json!("a {{$context.roleName}}"), &json!(7), &Value::Null, Some(&Value::Null)),
        "{result}"
    );
    assert_eq!(harness.records("posts").await[0]["title"], "a {{$context.roleName}}");
}

#[test_database::test]
async fn a_refused_write_is_the_jobs_error_and_leaves_nothing() {
    let harness = Harness::new().await;
    harness.post(json!({"code": "dup"})).await;
    let create = |values: Value| node("create", json!({"collection": "posts", "params": {"values": values}}));
    let workflow = harness
        .workflow(vec![
            node("calculation", json!({"expression": "1 + 1"})),
            create(json!({"code": "dup"})),
            log("never"),
        ])
        .await;
    let outcome = harness.run(&workflow, json!({})).await;
    assert_eq!((outcome.status, outcome.ended_by_node), (ExecutionStatus::Error, false));
    let jobs = harness.jobs(outcome.id).await;
    assert_eq!(jobs.iter().map(|job| job.status).collect::<Vec<_>>(), [JobStatus::Resolved, JobStatus::Error]);
    assert_eq!(jobs[1].result, json!({"message": "code already exists"}));
    assert_eq!(jobs[1].upstream_id, Some(jobs[0].id));
    assert_eq!((harness.records("posts").await.len(), harness.logs().await.len()), (1, 0));

    let nowhere = node("create", json!({"collection": "nosuch", "params": {"values": {}}}));
    let (status, _, result) = run(&harness, nowhere, json!({})).await;
    assert_eq!(status, ExecutionStatus::Error);
    assert!(result["message"].as_str().unwrap().contains("nosuch"), "{result}");
}

#[test_database::test]
async fn passwords_are_hashed() {
    let harness = Harness::new().await;
    let values = json!({"username": "u", "email": "u@example.com", "password": "secret-word"});
    let config = json!({"collection": "users", "params": {"values": values}});
    let (status, _, result) = run(&harness, node("create", config), json!({})).await;
    assert_eq!((status, result.get("password")), (ExecutionStatus::Resolved, None), "{result}");
}

#[test_database::test]
async fn update_and_destroy_count_and_refuse_an_empty_filter() {
    let harness = Harness::new().await;
    for read in [1, 2, 3] {
        harness.post(json!({"title": "old", "read": read})).await;
    }
    let filter = json!({"read": {"$gte": "{{$context.data.least}}"}});
    let context = json!({"data": {"least": 2, "sneaky": {"$ne": null}}});
    let update = |filter: Value| {
        node("update", json!({"collection": "posts", "params": {"filter": filter, "values": {"title": "new"}}}))
    };
    let destroy = |filter: Value| node("destroy", json!({"collection": "posts", "params": {"filter": filter}}));

    for refused in [json!({}), json!({"$and": []}), json!({"title": "{{$context.data.sneaky}}"})] {
        for node in [update(refused.clone()), destroy(refused.clone())] {
            let (status, ..) = run(&harness, node, context.clone()).await;
            assert_eq!(status, ExecutionStatus::Error, "{refused}");
        }
    }
    let done = |count: i64| (ExecutionStatus::Resolved, JobStatus::Resolved, json!(count));
    assert_eq!(run(&harness, update(filter.clone()), context.clone()).await, done(2));
    let titles: Vec<Value> = harness.records("posts").await.iter().map(|post| post["title"].clone()).collect();
    assert_eq!(titles, ["old", "new", "new"]);
    assert_eq!(run(&harness, destroy(filter), context.clone()).await, done(2));
    assert_eq!(run(&harness, destroy(json!({"read": 99})), context).await, done(0));
    assert_eq!(harness.records("posts").await.len(), 1);
}

#[test_database::test]
async fn query() {
    let harness = Harness::new().await;
    for read in [1, 2, 3] {
        harness.post(json!({"title": format!("t{read}"), "read": read})).await;
    }
    let query = |config: Value| {
        let mut merged = json!({"collection": "posts"});
        merged.as_object_mut().unwrap().extend(config.as_object().unwrap().clone());
        node("query", merged)
    };
    let context = json!({"data": {"read": 2}});
    let (_, _, one) =
        run(&harness, query(json!({"params": {"filter": {"read": "{{$context.data.read}}"}}})), context).await;
    assert_eq!(one["title"], "t2");

    let page = json!({"multiple": true, "params": {"sort": ["-read"], "page": 2, "pageSize": 2, "fields": ["title"]}});
    let (_, _, list) = run(&harness, query(page), json!({})).await;
    assert_eq!(list, json!([{"title": "t1"}]));

    let sorted = json!({"params": {"sort": [{"field": "read", "direction": "desc"}]}});
    let (_, _, first) = run(&harness, query(sorted), json!({})).await;
    assert_eq!(first["title"], "t3");

    let nothing = json!({"read": 99});
    let (status, _, none) = run(&harness, query(json!({"params": {"filter": nothing}})), json!({})).await;
    assert_eq!((status, none), (ExecutionStatus::Resolved, Value::Null));
    let strict = json!({"multiple": true, "failOnEmpty": true, "params": {"filter": {"read": 99}}});
    let (status, _, none) = run(&harness, query(strict), json!({})).await;
    assert_eq!((status, none), (ExecutionStatus::Failed, json!([])));
}

#[test_database::test]
async fn results_of_earlier_nodes_are_variables() {
    let harness = Harness::new().await;
    harness.post(json!({"title": "seen"})).await;
    let (workflow, nodes) = harness
        .workflow_with(
            json!({}),
            vec![node("query", json!({"collection": "posts", "params": {"filter": {"title": "seen"}}}))],
        )
        .await;
    let tag = format!("{{{{$jobsMapByNodeKey.{}.title}}}}!", nodes[0].key);
    let created = json!({"collection": "logs", "params": {"values": {"tag": tag}}});
    let upstream = nodes[0].id;
    harness
        .write(move |tx| {
            Box::pin(async move {
                let node = store::workflows::NewNode {
                    node_type: "create".into(),
                    title: None,
                    config: created,
                    upstream_id: Some(upstream),
                    branch_index: None,
                };
                tx.create_node(workflow.id, node).await.map(drop)
            })
        })
        .await;
    let workflow = harness.row(nodes[0].workflow_id).await;
    harness.run(&workflow, json!({})).await;
    assert_eq!(harness.logs().await, ["seen!"]);
}

#[test_database::test]
async fn end_ends_and_messages_are_collected() {
    let harness = Harness::new().await;
    let message = |text: &str| node("response-message", json!({"message": text}));
    for (end_status, status) in [(1, ExecutionStatus::Resolved), (-1, ExecutionStatus::Failed)] {
        let workflow = harness
            .workflow(vec![
                message("no: {{$context.data.title}}"),
                message("{{$context.data.read}}"),
                node("end", json!({"endStatus": end_status})),
                log("never"),
            ])
            .await;
        let outcome = harness.run(&workflow, json!({"data": {"title": "abc", "read": 5}})).await;
        assert_eq!(outcome.messages, ["no: abc", "5"]);
        assert_eq!((outcome.status, outcome.ended_by_node), (status, true));
        let results: Vec<Value> = harness.jobs(outcome.id).await.into_iter().map(|job| job.result).collect();
        assert_eq!(results, [json!("no: abc"), json!("5"), Value::Null]);
    }
    assert_eq!(harness.logs().await.len(), 0);
}

#[test_database::test]
async fn delay_waits() {
    let harness = Harness::new().await;
    let config = json!({"unit": 60_000, "duration": "{{$context.data.minutes}}"});
    let workflow = harness.workflow(vec![node("delay", config), log("later")]).await;
    let outcome = harness.run(&workflow, json!({"data": {"minutes": "10"}})).await;
    assert_eq!(outcome.status, ExecutionStatus::Started);
    let jobs = harness.jobs(outcome.id).await;
    assert_eq!((jobs[0].status, &jobs[0].result), (JobStatus::Pending, &json!(600_000)));
    assert!(jobs[0].due_at_ms.is_some());
    harness.idle().await;
    assert_eq!(harness.logs().await.len(), 0);

    let (status, ..) = run(&harness, node("delay", json!({"duration": -5})), json!({})).await;
    assert_eq!(status, ExecutionStatus::Error);
}
