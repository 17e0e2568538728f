//! Approvals: what somebody submits, those who are asked, and what becomes of it.

mod back;

use futures::future::join_all;
use serde_json::{Value, json};

use crate::harness::{Answer, Blog, Client, Host, NewWorkflow, eventually, fixture::Workflow};

const PASSWORD: &str = "a-password-of-one";

/// A server with an applicant and people who decide.
struct Office {
    host: Host,
    blog: Blog,
    applicant: Person,
    people: Vec<Person>,
}

struct Person {
    id: i64,
    name: String,
    client: Client,
}

impl Person {
    async fn hire(blog: &Blog, base_url: &str, name: &str) -> Self {
        let user = json!({"username": name, "password": PASSWORD, "roles": ["staff"]});
        let id = blog.admin.post("users:create", user).await.ok()["id"].as_i64().expect("an id");
        Self { id, name: name.to_owned(), client: Client::sign_in(base_url, name, PASSWORD).await }
    }

    async fn open(&self) -> Vec<Value> {
        self.client.list("workflowTasks", json!({"status": 0})).await
    }

    /// The open task, once there is one.
    async fn task(&self) -> Value {
        let what = format!("{} has a task", self.name);
        eventually(&what, async || self.open().await.pop()).await
    }

    async fn answer(&self, task: &Value, action: &str, values: Value) -> Answer {
        let body = json!({"action": action, "values": values, "comment": format!("{} says {action}", self.name)});
        self.client.post(&format!("workflowTasks:submit/{}", task["id"]), body).await
    }

    /// Answers the open task.
    async fn says(&self, action: &str) {
        self.answer(&self.task().await, action, json!({})).await.ok();
    }

    /// What the person has applied for, newest first.
    async fn mine(&self) -> Value {
        self.client.get("approvals:list?sort=-id").await.ok()
    }
}

impl Office {
    async fn open(people: usize) -> Self {
        let host = Host::start().await;
        let blog = Blog::set_up(host.admin().await).await;
        let role = json!({"name": "staff", "title": "Staff", "strategy": {"actions": ["view", "create", "update"]}});
        blog.admin.post("roles:create", role).await.ok();
        let applicant = Person::hire(&blog, host.base_url(), "ann").await;
        let mut hired = Vec::new();
        for number in 0..people {
            hired.push(Person::hire(&blog, host.base_url(), &format!("boss{number}")).await);
        }
        Self { host, blog, applicant, people: hired }
    }

    /// The same people at a server that was killed and started again.
    async fn crash(self) -> Self {
        let host = self.host.crash_and_restart().await;
        let blog = Blog { admin: host.admin().await };
        let (mut applicant, mut people) = (self.applicant, self.people);
        for person in people.iter_mut().chain([&mut applicant]) {
            person.client = Client::sign_in(host.base_url(), &person.name, PASSWORD).await;
        }
        Self { host, blog, applicant, people }
    }

    /// An approval by all of the people, and a log behind it.
    async fn workflow(&self, more: Value) -> Workflow {
        let mut config = json!({
            "assignees": self.people.iter().map(|person| person.id).collect::<Vec<_>>(),
            "title": "Approve {{$context.data.title}}",
        });
        config.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let event = NewWorkflow::of("approval", json!({"collection": "posts"}));
        self.blog.workflow(event.node("approval", config).logs("after")).await
    }

    async fn submit(&self, workflow: &Workflow) -> i64 {
        let path = format!("posts:create?triggerWorkflows={}", workflow.key);
        let made = self.applicant.client.post(&path, json!({"title": "a projector"})).await.ok();
        made["id"].as_i64().expect("an id")
    }

    /// The state that the only execution ends in.
    async fn ends(&self, workflow: &Workflow) -> i64 {
        self.blog.finished(workflow, 1).await[0]["status"].as_i64().expect("a status")
    }

