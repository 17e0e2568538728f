//! Nodes that lead execution: multi-conditions, loops, variables and the output.

use serde_json::{Value, json};
use store::{ExecutionId, ExecutionStatus, JobStatus, NodeRow, WorkflowRow};

use crate::harness::{Harness, Node, Place, log, node};

/// The results of a node's jobs, oldest first.
async fn results(harness: &Harness, id: ExecutionId, node: &NodeRow) -> Vec<(JobStatus, Value)> {
    let jobs = harness.jobs(id).await;
    jobs.into_iter().filter(|job| job.node_id == node.id).map(|job| (job.status, job.result)).collect()
}

async fn output(harness: &Harness, id: ExecutionId) -> Value {
    let records = harness.records("executions").await;
    records.into_iter().find(|record| record["id"] == id.0).expect("the execution")["output"].clone()
}

fn at_least(least: i64) -> Value {
    json!({"engine": "cel", "expression": format!("{{{{$context.data}}}} >= {least}")})
}

#[test_database::test]
async fn the_first_condition_that_holds_leads() {
    let harness = Harness::new().await;
    let conditions = |go_on: bool| {
        let basic = json!({"calculation": {"group": {"type": "and", "calculations": [
            {"calculator": "gte", "operands": ["{{$context.data}}", 10]}]}}});
        json!({"conditions": [at_least(100), basic], "continueOnNoMatch": go_on})
    };
    let nodes = |go_on: bool| {
        vec![
            node("multi-conditions", conditions(go_on)),
            log("hundreds").at(Place::Branch(0, 1)),
            log("tens").at(Place::Branch(0, 2)),
            log("ones").at(Place::Branch(0, 0)),
            log("after").at(Place::Behind(0)),
        ]
    };
    let (workflow, rows) = harness.workflow_with(json!({}), nodes(true)).await;
    for (data, answers, branch) in
        [(500, json!([true]), 1), (50, json!([false, true]), 2), (5, json!([false, false]), 0)]
    {
        let outcome = harness.run(&workflow, json!({"data": data})).await;
        assert_eq!(outcome.status, ExecutionStatus::Resolved);
        let want = json!({"conditions": answers, "branch": branch});
        assert_eq!(results(&harness, outcome.id, &rows[0]).await, [(JobStatus::Resolved, want)]);
    }
    assert_eq!(harness.logs().await, ["hundreds", "after", "tens", "after", "ones", "after"]);

    let strict = harness.workflow(nodes(false)).await;
    assert_eq!(harness.run(&strict, json!({"data": 5})).await.status, ExecutionStatus::Failed);
    assert_eq!(harness.logs().await.len(), 6);
}

/// A loop with a body, and a log behind it.
async fn looping(harness: &Harness, config: Value, body: Vec<Node>) -> (WorkflowRow, Vec<NodeRow>) {
    let mut nodes = vec![node("loop", config)];
    for (number, inner) in body.into_iter().enumerate() {
        nodes.push(inner.at(if number == 0 { Place::Branch(0, 0) } else { Place::Next }));
    }
    nodes.push(log("after").at(Place::Behind(0)));
    harness.workflow_with(json!({}), nodes).await
}

/// A variable of the loop around a node. Its key is known only once it is stored, so the node is changed then.
async fn keyed(harness: &Harness, rows: &[NodeRow]) {
    for row in rows {
        let config = row.config.to_string().replace("LOOP", &rows[0].key);
        let config: Value = serde_json::from_str(&config).unwrap();
        let id = row.id;
        harness
            .write(move |tx| {
                Box::pin(async move {
                    tx.update_node(id, crate::harness::object(json!({"config": config}))).await.map(drop)
                })
            })
            .await;
    }
}

#[test_database::test]
async fn a_loop_goes_through_lists_texts_and_numbers() {
    let harness = Harness::new().await;
    let tag = "{{$scopes.LOOP.item}} {{$scopes.LOOP.index}} {{$scopes.LOOP.sequence}}/{{$scopes.LOOP.length}}";
    let (workflow, rows) = looping(&harness, json!({"target": "{{$context.data}}"}), vec![log(tag), log("-")]).await;
    keyed(&harness, &rows).await;
    let mut seen = 0;
    for (data, want) in [
        (json!(["a", "b"]), vec!["a 0 1/2", "-", "b 1 2/2", "-", "after"]),
        (json!("xy"), vec!["x 0 1/2", "-", "y 1 2/2", "-", "after"]),
        (json!(2), vec!["0 0 1/2", "-", "1 1 2/2", "-", "after"]),
        (json!([]), vec!["after"]),
        (json!(null), vec!["after"]),
    ] {
        let outcome = harness.run(&workflow, json!({"data": data})).await;
        assert_eq!(outcome.status, ExecutionStatus::Resolved, "{data}");
        let logs = harness.logs().await;
        assert_eq!(logs[seen..], want, "{data}");
        seen = logs.len();
    }
    for data in [json!(true), json!(10_001)] {
        let outcome = harness.run(&workflow, json!({"data": data})).await;
        assert_eq!(outcome.status, ExecutionStatus::Error, "{data}");
    }
    assert_eq!(harness.logs().await.len(), seen);
}

