//! Workflows that wait with the dates of records.

use serde_json::{Value, json};

use super::{DAY, HOUR, MINUTE, START, Scene, at};

/// events(title, from, until, category → categories).
async fn events(scene: &Scene) {
    let text = |name: &str| json!({"name": name, "type": "string"});
    let date = |name: &str| json!({"name": name, "type": "date"});
    let category = json!({"name": "category", "type": "belongsTo", "target": "categories", "foreignKey": "categoryId"});
    let categories = json!({"name": "categories", "fields": [text("title")]});
    scene.root.post("collections:create", categories).await.data();
    let events = json!({"name": "events", "fields": [text("title"), date("from"), date("until"), category]});
    scene.root.post("collections:create", events).await.data();
}

async fn create(scene: &Scene, title: &str, from: Value) -> i64 {
    let values = json!({"title": title, "from": from, "category": {"title": "News"}});
    scene.root.post("events:create", values).await.data()["id"].as_i64().expect("an id")
}

/// An hour before `from`.
fn reminder() -> Value {
    json!({"mode": 1, "collection": "events", "startsOn": {"field": "from", "offset": -1, "unit": HOUR}})
}

fn titles(contexts: &[Value]) -> Vec<&str> {
    contexts.iter().map(|context| context["data"]["title"].as_str().expect("a title")).collect()
}

#[tokio::test]
async fn each_record_starts_it_by_its_own_date() {
    let scene = Scene::set_up().await;
    events(&scene).await;
    create(&scene, "made before the workflow", json!(at(3 * HOUR))).await;
    create(&scene, "gone by", json!(at(HOUR / 2))).await;
    create(&scene, "without a date", Value::Null).await;
    let mut config = reminder();
    config["appends"] = json!(["category"]);
    let workflow = scene.schedule(config).await;
    create(&scene, "made after it", json!(at(5 * HOUR))).await;
    let moved = create(&scene, "moved", json!(at(3 * HOUR))).await;
    let deleted = create(&scene, "deleted", json!(at(4 * HOUR))).await;
    let dated = create(&scene, "dated later", Value::Null).await;

    scene.clock.set(START + HOUR);
    let path = |id: i64| format!("events:update?filterByTk={id}");
    scene.root.post(&path(moved), json!({"from": at(6 * HOUR)})).await.data();
    scene.root.post(&path(dated), json!({"from": at(7 * HOUR)})).await.data();
    scene.root.post(&format!("events:destroy?filterByTk={deleted}"), json!({})).await.data();
    for hour in 2..=8 {
        scene.clock.set(START + hour * HOUR);
        scene.settle().await;
    }
    let contexts = scene.started(workflow, 4).await;
    assert_eq!(titles(&contexts), ["made before the workflow", "made after it", "moved", "dated later"]);
    assert_eq!(scene.dates(workflow, 4).await, [2, 4, 5, 6].map(|hour| hour * HOUR));
    assert_eq!(contexts[0]["data"]["category"]["title"], "News");
}

#[tokio::test]
async fn a_date_that_changes_counts_anew_and_one_in_the_past_has_passed() {
    let scene = Scene::set_up().await;
    events(&scene).await;
    let mut config = reminder();
    config["missed"] = json!("all");
    let workflow = scene.schedule(config).await;
    let id = create(&scene, "first", json!(at(2 * HOUR))).await;
    let path = format!("events:update?filterByTk={id}");
    scene.clock.set(START + HOUR);
    assert_eq!(scene.dates(workflow, 1).await, [HOUR]);
    scene.root.post(&path, json!({"title": "second"})).await.data();
    scene.settle().await;
    assert_eq!(scene.contexts(workflow).await.len(), 1, "nothing that matters has changed");
    scene.root.post(&path, json!({"from": at(5 * HOUR)})).await.data();
    scene.clock.set(START + 4 * HOUR);
    assert_eq!(titles(&scene.started(workflow, 2).await), ["first", "second"]);
    scene.clock.set(START + 9 * HOUR);
    scene.root.post(&path, json!({"from": at(8 * HOUR)})).await.data();
    scene.settle().await;
    assert_eq!(scene.contexts(workflow).await.len(), 2);

    // What changes while it is off is seen when it is on again.
    scene.switch(workflow, false).await;
    scene.root.post(&path, json!({"from": at(12 * HOUR)})).await.data();
    scene.clock.set(START + 10 * HOUR);
    scene.switch(workflow, true).await;
    scene.clock.set(START + 11 * HOUR);
    assert_eq!(scene.dates(workflow, 3).await[2], 11 * HOUR);
}

#[tokio::test]
async fn a_record_repeats_within_its_own_limits() {
    let scene = Scene::set_up().await;
    events(&scene).await;
    let daily = json!({
        "mode": 1, "collection": "events", "startsOn": {"field": "from"}, "endsOn": {"field": "until"},
        "repeat": DAY, "limit": 3, "missed": "all",
    });
    let workflow = scene.schedule(daily).await;
    let values = |title: &str, until: Value| json!({"title": title, "from": at(HOUR), "until": until});
    let both = [values("limited", Value::Null), values("ended", json!(at(DAY + 2 * HOUR)))];
    for values in both {
        scene.root.post("events:create", values).await.data();
    }
    let scene = scene.stop_until(START + 9 * DAY).await;
    scene.settle().await;
    let contexts = scene.started(workflow, 5).await;
    let of =
        |title: &str| contexts.iter().filter(|context| context["data"]["title"] == title).map(super::date).collect();
    let (limited, ended): (Vec<i64>, Vec<i64>) = (of("limited"), of("ended"));
    assert_eq!((limited, ended), (vec![HOUR, HOUR + DAY, HOUR + 2 * DAY], vec![HOUR, HOUR + DAY]));
}

#[tokio::test]
async fn a_person_may_run_it_with_a_record() {
    let scene = Scene::set_up().await;
    events(&scene).await;
    let workflow = scene.schedule(reminder()).await;
    let id = create(&scene, "by hand", json!(at(DAY))).await;
    let input = json!({"userId": 1, "data": id, "date": at(MINUTE)});
    scene.root.post(&format!("workflows:execute?filterByTk={workflow}"), input).await.data();
    let context = scene.contexts(workflow).await.remove(0);
    assert_eq!((super::date(&context), &context["data"]["title"]), (MINUTE, &json!("by hand")));
}

#[tokio::test]
async fn many_records_that_are_due_at_once_all_start_it() {
    let scene = Scene::set_up().await;
    events(&scene).await;
    let values: Vec<Value> = (0..250).map(|n| json!({"title": n.to_string(), "from": at(HOUR)})).collect();
    scene.root.post("events:create", values.into()).await.data();
    let workflow = scene.schedule(reminder()).await;
    scene.clock.set(START + 1);
    scene.root.post("events:update?filter[id.$gt]=0", json!({"from": at(2 * HOUR)})).await.data();
    scene.clock.set(START + HOUR);
    let contexts = scene.started(workflow, 250).await;
    let mut titles: Vec<u32> = titles(&contexts).into_iter().map(|title| title.parse().expect("a number")).collect();
    titles.sort_unstable();
    assert_eq!(titles, (0..250).collect::<Vec<u32>>());
}
