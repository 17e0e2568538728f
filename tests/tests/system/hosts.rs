//! Several hosts on one PostgreSQL database, as processes of their own. Without a server these tests are left out.

use std::time::Duration;

use serde_json::{Value, json};
use tests::cable::Outage;
use tokio::time::timeout;

use crate::harness::{
    Blog, Client, Fleet, Host, NewWorkflow, events::Events, eventually, fixture::data_of, fleet::elsewhere,
};

fn log(tag: &str) -> (&'static str, Value) {
    ("create", json!({"collection": "logs", "params": {"values": {"tag": tag}}}))
}

#[tokio::test]
async fn what_was_changed_at_one_host_holds_at_every_other_one_at_once() {
    let Some(fleet) = Fleet::new() else { return };
    let (here, there) = (fleet.host("both").await, fleet.host("both").await);
    let blog = Blog::set_up(here.admin().await).await;
    // One host's token is good at another one, which knows the new collections.
    let away = elsewhere(&blog.admin, &there);
    let create = async |title: &str| away.post("posts:create", json!({"title": title})).await;
    create("nobody waits").await.ok();

    // Changes are made here, and asked for there without a moment in between.
    let after = blog.workflow(NewWorkflow::on("posts").global(&["create"])).await;
    create("after").await.ok();
    let changed = blog.workflow(NewWorkflow::changes("posts", &["create"])).await;
    create("changed").await.ok();
    let before = blog.workflow(NewWorkflow::before("posts").global(&["create"]).refuses("not now")).await;
    let refused = create("refused").await;
    assert_eq!(refused.status, 400, "{refused:?}");
    blog.switch(&before, false).await;
    create("welcome again").await.ok();
    blog.switch(&after, false).await;
    create("not after").await.ok();
    let field = json!({"type": "string", "name": "subtitle"});
    blog.admin.post("collections/posts/fields:create", field).await.ok();
    away.post("posts:create", json!({"title": "with", "subtitle": "more"})).await.ok();

    let of = async |workflow, count| data_of(&blog.finished(workflow, count).await, "title");
    assert_eq!(of(&after, 3).await, ["after", "changed", "welcome again"]);
    assert_eq!(of(&changed, 4).await, ["changed", "welcome again", "not after", "with"]);
}

#[tokio::test]
async fn a_plugin_is_switched_at_all_hosts() {
    let Some(fleet) = Fleet::new() else { return };
    let (here, there) = (fleet.host("both").await, fleet.host("both").await);
    let admin = here.admin().await;
    let away = elsewhere(&admin, &there);
    let state = async |client: &Client| {
        let plugins = client.get("plugins:list").await.ok();
        let plugins = plugins.as_array().expect("a list").clone();
        let webhook = plugins.into_iter().find(|plugin| plugin["id"] == "workflow-webhook-trigger");
        webhook.expect("it is listed")["state"].clone()
    };
    let before = state(&away).await;
    admin.post("plugins:disable?filterByTk=workflow-webhook-trigger", json!({})).await.ok();
    let (mine, theirs) = (state(&admin).await, state(&away).await);
    assert_ne!(theirs, before);
    assert_eq!(theirs, mine);
    admin.post("plugins:enable?filterByTk=workflow-webhook-trigger", json!({})).await.ok();
    assert_eq!(state(&away).await, before);
}

#[tokio::test]
async fn what_was_switched_counts_more_than_the_manifest_of_a_host_that_starts_later() {
    let Some(fleet) = Fleet::new() else { return };
    let here = fleet.host("both").await;
    let admin = here.admin().await;
    let switch = async |action: &str| {
        admin.post(&format!("plugins:{action}?filterByTk=workflow-webhook-trigger"), json!({})).await.ok();
    };
    let state = async |host: &Host| {
        let plugin = elsewhere(&admin, host).get("plugins:get?filterByTk=workflow-webhook-trigger").await.ok();
        plugin["state"].as_str().expect("a state").to_owned()
    };
    switch("disable").await;
    let later = fleet.host("both").await;
    assert_eq!(state(&later).await, "disabled");
    switch("enable").await;
    assert_eq!(state(&later).await, "loaded");
    assert_eq!(state(&fleet.host("both").await).await, "loaded");
}