#[test_database::test]
async fn jobs_of_a_round_hang_below_the_loop() {
    let harness = Harness::new().await;
    let (workflow, rows) = looping(&harness, json!({"target": 2}), vec![log("a"), log("b")]).await;
    let outcome = harness.run(&workflow, json!({})).await;
    let jobs = harness.jobs(outcome.id).await;
    let drawn: Vec<(usize, Option<usize>, Value)> = jobs
        .iter()
        .map(|job| {
            let number = rows.iter().position(|row| row.id == job.node_id).unwrap();
            let upstream = job.upstream_id.map(|id| jobs.iter().position(|job| job.id == id).unwrap());
            (number, upstream, job.meta.clone())
        })
        .collect();
    assert_eq!(
        drawn,
        [
            (0, None, Value::Null),
            (1, Some(0), json!({"branch": 0, "round": 0})),
            (2, Some(1), Value::Null),
            (1, Some(0), json!({"branch": 0, "round": 1})),
            (2, Some(3), Value::Null),
            (3, Some(0), Value::Null),
        ]
    );
    assert_eq!(jobs[0].result, json!({"looped": 2, "broken": false}));
}

#[test_database::test]
async fn a_condition_is_asked_before_each_round() {
    let harness = Harness::new().await;
    for (go_on, want) in [(true, vec!["1", "3", "after"]), (false, vec!["1", "after"])] {
        let condition = json!({"engine": "cel", "expression": "{{$scopes.LOOP.item}} != 2", "continueOnFalse": go_on});
        let config = json!({"target": [1, 2, 3], "condition": condition});
        let (workflow, rows) = looping(&harness, config, vec![log("{{$scopes.LOOP.item}}")]).await;
        keyed(&harness, &rows).await;
        let before = harness.logs().await.len();
        let outcome = harness.run(&workflow, json!({})).await;
        assert_eq!(harness.logs().await[before..], want);
        let (_, result) = results(&harness, outcome.id, &rows[0]).await.remove(0);
        assert_eq!(result, json!({"looped": want.len() - 1, "broken": false}));
    }
}

#[test_database::test]
async fn a_failed_round_fails_breaks_or_is_passed_over() {
    let harness = Harness::new().await;
    for (exit, status, looped, broken, want) in [
        ("exit", ExecutionStatus::Failed, 2, true, vec!["1"]),
        ("break", ExecutionStatus::Resolved, 2, true, vec!["1", "after"]),
        ("continue", ExecutionStatus::Resolved, 3, false, vec!["1", "3", "after"]),
    ] {
        let config = json!({"target": [1, 2, 3], "exit": exit});
        let odd = node("condition", json!({"engine": "cel", "expression": "{{$scopes.LOOP.item}} != 2"}));
        let (workflow, rows) = looping(&harness, config, vec![odd, log("{{$scopes.LOOP.item}}")]).await;
        keyed(&harness, &rows).await;
        let before = harness.logs().await.len();
        let outcome = harness.run(&workflow, json!({})).await;
        assert_eq!((outcome.status, outcome.ended_by_node), (status, false), "{exit}");
        assert_eq!(harness.logs().await[before..], want, "{exit}");
        let (_, result) = results(&harness, outcome.id, &rows[0]).await.remove(0);
        assert_eq!(result, json!({"looped": looped, "broken": broken}), "{exit}");
    }
}

#[test_database::test]
async fn an_end_inside_a_loop_ends_the_execution() {
    let harness = Harness::new().await;
    for (end_status, status, job) in
        [(1, ExecutionStatus::Resolved, JobStatus::Resolved), (-1, ExecutionStatus::Failed, JobStatus::Failed)]
    {
        let config = json!({"target": 3, "exit": "continue"});
        let body =
            vec![node("response-message", json!({"message": "said"})), node("end", json!({"endStatus": end_status}))];
        let (workflow, rows) = looping(&harness, config, body).await;
        let outcome = harness.run(&workflow, json!({})).await;
        assert_eq!((outcome.status, outcome.ended_by_node), (status, true));
        assert_eq!(outcome.messages, ["said"]);
        assert_eq!(results(&harness, outcome.id, &rows[0]).await[0].0, job);
        assert_eq!(harness.jobs(outcome.id).await.len(), 3);
    }
    assert_eq!(harness.logs().await.len(), 0);
}

