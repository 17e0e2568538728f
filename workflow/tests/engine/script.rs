//! `script` through the engine.

use serde_json::{Value, json};
use store::{ExecutionStatus, JobStatus};

use crate::harness::{Harness, log, node};

async fn script(harness: &Harness, content: &str, data: Value) -> Result<Value, String> {
    script_within(harness, content, data, 30_000).await
}

async fn script_within(harness: &Harness, content: &str, data: Value, timeout_ms: u32) -> Result<Value, String> {
    let config = json!({"content": content, "arguments": [{"name": "data", "value": "{{$context.data}}"}], "timeout": timeout_ms});
    let (_, job, result) = harness.run_node(node("script", config), json!({"data": data})).await;
    match job {
        JobStatus::Resolved => Ok(result),
        _ => Err(result["message"].as_str().unwrap_or_default().to_owned()),
    }
}

#[test_database::test]
async fn scripts_answer_with_json() {
    let harness = Harness::new().await;
    let data = json!({"items": [{"price": 1.5}, {"price": 2}], "name": "Ä \"q\" \u{2028} ${x}"});
    for (content, want) in [
        ("return data.items.reduce((sum, item) => sum + item.price, 0)", json!(3.5)),
        ("return data.name", data["name"].clone()),
        (
            "return {...data.items[0], big: 2 ** 53 - 1, at: new Date(0)}",
            json!({"price": 1.5, "big": 9007199254740991_i64, "at": "1970-01-01T00:00:00.000Z"}),
        ),
        ("const wait = async () => 7; return await wait() + (await Promise.all([1, 2])).length", json!(9)),
        ("console.log('a', data); return typeof console.error", json!("function")),
        ("data.items = []; return data.items.length", json!(0)),
        ("return undefined", json!(null)),
        ("return () => 1", json!(null)),
        ("// nothing", json!(null)),
        ("return [NaN, undefined, null]", json!([null, null, null])),
        ("return '{{$context.data.name}}'", json!("{{$context.data.name}}")),
    ] {
        assert_eq!(script(&harness, content, data.clone()).await, Ok(want), "{content}");
    }
}

#[test_database::test]
async fn scripts_are_bounded_in_time_memory_and_stack() {
    let harness = Harness::new().await;
    for (content, want) in [
        ("while (true) {}", "the script took longer than 300 ms"),
        ("try { while (true) {} } finally { while (true) {} }", "the script took longer than 300 ms"),
        ("const f = async () => { while (true) await null }; await f()", "the script took longer than 300 ms"),
        ("return /^(a+)+$/.test('a'.repeat(40) + 'b')", "the script took longer than 300 ms"),
        ("return {toJSON() { while (true) {} }}", "the script took longer than 300 ms"),
        ("const all = []; while (true) all.push('x'.repeat(2 ** 20) + all.length)", "memory"),
        ("return 'x'.repeat(2 ** 29)", "the script failed"),
        ("return 'x'.repeat(5 * 1024 * 1024)", "longer than 4194304 bytes"),
        ("const f = () => f() + 1; return f()", "the script failed"),
        (
            "let deep = []; for (let i = 0; i < 100000; i++) deep = [deep]; return deep",
            "the answer of the script cannot be taken",
        ),
        ("await new Promise(() => {})", "the script waits for a promise that nobody resolves"),
        ("const a = {}; a.a = a; return a", "circular"),
    ] {
        let timeout_ms = if want.contains("300 ms") { 300 } else { 30_000 };
        let Err(message) = script_within(&harness, content, json!(null), timeout_ms).await else {
            panic!("{content} ends")
        };
        assert!(message.contains(want), "{content}: {message}");
    }
    assert_eq!(script(&harness, "return 1", json!(null)).await, Ok(json!(1)), "others go on");
}

#[test_database::test]
async fn there_is_nothing_outside() {
    let harness = Harness::new().await;
    let names = [
        "require",
        "process",
        "fetch",
        "XMLHttpRequest",
        "setTimeout",
        "setInterval",
        "Deno",
        "std",
        "os",
        "Atomics",
        "SharedArrayBuffer",
        "WebAssembly",
        "Worker",
        "load",
        "print",
        "scriptArgs",
    ];
    let content = format!("return {}.filter(name => name in globalThis)", json!(names));
    assert_eq!(script(&harness, &content, json!(null)).await, Ok(json!([])));
    let message =
        script(&harness, "return (await import('fs')).readFileSync('/etc/hostname')", json!(null)).await.unwrap_err();
    assert!(message.starts_with("the script failed"), "{message}");
    // What one script leaves behind, the next one does not see.
    assert_eq!(
        script(&harness, "globalThis.left = 1; Array.prototype.left = 2; return 1", json!(null)).await,
        Ok(json!(1))
    );
    assert_eq!(
        script(&harness, "return [typeof left, typeof [].left]", json!(null)).await,
        Ok(json!(["undefined", "undefined"]))
    );
}

#[test_database::test]
async fn an_error_ends_the_execution_unless_it_goes_on() {
    let harness = Harness::new().await;
    let config = |continues: bool| json!({"content": "throw new TypeError('no')", "continue": continues});
    let (status, job, result) = harness.run_node(node("script", config(false)), json!({})).await;
    assert_eq!((status, job), (ExecutionStatus::Error, JobStatus::Error));
    assert_eq!(result, json!({"message": "the script failed: TypeError: no"}));
    let workflow = harness.workflow(vec![node("script", config(true)), log("after")]).await;
    assert_eq!(harness.run(&workflow, json!({})).await.status, ExecutionStatus::Resolved);
    assert_eq!(harness.logs().await, ["after"]);
    assert_eq!(script(&harness, "throw 'a text'", json!(null)).await, Err("the script failed: a text".into()));
    assert_eq!(
        script(&harness, "await Promise.reject(new Error('later'))", json!(null)).await,
        Err("the script failed: Error: later".into())
    );
}

#[test_database::test]
async fn mistakes_are_told_beforehand() {
    let harness = Harness::new().await;
    let check = |config: Value| harness.engine.check_node("script", &config).map_err(|error| error.to_string());
    assert_eq!(check(json!({"content": "return await a", "arguments": [{"name": "a", "value": 1}]})), Ok(()));
    assert_eq!(check(json!({})), Err("\"content\" is required".into()));
    for content in ["return (", "return }", "let a; let a"] {
        let message = check(json!({"content": content})).expect_err(content);
        assert!(message.starts_with("the script cannot be read: SyntaxError"), "{content}: {message}");
    }
    for name in ["", "a-b", "1a", "a,b", "{{$context.data}}"] {
        let want = format!("\"{name}\" cannot be the name of a variable");
        assert_eq!(check(json!({"content": "", "arguments": [{"name": name}]})), Err(want));
    }
    let twice = json!({"content": "", "arguments": [{"name": "a"}, {"name": "a"}]});
    assert_eq!(check(twice), Err("the argument \"a\" is given twice".into()));
    assert!(
        check(json!({"content": "", "arguments": [{"name": "class"}]})).is_err(),
        "a word of the language is no name"
    );
}