    /// The actions of a history, in order.
    async fn history(&self) -> Vec<Value> {
        let id = &self.applicant.mine().await[0]["id"];
        let told = self.applicant.client.get(&format!("approvals:history/{id}")).await.ok();
        told["steps"].as_array().expect("steps").iter().map(|step| step["action"].clone()).collect()
    }
}

#[tokio::test]
async fn all_of_them_approve() {
    let office = Office::open(2).await;
    let workflow = office.workflow(json!({"mode": "all", "form": {"required": ["budget"]}})).await;
    office.submit(&workflow).await;
    let [one, two] = &office.people[..] else { panic!("two people") };

    let task = one.task().await;
    assert_eq!((&task["title"], &task["round"]), (&json!("Approve a projector"), &json!(1)));
    let mine = office.applicant.mine().await;
    assert_eq!((&mine[0]["status"], &mine[0]["title"]), (&json!("pending"), &json!("Approve a projector")));
    assert_eq!(mine[0]["workflow"]["key"], workflow.key);
    let approval = mine[0]["id"].clone();
    let whole = office.applicant.client.get(&format!("approvals:get/{approval}")).await.ok();
    assert_eq!(whole["data"]["title"], "a projector");
    let told = one.client.get("notifications:list").await.ok();
    assert_eq!(told[0]["title"], "Approve a projector");

    // What is not theirs, not possible or does not fit changes nothing.
    assert_eq!(two.answer(&task, "approve", json!({"budget": 1})).await.status, 404);
    assert_eq!(two.client.get(&format!("approvals:get/{approval}")).await.status, 404);
    assert_eq!(two.client.get(&format!("approvals:history/{approval}")).await.status, 404);
    assert_eq!(two.client.get("approvals:list?all=1").await.status, 403);
    for (action, code) in
        [("approve", "INVALID_VALUE"), ("delegate", "UNKNOWN_TASK_ACTION"), ("dance", "UNKNOWN_TASK_ACTION")]
    {
        let refused = one.answer(&task, action, json!({})).await;
        assert_eq!((refused.status, refused.code()), (400, Some(code)), "{action}");
    }

    one.answer(&task, "approve", json!({"budget": 1})).await.ok();
    let again = one.answer(&task, "approve", json!({"budget": 1})).await;
    assert_eq!((again.status, again.code()), (409, Some("ILLEGAL_MOVE")));
    assert_eq!(office.applicant.mine().await[0]["status"], "pending");
    two.answer(&two.task().await, "approve", json!({"budget": 2})).await.ok();
    assert_eq!(office.ends(&workflow).await, 1);
    assert_eq!(office.blog.log().await, ["after"]);
    assert_eq!(office.applicant.mine().await[0]["status"], "approved");
    assert_eq!(office.history().await, ["submit", "approve", "approve"]);
    let jobs = office.blog.admin.list("jobs", json!({"nodeKey.$ne": ""})).await;
    assert_eq!(
        (&jobs[0]["result"]["outcome"], &jobs[0]["result"]["values"]),
        (&json!("approved"), &json!({"budget": 2}))
    );
    // Those who were asked read the history too.
    let told = two.client.get(&format!("workflowTasks:history/{}", task["id"])).await;
    assert_eq!(told.status, 404, "of their own task only");
    let told = one.client.get(&format!("workflowTasks:history/{}", task["id"])).await.ok();
    assert_eq!(
        (&told["steps"][1]["comment"], &told["steps"][1]["user"]["username"]),
        (&json!("boss0 says approve"), &json!("boss0"))
    );
    assert_eq!(office.blog.admin.get("approvals:list?all=1").await.ok()[0]["id"], approval);
}