#[test_database::test]
async fn variables_are_declared_and_assigned_to() {
    let harness = Harness::new().await;
    let (workflow, rows) = harness
        .workflow_with(
            json!({}),
            vec![
                node("variable", json!({"value": "{{$context.data.start}}"})),
                node("loop", json!({"target": "{{$context.data.rounds}}"})),
                node("calculation", json!({"expression": "{{$jobsMapByNodeKey.VAR}} * 2"})).at(Place::Branch(1, 0)),
                node("variable", json!({"target": "VAR", "value": "{{$jobsMapByNodeKey.CALC}}"})),
                node("output", json!({"value": {"doubled": "{{$jobsMapByNodeKey.VAR}}"}})).at(Place::Behind(1)),
            ],
        )
        .await;
    for row in &rows {
        let config = row.config.to_string().replace("VAR", &rows[0].key).replace("CALC", &rows[2].key);
        let (id, config) = (row.id, serde_json::from_str::<Value>(&config).unwrap());
        let values = crate::harness::object(json!({"config": config}));
        harness.write(move |tx| Box::pin(async move { tx.update_node(id, values).await.map(drop) })).await;
    }
    for (rounds, want) in [(0, 3), (1, 6), (5, 96)] {
        let outcome = harness.run(&workflow, json!({"data": {"start": 3, "rounds": rounds}})).await;
        assert_eq!(output(&harness, outcome.id).await, json!({"doubled": want}));
    }

    let stray = harness.workflow(vec![node("variable", json!({"target": "nosuch", "value": 1}))]).await;
    let outcome = harness.run(&stray, json!({})).await;
    assert_eq!(outcome.status, ExecutionStatus::Error);
    assert_eq!(
        harness.jobs(outcome.id).await[0].result,
        json!({"message": "the variable \"nosuch\" is not declared before it is assigned to"})
    );
}

#[test_database::test]
async fn the_last_output_counts() {
    let harness = Harness::new().await;
    let workflow = harness
        .workflow(vec![
            node("output", json!({"value": 1})),
            node("output", json!({"value": ["{{$context.data}}", null]})),
            log("after"),
        ])
        .await;
    let outcome = harness.run(&workflow, json!({"data": 7})).await;
    assert_eq!(output(&harness, outcome.id).await, json!([7, null]));
    let silent = harness.workflow(vec![log("x")]).await;
    let outcome = harness.run(&silent, json!({})).await;
    assert_eq!(output(&harness, outcome.id).await, Value::Null);
}

#[test_database::test]
async fn a_loop_goes_on_in_the_round_where_it_was() {
    let mut harness = Harness::new().await;
    let body =
        vec![log("{{$scopes.LOOP.item}}a"), node("delay", json!({"duration": 3})), log("{{$scopes.LOOP.item}}b")];
    let (workflow, rows) = looping(&harness, json!({"target": 6}), body).await;
    keyed(&harness, &rows).await;
    let id = harness.trigger(&workflow, json!({})).await;
    for seen in [1, 4, 6, 9] {
        harness.until_so(|| async { harness.logs().await.len() >= seen }).await;
        harness.restart().await;
    }
    harness.until(id, ExecutionStatus::Resolved).await;
    let mut want: Vec<String> = (0..6).flat_map(|round| [format!("{round}a"), format!("{round}b")]).collect();
    want.push("after".into());
    assert_eq!(harness.logs().await, want);
    assert_eq!(harness.jobs(id).await.len(), 1 + 6 * 3 + 1);
}

#[test_database::test]
async fn a_run_from_a_node_in_a_loop_goes_on_in_its_first_round() {
    let harness = Harness::new().await;
    let body = vec![log("{{$scopes.LOOP.item}}a"), log("{{$scopes.LOOP.item}}b")];
    let (workflow, rows) = looping(&harness, json!({"target": 2}), body).await;
    keyed(&harness, &rows).await;
    let id = harness.run(&workflow, json!({})).await.id;
    for (from, want) in
        [(2, vec!["0b", "1a", "1b", "after"]), (3, vec!["after"]), (0, vec!["0a", "0b", "1a", "1b", "after"])]
    {
        let before = harness.logs().await.len();
        let again = harness.engine.rerun(id, rows[from].id).await.unwrap();
        harness.until(again, ExecutionStatus::Resolved).await;
        assert_eq!(harness.logs().await[before..], want, "from {from}");
        assert_eq!(harness.jobs(again).await.len(), 6);
        assert_eq!(
            results(&harness, again, &rows[0]).await,
            [(JobStatus::Resolved, json!({"looped": 2, "broken": false}))]
        );
    }
}
