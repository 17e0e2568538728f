//! `executions:stream`.

use serde_json::{Value, json};

use crate::harness::{Blog, Client, Host, NewWorkflow, events::Events};

/// Two nodes, the first without effect.
fn two_nodes() -> NewWorkflow {
    NewWorkflow::on("posts").node("calculation", json!({"engine": "cel", "expression": "1 + 1"})).logs("ran")
}

fn has_ended(name: &str, data: &Value) -> bool {
    name == "execution" && !matches!(data["status"].as_i64(), None | Some(0))
}

/// Event names with the status of what they are about.
fn steps(events: &[(String, Value)]) -> Vec<(&str, Value)> {
    events.iter().map(|(name, data)| (name.as_str(), data["status"].clone())).collect()
}

#[tokio::test]
async fn a_stream_tells_each_step_of_an_execution_in_order() {
    let host = Host::start().await;
    let blog = Blog::set_up(host.admin().await).await;
    let other = blog.workflow(NewWorkflow::on("posts").logs("other")).await;
    let workflow = blog.workflow(two_nodes()).await;
    let by_key = format!("executions:stream?filter[key]={}", workflow.key);
    let by_id = format!("executions:stream?filter={{\"workflowId\":{}}}", workflow.id);
    let mut streams = [Events::open(&blog.admin, &by_key).await, Events::open(&blog.admin, &by_id).await];
    blog.create("posts", &format!("{},{}", other.key, workflow.key), json!({"title": "a"})).await.ok();

    for stream in &mut streams {
        let events = stream.until(has_ended).await;
        let expected = [
            ("execution", Value::Null),
            ("execution", json!(0)),
            ("job", json!(1)),
            ("job", json!(1)),
            ("execution", json!(1)),
        ];
        assert_eq!(steps(&events), expected, "{events:?}");
        let id = events[0].1["id"].clone();
        assert!(events.iter().filter(|(name, _)| name == "execution").all(|(_, data)| data["id"] == id));
        let nodes: Vec<&Value> = events[2..4]
            .iter()
            .map(|(_, job)| {
                assert_eq!(job["executionId"], id);
                assert!(job["startedAt"].as_str() <= job["finishedAt"].as_str(), "{job}");
                assert!(job["startedAt"].is_string() && job["finishedAt"].is_string(), "{job}");
                &job["nodeKey"]
            })
            .collect();
        assert_ne!(nodes[0], nodes[1]);
        let ended = &events[4].1;
        assert!(ended["startedAt"].is_string() && ended["finishedAt"].is_string(), "{ended}");
        assert_eq!(ended["workflowId"], workflow.id);
    }
}

#[tokio::test]
async fn a_stream_of_one_execution_begins_with_what_happened_so_far() {
    let host = Host::start().await;
    let blog = Blog::set_up(host.admin().await).await;
    let new = NewWorkflow::on("posts").logs("before").node("delay", json!({"duration": 1, "unit": 86_400_000}));
    let workflow = blog.workflow(new).await;
    let mut all = Events::open(&blog.admin, "executions:stream").await;
    blog.create("posts", &workflow.key, json!({"title": "a"})).await.ok();
    let events = all.until(|name, data| name == "job" && data["status"] == 0).await;
    let id = &events.last().expect("events").1["executionId"];

    let mut one = Events::open(&blog.admin, &format!("executions:stream?filterByTk={id}")).await;
    let so_far = one.until(|name, data| name == "job" && data["status"] == 0).await;
    assert_eq!(steps(&so_far), [("execution", json!(0)), ("job", json!(1)), ("job", json!(0))], "{so_far:?}");
    assert_eq!(so_far[2].1["finishedAt"], Value::Null);

    blog.admin.post(&format!("executions:cancel?filterByTk={id}"), json!({})).await;
    let end = one.until(|name, data| name == "execution" && data["status"] == -3).await;
    assert_eq!(steps(&end), [("job", json!(-3)), ("execution", json!(-3))], "{end:?}");
}

#[tokio::test]
async fn streams_are_for_administrators_and_few() {
    let host = Host::start().await;
    let admin = host.admin().await;
    let member = json!({"username": "m", "email": "m@example.com", "password": "secret-of-m", "roles": ["member"]});
    admin.post("users:create", member).await.ok();
    let member = Client::sign_in(host.base_url(), "m", "secret-of-m").await;
    assert_eq!(member.get("executions:stream").await.status, 403);
    assert_eq!(Client::anonymous(host.base_url()).get("executions:stream").await.status, 401);
    assert_eq!(admin.get("executions:stream?filterByTk=404").await.status, 404);
    let refused = admin.get("executions:stream?filter[title]=x").await;
    assert_eq!((refused.status, refused.code()), (400, Some("UNKNOWN_FIELD")));

    let mut open = Vec::new();
    for _ in 0..64 {
        open.push(Events::open(&admin, "executions:stream").await);
    }
    let refused = admin.get("executions:stream").await;
    assert_eq!((refused.status, refused.code()), (503, Some("TOO_MANY_STREAMS")));
}

#[tokio::test]
async fn a_stop_ends_the_streams_and_is_not_held_up_by_them() {
    let mut host = Host::start().await;
    let admin = host.admin().await;
    let mut stream = Events::open(&admin, "executions:stream").await;
    let status = host.terminate().await;
    assert!(status.success(), "{}", host.log());
    assert_eq!(stream.next().await, None);
    assert!(!host.log().contains("cut off"), "{}", host.log());
}
