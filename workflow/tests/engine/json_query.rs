//! `json-query` through the engine.

use serde_json::{Value, json};
use store::JobStatus;

use crate::harness::{Harness, node};

async fn query(harness: &Harness, expression: &str, source: Value) -> Result<Value, String> {
    let config = json!({"source": "{{$context.data}}", "expression": expression, "multiple": true});
    let (_, job, result) = harness.run_node(node("json-query", config), json!({"data": source})).await;
    match job {
        JobStatus::Resolved => Ok(result),
        _ => Err(result["message"].as_str().unwrap_or_default().to_owned()),
    }
}

#[test_database::test]
async fn values_are_taken_apart_and_put_together() {
    let harness = Harness::new().await;
    let source =
        json!({"items": [{"name": "a", "price": 1.5, "n": 2}, {"name": "b", "price": 20, "n": 1}], "who": "Ä"});
    for (expression, want) in [
        (".who", json!(["Ä"])),
        (".items[].name", json!(["a", "b"])),
        (".items | map(select(.price > 10) | .name)", json!([["b"]])),
        ("[.items[] | .price * .n] | add", json!([23])),
        (".items | map({(.name): .price}) | add", json!([{"a": 1.5, "b": 20}])),
        ("{who, first: .items[0].name, \"k\\(1 + 1)\": true}", json!([{"who": "Ä", "first": "a", "k2": true}])),
        (".items[0].price *= 2 | .items[0].price", json!([3])),
        (".items |= (sort_by(.n) | map(.name)) | .items", json!([["b", "a"]])),
        ("del(.items) | to_entries", json!([[{"key": "who", "value": "Ä"}]])),
        ("[paths(type == \"string\")] | length", json!([3])),
        ("reduce .items[] as {n: $n} (0; . + $n)", json!([3])),
        ("[.items[] | .name | ascii_upcase] | join(\"-\")", json!(["A-B"])),
        ("try error(\"no\") catch .", json!(["no"])),
        (".missing // \"default\"", json!(["default"])),
        ("def twice(f): f | f; 3 | twice(. * .)", json!([81])),
        ("label $out | .items[] | .name, break $out", json!(["a"])),
        ("\"[1, {\\\"a\\\": null}]\" | fromjson", json!([[1, {"a": null}]])),
        ("\"2024-02-29T10:00:00Z\" | fromdate", json!([1709200800])),
        ("\"a1b22\" | [scan(\"[0-9]+\")]", json!([["1", "22"]])),
        ("limit(3; repeat(1))", json!([1, 1, 1])),
        ("last(range(50000)), ([limit(20000; repeat(1))] | length)", json!([49999, 20000])),
        ("0 | until(. >= 20000; . + 1)", json!([20000])),
        ("nan, infinite, 1e300 * 1e300", json!([null, null, null])),
        ("empty", json!([])),
    ] {
        assert_eq!(query(&harness, expression, source.clone()).await, Ok(want), "{expression}");
    }
    let config = json!({"source": [1, 2], "expression": ".[]"});
    assert_eq!(harness.run_node(node("json-query", config), json!({})).await.2, json!(1));
    let config = json!({"expression": "empty"});
    assert_eq!(harness.run_node(node("json-query", config), json!({})).await.2, json!(null));
    // What stands in data is no query.
    let config = json!({"source": {"a": "{{$context.data}}"}, "expression": ".a"});
    assert_eq!(harness.run_node(node("json-query", config), json!({"data": ".b | halt"})).await.2, json!(".b | halt"));
}

// Has nothing to do with the database, and takes its time.
#[tokio::test]
async fn what_does_not_end_is_ended() {
    let harness = Harness::new().await;
    for (expression, want) in [
        ("last(repeat(1))", "takes too long"),
        ("last(range(1e12))", "takes too long"),
        ("range(1e12) | empty", "takes too long"),
        ("[range(1e12)] | length", "takes too long"),
        ("try last(range(1e12)) catch 1", "takes too long"),
        ("(range(1e12) | select(false)) // 1", "takes too long"),
        ("def f: f; f", "takes too long"),
        ("def f: try f catch f; f", "the query "),
        ("reduce range(1e9) as $i (0; . + 1)", "takes too long"),
    ] {
        let Err(message) = query(&harness, expression, json!(null)).await else { panic!("{expression} ends") };
        assert!(message.contains(want), "{expression}: {message}");
    }
    assert_eq!(query(&harness, "1 + 1", json!(null)).await, Ok(json!([2])), "others go on");
}

#[test_database::test]
async fn queries_reach_nothing_outside() {
    let harness = Harness::new().await;
    let check = |expression: &str| {
        let config = json!({"expression": expression});
        harness.engine.check_node("json-query", &config).map_err(|error| error.to_string())
    };
    for (expression, name) in [
        ("halt", "halt"),
        ("halt(1)", "halt"),
        ("env", "env"),
        ("debug", "debug"),
        ("stderr", "stderr"),
        ("input", "input"),
        ("halt_error", "halt_error"),
        ("nosuch", "nosuch"),
    ] {
        let want = format!("the query cannot be read: there is no filter \"{name}\"");
        assert_eq!(check(expression), Err(want), "{expression}");
    }
    assert_eq!(check("$ENV"), Err("the query cannot be read: there is no variable \"$ENV\"".into()));
    for expression in ["include \"a\"; .", "import \"a\" as a; .", ".a[", "1 +", "\u{7}", ".a | }"] {
        let message = check(expression).expect_err(expression);
        assert!(message.starts_with("the query cannot be read"), "{expression}: {message}");
    }
    assert_eq!(check(&"[".repeat(1_000)), Err("the query is nested too deeply".into()));
    assert_eq!(check(&"1,".repeat(10_000)), Err("the query is longer than 8192 bytes".into()));
    assert_eq!(check(".a | map(.b)"), Ok(()));
    let message = query(&harness, ".a.b", json!({"a": [1]})).await.unwrap_err();
    assert!(message.starts_with("the query failed: cannot index"), "{message}");
}