#[tokio::test]
async fn a_share_decides_and_closes_the_rest() {
    let office = Office::open(3).await;
    let workflow = office.workflow(json!({"mode": "share", "percent": 50})).await;
    office.submit(&workflow).await;
    let late = office.people[2].task().await;
    office.people[0].says("approve").await;
    office.people[1].says("approve").await;
    assert_eq!(office.ends(&workflow).await, 1);
    let closed = office.people[2].answer(&late, "approve", json!({})).await;
    assert_eq!((closed.status, closed.code()), (409, Some("ILLEGAL_MOVE")));
    assert_eq!(office.applicant.mine().await[0]["status"], "approved");
}

#[tokio::test]
async fn one_after_the_other_is_asked_and_a_rejection_ends_it() {
    let office = Office::open(2).await;
    let workflow = office.workflow(json!({"mode": "sequential"})).await;
    office.submit(&workflow).await;
    let [first, second] = &office.people[..] else { panic!("two people") };
    first.task().await;
    assert_eq!(second.open().await, [Value::Null; 0], "not yet");
    first.says("approve").await;
    second.says("reject").await;
    assert_eq!(office.ends(&workflow).await, -5);
    assert_eq!(office.applicant.mine().await[0]["status"], "rejected");
    assert!(office.blog.log().await.is_empty());
}

#[tokio::test]
async fn each_outcome_has_its_branch() {
    let office = Office::open(1).await;
    for (action, on_return, tag) in
        [("approve", "applicant", "yes"), ("reject", "applicant", "no"), ("return", "continue", "back")]
    {
        let event = NewWorkflow::of("approval", json!({"collection": "posts"}));
        let config = json!({
            "assignees": [office.people[0].id], "title": "t", "outcome": "branch", "onReturn": on_return,
        });
        let workflow = office.blog.workflow(event.node("approval", config)).await;
        office.blog.switch(&workflow, false).await;
        let nodes = office.blog.admin.list("flow_nodes", json!({"workflowId": workflow.id})).await;
        for (branch, tag) in [(0, "no"), (1, "yes"), (2, "back")] {
            let log = json!({"collection": "logs", "params": {"values": {"tag": tag}}});
            let node = json!({"type": "create", "config": log, "upstreamId": nodes[0]["id"], "branchIndex": branch});
            office.blog.admin.post(&format!("workflows/{}/nodes:create", workflow.id), node).await.ok();
        }
        office.blog.switch(&workflow, true).await;
        office.submit(&workflow).await;
        office.people[0].says(action).await;
        assert_eq!(office.ends(&workflow).await, 1, "{action}");
        assert_eq!(office.blog.log().await.last().map(String::as_str), Some(tag));
    }
    let statuses = office.applicant.mine().await;
    let statuses: Vec<_> = statuses.as_array().expect("a list").iter().map(|it| it["status"].clone()).collect();
    assert_eq!(statuses, ["returned", "rejected", "approved"]);
}

#[tokio::test]
async fn what_is_returned_is_handed_in_once_more() {
    let office = Office::open(2).await;
    let workflow = office.workflow(json!({"mode": "all"})).await;
    office.submit(&workflow).await;
    office.people[0].says("approve").await;
    office.people[1].says("return").await;
    let mine = office.applicant.mine().await;
    let id = &mine[0]["id"];
    assert_eq!(mine[0]["status"], "returned");
    let foreign = office.people[0].client.post(&format!("approvals:resubmit/{id}"), json!({})).await;
    assert_eq!(foreign.status, 404);
    let resubmit = format!("approvals:resubmit/{id}");
    let body = json!({"values": {"title": "a smaller one"}, "comment": "please"});
    assert_eq!(office.applicant.client.post(&resubmit, body.clone()).await.ok()["status"], "pending");
    assert_eq!(office.applicant.client.post(&resubmit, body).await.status, 409);
    for person in &office.people {
        assert_eq!(person.task().await["round"], 2);
        person.says("approve").await;
    }
    assert_eq!(office.ends(&workflow).await, 1);
    assert_eq!(office.history().await, ["submit", "approve", "return", "resubmit", "approve", "approve"]);
}