#[tokio::test]
async fn a_host_that_signs_with_another_secret_is_refused() {
    let Some(fleet) = Fleet::new() else { return };
    let here = fleet.host("both").await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut options = fleet.options("both");
    options.environment.push(("HOST_TOKEN_SECRET_FILE", folder.path().join("another").display().to_string()));
    let (status, said) = Host::refuse(&options);
    assert!(!status.success());
    assert!(said.contains("--token-secret-changed"), "{said}");
    drop(here);

    // On purpose, it is the one of all from then on.
    options.environment.push(("HOST_TOKEN_SECRET_CHANGED", "true".to_owned()));
    let changed = Host::start_with(options.clone()).await;
    changed.admin().await;
    options.environment.pop();
    Host::start_with(options).await.admin().await;
    let (status, said) = Host::refuse(&fleet.options("both"));
    assert!(!status.success() && said.contains("--token-secret-changed"), "{said}");
}

#[tokio::test]
async fn a_date_that_is_set_while_a_workflow_is_enabled_elsewhere_is_waited_for() {
    let Some(fleet) = Fleet::new() else { return };
    let here = fleet.host("both").await;
    let blog = Blog::set_up(here.admin().await).await;
    let due = json!({"type": "date", "name": "due"});
    blog.admin.post("collections/posts/fields:create", due).await.ok();
    // At the other host the transaction of an action lasts as long as a hook likes.
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (journal, go_on) = (folder.path().join("journal"), folder.path().join("go-on"));
    let mut options = fleet.options("both");
    options.manifest = format!(
        "[[plugin]]\nid = \"plugin-misbehaving\"\nlibrary = \"plugin_misbehaving\"\n\
         [plugin.settings]\njournal = {journal:?}\nslow_until = {go_on:?}\n\n{}",
        options.manifest
    );
    let slow = Host::start_with(options).await;
    let away = elsewhere(&blog.admin, &slow);
    let meanwhile = async {
        eventually("the action is under way", async || journal.exists().then_some(())).await;
        let reminder = json!({"mode": 1, "collection": "posts", "startsOn": {"field": "due"}});
        let reminder = blog.workflow(NewWorkflow::of("schedule", reminder)).await;
        // By the time that a later one has started, this one is kept the time for, or waits for the transaction.
        let later = blog.workflow(NewWorkflow::of("schedule", json!({"repeat": "* * * * * *"}))).await;
        blog.finished(&later, 1).await;
        std::fs::write(&go_on, "").expect("the file is written");
        reminder
    };
    // Later than the workflow is enabled.
    let due = (chrono::Utc::now() + Duration::from_secs(20)).to_rfc3339();
    let post = json!({"title": "remember", "due": due});
    let (made, reminder) = tokio::join!(away.post("posts:create", post), meanwhile);
    made.ok();
    assert_eq!(data_of(&blog.finished(&reminder, 1).await, "title"), ["remember"]);
}

#[tokio::test]
async fn one_host_answers_and_another_one_works() {
    let Some(fleet) = Fleet::new() else { return };
    let (desk, mut works) = (fleet.host("serve").await, fleet.host("work").await);
    let blog = Blog::set_up(desk.admin().await).await;
    let at_work = elsewhere(&blog.admin, &works).get("posts:list").await;
    assert_eq!(at_work.status, 404, "{at_work:?}");

    let later = blog.workflow(NewWorkflow::on("posts").node(log("later").0, log("later").1)).await;
    let at_once = blog.workflow(NewWorkflow::on("posts").sync().node(log("at once").0, log("at once").1)).await;
    let both = format!("{},{}", later.key, at_once.key);
    blog.create("posts", &both, json!({"title": "one"})).await.ok();
    assert_eq!(blog.executions(&at_once).await[0]["status"], 1, "run before the answer, by whoever answers");
    blog.finished(&later, 1).await;

    // Without anybody who works, what is queued waits.
    assert!(works.terminate().await.success());
    blog.create("posts", &both, json!({"title": "two"})).await.ok();
    assert_eq!(blog.executions(&at_once).await[1]["status"], 1);
    assert_eq!(blog.executions(&later).await[1]["status"], Value::Null);
    let _works = works.restart().await;
    blog.finished(&later, 2).await;
}

