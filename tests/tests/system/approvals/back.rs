//! Returns to an earlier approval of the same execution.

use serde_json::{Value, json};

use super::{Office, Person};
use crate::harness::{Answer, NewWorkflow, eventually, fixture::Workflow};

/// Two approvals, one after the other, each by one of the people; the second with these members too.
async fn two_steps(office: &Office, second: Value) -> (Workflow, Vec<String>) {
    let approval = |number: usize| json!({"assignees": office.people[number].id, "title": format!("step {number}")});
    let mut last = approval(1);
    last.as_object_mut().expect("an object").extend(second.as_object().expect("an object").clone());
    let event = NewWorkflow::of("approval", json!({"collection": "posts"}));
    let workflow = office
        .blog
        .workflow(event.node("approval", approval(0)).logs("between").node("approval", last).logs("after"))
        .await;
    let nodes = office.blog.admin.list("flow_nodes", json!({"workflowId": workflow.id, "type": "approval"})).await;
    (workflow, nodes.iter().map(|node| node["key"].as_str().expect("a key").to_owned()).collect())
}

async fn returns(person: &Person, to: Option<&str>) -> Answer {
    let task = person.task().await;
    let body = json!({"action": "return", "comment": "not yet", "returnTo": to});
    person.client.post(&format!("workflowTasks:submit/{}", task["id"]), body).await
}

/// The jobs of the only execution: node, state and where it returns to.
async fn jobs(office: &Office, workflow: &Workflow) -> Vec<(Value, Value, Value)> {
    let execution = office.blog.executions(workflow).await[0]["id"].clone();
    let path = format!("executions:get?filterByTk={execution}&appends=jobs");
    let jobs = office.blog.admin.get(&path).await.ok()["jobs"].clone();
    let mut jobs = jobs.as_array().expect("jobs").clone();
    jobs.sort_by_key(|job| job["id"].as_i64());
    jobs.iter().map(|job| (job["nodeKey"].clone(), job["status"].clone(), job["returnsTo"].clone())).collect()
}

#[tokio::test]
async fn the_approval_before_is_asked_again_and_what_was_said_is_kept() {
    let mut office = Office::open(2).await;
    let (workflow, keys) = two_steps(&office, json!({"returnTo": "previous"})).await;
    office.submit(&workflow).await;
    office.people[0].says("approve").await;
    returns(&office.people[1], None).await.ok();

    // The server may stop in between: where the execution goes on is stored.
    let again = office.people[0].task().await;
    assert_eq!((&again["title"], &again["round"]), (&json!("step 0"), &json!(1)), "asked anew");
    office = office.crash().await;
    office.people[0].says("approve").await;
    office.people[1].says("approve").await;
    assert_eq!(office.ends(&workflow).await, 1);
    assert_eq!(office.blog.log().await, ["between", "between", "after"], "what lies between is done again");

    let jobs = jobs(&office, &workflow).await;
    let approvals: Vec<_> = jobs.iter().filter(|(key, ..)| keys.iter().any(|it| key == it)).collect();
    assert_eq!(approvals.len(), 4, "{jobs:?}");
    assert!(approvals.iter().all(|(_, status, _)| *status == 1), "{jobs:?}");
    let returning: Vec<bool> = approvals.iter().map(|(_, _, to)| !to.is_null()).collect();
    assert_eq!(returning, [false, true, false, false]);

    let mine = office.applicant.mine().await;
    let statuses: Vec<_> = mine.as_array().expect("a list").iter().rev().map(|it| it["status"].clone()).collect();
    assert_eq!(statuses, ["approved", "closed", "approved", "approved"]);
    let told = office.applicant.client.get(&format!("approvals:history/{}", mine[2]["id"])).await.ok();
    let step = &told["steps"][1];
    assert_eq!((&step["action"], &step["comment"]), (&json!("return"), &json!("not yet")));
}