#[tokio::test]
async fn a_task_is_delegated() {
    let office = Office::open(2).await;
    let workflow = office.workflow(json!({"mode": "all", "actions": ["approve", "delegate"]})).await;
    office.submit(&workflow).await;
    let deputy = Person::hire(&office.blog, office.host.base_url(), "deputy").await;
    let [one, two] = &office.people[..] else { panic!("two people") };
    let path = format!("workflowTasks:delegate/{}", one.task().await["id"]);
    for (body, code) in [
        (json!({}), "REQUIRED"),
        (json!({"userId": 987_654}), "UNKNOWN_USER"),
        (json!({"userId": two.id}), "ALREADY_ASKED"),
        (json!({"userId": one.id}), "ALREADY_ASKED"),
    ] {
        let refused = one.client.post(&path, body).await;
        assert_eq!((refused.status, refused.code()), (400, Some(code)));
    }
    assert_eq!(two.client.post(&path, json!({"userId": deputy.id})).await.status, 404);
    one.client.post(&path, json!({"userId": deputy.id, "comment": "I am away"})).await.ok();
    assert_eq!(one.client.post(&path, json!({"userId": deputy.id})).await.status, 409);
    two.says("approve").await;
    assert_eq!(office.applicant.mine().await[0]["status"], "pending", "the deputy counts");
    deputy.says("approve").await;
    assert_eq!(office.ends(&workflow).await, 1);
    assert_eq!(office.history().await, ["submit", "delegate", "approve", "approve"]);
    let id = &office.applicant.mine().await[0]["id"];
    let told = office.applicant.client.get(&format!("approvals:history/{id}")).await.ok();
    assert_eq!(told["steps"][1]["delegatedTo"]["username"], "deputy");
    assert_eq!(told["steps"][1]["comment"], "I am away");
}

#[tokio::test]
async fn an_application_is_withdrawn_while_nobody_has_decided() {
    let office = Office::open(2).await;
    let workflow = office.workflow(json!({"mode": "all"})).await;
    office.submit(&workflow).await;
    office.people[0].task().await;
    let path = format!("approvals:withdraw/{}", office.applicant.mine().await[0]["id"]);
    assert_eq!(office.people[0].client.post(&path, json!({})).await.status, 404);
    let withdrawn = office.applicant.client.post(&path, json!({"comment": "not needed"})).await.ok();
    assert_eq!(withdrawn["status"], "withdrawn");
    assert_eq!(office.ends(&workflow).await, -4);
    assert_eq!(office.people[0].open().await, [Value::Null; 0]);
    assert_eq!(office.applicant.client.post(&path, json!({})).await.status, 409);
    assert_eq!(office.history().await[..2], ["submit", "withdraw"]);

    office.submit(&workflow).await;
    office.people[0].says("approve").await;
    let path = format!("approvals:withdraw/{}", office.applicant.mine().await[0]["id"]);
    let late = office.applicant.client.post(&path, json!({})).await;
    assert_eq!((late.status, late.code()), (400, Some("NOT_POSSIBLE")));
    assert_eq!(office.applicant.mine().await[0]["status"], "pending");
}

#[tokio::test]
async fn an_answer_outlives_a_crash() {
    let office = Office::open(2).await;
    let workflow = office.workflow(json!({"mode": "sequential"})).await;
    office.submit(&workflow).await;
    office.people[0].says("approve").await;
    let tasks = office.people[1].open().await;
    assert_eq!(tasks.len(), 1);
    let Office { host, people, .. } = office;
    let host = host.crash_and_restart().await;
    let second = Client::sign_in(host.base_url(), &people[1].name, PASSWORD).await;
    let submit = format!("workflowTasks:submit/{}", tasks[0]["id"]);
    second.post(&submit, json!({"action": "approve"})).await.ok();
    let host = host.crash_and_restart().await;
    let blog = Blog { admin: host.admin().await };
    assert_eq!(blog.finished(&workflow, 1).await[0]["status"], 1);
    assert_eq!(blog.log().await, ["after"], "once");
}