#[tokio::test]
async fn a_workflow_keeps_its_order_on_three_hosts_also_when_one_dies() {
    const POSTS: usize = 40;
    let Some(fleet) = Fleet::new() else { return };
    let hosts = [fleet.host("both").await, fleet.host("both").await, fleet.host("both").await];
    let blog = Blog::set_up(hosts[0].admin().await).await;
    let tag = json!({"collection": "logs", "params": {"values": {"tag": "{{$context.data.title}}"}}});
    let workflow = blog.workflow(NewWorkflow::on("posts").global(&["create"]).node("create", tag)).await;
    let create = async |host: &Host, name: &str| {
        let client = elsewhere(&blog.admin, host);
        for number in 0..POSTS {
            client.post("posts:create", json!({"title": format!("{name}{number}")})).await.ok();
        }
    };
    tokio::join!(create(&hosts[0], "a"), create(&hosts[1], "b"), create(&hosts[2], "c"));
    let [first, second, mut dies] = hosts;
    let (survivors, ()) =
        tokio::join!(async { tokio::join!(create(&first, "d"), create(&second, "e")) }, async { dies.kill() },);
    let ((), ()) = survivors;
    let executions = blog.finished(&workflow, 5 * POSTS).await;
    assert!(executions.iter().all(|execution| execution["status"] == 1));
    assert_eq!(
        json!(blog.log().await),
        json!(data_of(&executions, "title")),
        "each once, in the order of the executions"
    );
}

#[tokio::test]
async fn a_stream_tells_of_executions_that_another_host_runs() {
    let Some(fleet) = Fleet::new() else { return };
    let (desk, works) = (fleet.host("serve").await, fleet.host("both").await);
    let blog = Blog::set_up(desk.admin().await).await;
    let workflow = blog.workflow(NewWorkflow::on("posts").global(&["create"])).await;
    let mut events = Events::open(&blog.admin, "executions:stream").await;
    let away = elsewhere(&blog.admin, &works);
    // It takes a moment until the other host knows that somebody watches.
    let creating = eventually("nothing: it is given up", async || {
        away.post("posts:create", json!({"title": "x"})).await.ok();
        None::<()>
    });
    let hearing = events.until(|name, data| name == "execution" && data["status"] == 1);
    tokio::select! {
        () = creating => unreachable!("it does not end"),
        heard = hearing => {
            let (_, last) = heard.last().expect("an event");
            assert_eq!(last["workflowId"], workflow.id);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_loses_the_database_says_so_and_comes_back_by_itself() {
    loses_the_database(Outage::Break).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_does_it_wait_for_one_that_has_fallen_silent() {
    loses_the_database(Outage::Silence).await;
}

/// Longer than a host waits for a connection, or for the answer to a statement, on a loaded machine.
const ANSWERED_WITHIN: Duration = Duration::from_secs(20);

async fn loses_the_database(outage: Outage) {
    let Some(fleet) = Fleet::new() else { return };
    let (host, mut cable) = fleet.host_on_cable("both").await;
    let blog = Blog::set_up(host.admin().await).await;
    let workflow = blog.workflow(NewWorkflow::on("posts").global(&["create"]).node(log("done").0, log("done").1)).await;
    blog.admin.post("posts:create", json!({"title": "before"})).await.ok();
    blog.finished(&workflow, 1).await;

    cable.cut(outage).await;
    let lost = timeout(ANSWERED_WITHIN, blog.admin.post("posts:create", json!({"title": "lost"}))).await;
    let lost = lost.expect("an answer in time");
    assert_eq!(lost.status, 503, "{lost:?}: {}", host.log());
    let ready = async || reqwest::get(format!("{}/readyz", host.base_url())).await.expect("an answer").status();
    assert_eq!(ready().await, 503);

    cable.mend().await.expect("it is mended");
    eventually("the host is ready again", async || (ready().await == 200).then_some(())).await;
    blog.admin.post("posts:create", json!({"title": "after"})).await.ok();
    let executions = blog.finished(&workflow, 2).await;
    assert_eq!(data_of(&executions, "title"), ["before", "after"]);
    assert_eq!(blog.log().await.len(), 2);
    let titles: Vec<Value> =
        blog.admin.list("posts", json!({})).await.iter().map(|post| post["title"].clone()).collect();
    assert_eq!(titles, ["before", "after"], "nothing is half done");
}