#[tokio::test]
async fn an_answer_names_the_approval_or_the_applicant_is_asked() {
    let office = Office::open(2).await;
    let (workflow, keys) = two_steps(&office, json!({"returnTo": "any"})).await;
    office.submit(&workflow).await;
    let [one, two] = &office.people[..] else { panic!("two people") };
    let refused = returns(one, Some(&keys[1])).await;
    assert_eq!((refused.status, refused.code()), (400, Some("NOT_POSSIBLE")), "{}", refused.body);
    one.says("approve").await;

    for wrong in [keys[1].as_str(), "nosuch", ""] {
        let refused = returns(two, Some(wrong)).await;
        assert_eq!((refused.status, refused.code()), (400, Some("NOT_POSSIBLE")), "{wrong}: {}", refused.body);
        assert!(refused.message().contains(&keys[0]), "it says what is possible: {}", refused.message());
    }
    let task = two.task().await;
    let history = two.client.get(&format!("workflowTasks:history/{}", task["id"])).await.ok();
    assert_eq!(history["earlier"], json!([{"key": keys[0], "title": "step 0"}]));
    let approves = json!({"action": "approve", "returnTo": keys[0]});
    let refused = two.client.post(&format!("workflowTasks:submit/{}", task["id"]), approves).await;
    assert_eq!((refused.status, refused.code()), (400, Some("INVALID_VALUE")), "{}", refused.body);

    returns(two, Some(&keys[0])).await.ok();
    one.says("approve").await;
    // Without a name it is the applicant who is asked, and then the same node again.
    returns(two, None).await.ok();
    office.applicant.says("resubmit").await;
    returns(two, Some(&keys[0])).await.ok();
    one.task().await;
    let mine = office.applicant.mine().await;
    let steps = office.applicant.client.get(&format!("approvals:history/{}", mine[1]["id"])).await.ok();
    let last = steps["steps"].as_array().expect("steps").last().expect("a step").clone();
    assert_eq!((&last["action"], &last["returnTo"]), (&json!("return"), &json!(keys[0])));
    one.says("reject").await;
    assert_eq!(office.ends(&workflow).await, -5);
    eventually("nobody is asked any more", async || (two.open().await.is_empty()).then_some(())).await;
}

#[tokio::test]
async fn in_a_loop_only_what_led_there_in_the_same_round_can_be_gone_back_to() {
    let office = Office::open(2).await;
    let event = NewWorkflow::of("approval", json!({"collection": "posts"}));
    let outer = json!({"assignees": office.people[0].id, "title": "before the loop"});
    let rounds = event.node("approval", outer).node("loop", json!({"target": 2})).logs("after");
    let workflow = office.blog.workflow(rounds).await;
    let nodes = office.blog.admin.list("flow_nodes", json!({"workflowId": workflow.id})).await;
    let of = |kind: &str| nodes.iter().find(|node| node["type"] == kind).expect("a node").clone();
    let mut upstream = (of("loop")["id"].clone(), json!(0));
    let mut keys = Vec::new();
    for (number, title) in [(0, "first"), (1, "second")] {
        let config = json!({"assignees": office.people[number].id, "title": title, "returnTo": "any"});
        let node = json!({"type": "approval", "config": config, "upstreamId": upstream.0, "branchIndex": upstream.1});
        let made = office.blog.admin.post(&format!("workflows/{}/nodes:create", workflow.id), node).await.ok();
        keys.push(made["key"].as_str().expect("a key").to_owned());
        upstream = (made["id"].clone(), Value::Null);
    }
    office.submit(&workflow).await;
    let [one, two] = &office.people[..] else { panic!("two people") };
    one.says("approve").await;
    one.says("approve").await;
    let outside = of("approval")["key"].clone();
    assert_eq!(returns(two, outside.as_str()).await.status, 400, "it is not on the same line");
    returns(two, Some(&keys[0])).await.ok();
    for _ in 0..2 {
        one.says("approve").await;
        two.says("approve").await;
    }
    assert_eq!(office.ends(&workflow).await, 1);
    let approvals = jobs(&office, &workflow).await.into_iter().filter(|(key, ..)| keys.iter().any(|it| key == it));
    assert_eq!(approvals.count(), 6);
}