#[tokio::test]
async fn of_several_who_decide_at_once_each_is_counted_once() {
    let office = Office::open(6).await;
    let workflow = office.workflow(json!({"mode": "share", "count": 3})).await;
    office.submit(&workflow).await;
    let tasks = join_all(office.people.iter().map(Person::task)).await;
    let answers = office.people.iter().zip(&tasks).flat_map(|(person, task)| {
        [person.answer(task, "approve", json!({})), person.answer(task, "approve", json!({}))]
    });
    let answers = join_all(answers).await;
    let count = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(200), count(409)), (3, 9), "{answers:?}");
    assert_eq!(office.ends(&workflow).await, 1);
    assert_eq!(office.blog.log().await, ["after"]);
}

#[tokio::test]
async fn while_the_plugin_is_away_nothing_is_decided_and_later_it_goes_on() {
    let office = Office::open(1).await;
    let workflow = office.workflow(json!({})).await;
    office.submit(&workflow).await;
    let task = office.people[0].task().await;
    let plugin = async |action: &str| {
        let path = format!("plugins:{action}?filterByTk=workflow-approval&force=1");
        office.blog.admin.post(&path, json!({"force": true})).await.ok();
    };
    plugin("disable").await;
    let refused = office.people[0].answer(&task, "approve", json!({})).await;
    assert_eq!((refused.status, refused.code()), (503, Some("NODE_UNAVAILABLE")), "{}", refused.body);
    assert_eq!(refused.message(), "nobody offers \"approval\" nodes now: nothing was done, please try again later");
    assert_eq!(office.people[0].task().await["id"], task["id"], "it is still open");
    plugin("enable").await;
    plugin("upgrade").await;
    office.people[0].answer(&task, "approve", json!({})).await.ok();
    assert_eq!(office.ends(&workflow).await, 1);
}

#[tokio::test]
async fn what_it_fits_and_offers_is_told() {
    let office = Office::open(0).await;
    let admin = &office.blog.admin;
    let found = async |path: &str, name: &str| {
        let all = admin.get(path).await.ok();
        all.as_array().expect("a list").iter().find(|it| it[name] == "approval").expect("the type").clone()
    };
    let event = found("workflows:triggers", "id").await;
    assert_eq!(event["binding"]["buttons"], json!(["formSubmit", "updateRecord"]));
    assert_eq!(event["binding"]["modes"], json!(["async"]));
    let node = found("workflows:nodeTypes", "type").await;
    assert_eq!((&node["plugin"], &node["title"]["fr"]), (&json!("workflow-approval"), &json!("Approbation")));
    let branches: Vec<_> =
        node["branches"].as_array().expect("branches").iter().map(|it| it["index"].clone()).collect();
    assert_eq!(branches, [1, 0, 2]);
    assert!(node["configSchema"]["properties"]["assignees"].is_object(), "{node}");
    let event = json!({"type": "approval", "config": {"collection": "posts"}});
    let workflow = admin.post("workflows:create", event).await.ok()["id"].clone();
    let nodes = format!("workflows/{workflow}/nodes:create");
    for (config, message) in [
        (json!({"title": "t"}), "\"assignees\" or \"roles\" is required"),
        (json!({"assignees": [1]}), "\"title\" is required"),
        (
            json!({"assignees": [1], "title": "t", "mode": "some"}),
            "\"mode\" must be one of [\"any\",\"all\",\"share\",\"sequential\"]",
        ),
        (json!({"assignees": [1], "title": "t", "form": {"type": "moon"}}), "\"form\" is no JSON Schema"),
    ] {
        let refused = admin.post(&nodes, json!({"type": "approval", "config": config})).await;
        assert_eq!(refused.status, 400, "{}", refused.body);
        assert!(refused.message().starts_with(message), "{}", refused.body);
    }
}
