//! Buttons and their bindings as a console manages them.

use serde_json::{Value, json};

use crate::harness::{Client, Running};

/// An enabled workflow on a collection; answers its key.
async fn workflow(root: &Client, collection: &str) -> String {
    let values = json!({"type": "action", "enabled": true, "title": collection, "config": {"collection": collection}});
    root.post("workflows:create", values).await.data()["key"].as_str().expect("a key").to_owned()
}

/// The bindings of a button as `key!path`, in order.
async fn bound(root: &Client, button: &str) -> Vec<String> {
    let bindings = root.get(&format!("buttons/{button}/bindings:list")).await.data();
    let entry = |binding: &Value| {
        let text = |name: &str| binding[name].as_str().expect("a text").to_owned();
        format!("{}!{}", text("workflowKey"), text("path"))
    };
    bindings.as_array().expect("a list").iter().map(entry).collect()
}

#[tokio::test]
async fn a_button_is_made_found_changed_and_deleted() {
    let running = Running::start().await;
    let root = running.root().await;
    root.make_posts().await;
    let posts = workflow(&root, "posts").await;
    let categories = workflow(&root, "categories").await;

    let values = json!({"key": "form-1.submit", "type": "formSubmit", "collection": "posts", "title": "Submit",
        "blockId": "b1", "blockTitle": "New post", "bindings": [
            {"workflowKey": categories, "path": "category"}, {"workflowKey": posts}]});
    let made = root.post("buttons:create", values).await.data();
    assert_eq!((&made["key"], &made["broken"]), (&json!("form-1.submit"), &Value::Null));
    let first = &made["bindings"][0];
    assert_eq!((&first["path"], &first["position"], &first["broken"]), (&json!("category"), &json!(1), &Value::Null));
    assert_eq!((&first["workflow"]["title"], &first["workflow"]["sync"]), (&json!("categories"), &json!(false)));

    let other = root.post("buttons:create", json!({"type": "deleteRecord", "collection": "categories"})).await.data();
    assert_eq!(other["key"].as_str().map(str::len), Some(11), "a key is made: {other}");
    assert_eq!(root.get("buttons:get/form-1.submit").await.data(), made);
    let listed = root.get("buttons:list?filter[collection]=posts&filter[type]=formSubmit").await;
    assert_eq!((&listed.1["data"], &listed.1["meta"]["count"]), (&json!([made]), &json!(1)));
    assert_eq!(root.get("buttons:list").await.1["meta"]["count"], 2);

    let changed = root.post("buttons:update/form-1.submit", json!({"title": null, "blockTitle": "Post"})).await.data();
    assert_eq!((&changed[0]["title"], &changed[0]["blockTitle"]), (&Value::Null, &json!("Post")));
    assert_eq!((&changed[0]["blockId"], &changed[0]["bindings"]), (&json!("b1"), &made["bindings"]));
    assert_eq!(root.post("buttons:destroy/form-1.submit", json!({})).await.data(), 1);
    assert_eq!(root.get("buttons:get/form-1.submit").await.refusal(), (404, "NOT_FOUND"));
    assert_eq!(root.get("buttons/form-1.submit/bindings:list").await.refusal(), (404, "NOT_FOUND"));
}

#[tokio::test]
async fn a_list_of_bindings_is_changed_in_every_way() {
    let running = Running::start().await;
    let root = running.root().await;
    root.make_posts().await;
    root.post("buttons:create", json!({"key": "b", "type": "formSubmit", "collection": "posts"})).await.data();
    let (one, two) = (workflow(&root, "posts").await, workflow(&root, "posts").await);
    let three = workflow(&root, "categories").await;
    let create = async |values: Value| root.post("buttons/b/bindings:create", values).await.data();
    let all = |order: [&str; 3]| order.map(|key| format!("{key}!{}", if key == three { "category" } else { "" }));

    let first = create(json!({"workflowKey": one})).await;
    create(json!({"workflowKey": two, "position": 1})).await;
    let last = create(json!({"workflowKey": three, "path": "category", "position": 99})).await;
    assert_eq!((&last["position"], &last["workflow"]["title"]), (&json!(3), &json!("categories")));
    assert_eq!(bound(&root, "b").await, all([&two, &one, &three]));

    let moved = root.post(&format!("buttons/b/bindings:move/{}", last["id"]), json!({"position": 1})).await.data();
    assert_eq!((&moved[0]["id"], &moved[0]["position"]), (&last["id"], &json!(1)));
    assert_eq!(bound(&root, "b").await, all([&three, &two, &one]));

    let fourth = workflow(&root, "posts").await;
    let update = format!("buttons/b/bindings:update/{}", first["id"]);
    let updated = root.post(&update, json!({"workflowKey": fourth})).await.data();
    assert_eq!((&updated[0]["id"], &updated[0]["workflowKey"]), (&first["id"], &json!(fourth)));
    assert_eq!(root.get(&format!("buttons/b/bindings:get/{}", first["id"])).await.data(), updated[0]);

    let set = json!([{"workflowKey": one}, {"workflowKey": fourth}]);
    let set = root.post("buttons/b/bindings:set", set).await.data();
    assert_eq!(set[1]["id"], first["id"], "what stays keeps its id");
    assert_eq!(bound(&root, "b").await, [format!("{one}!"), format!("{fourth}!")]);
    let destroy = format!("buttons/b/bindings:destroy?filterByTk[]={}&filterByTk[]=987654", first["id"]);
    assert_eq!(root.post(&destroy, json!({})).await.data(), 1);
    assert_eq!(bound(&root, "b").await, [format!("{one}!")]);
    root.post("buttons/b/bindings:set", json!([])).await.data();
    assert!(bound(&root, "b").await.is_empty());
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_in_a_sentence_and_changes_nothing() {
    let running = Running::start().await;
    let root = running.root().await;
    root.make_posts().await;
    let posts = workflow(&root, "posts").await;
    let categories = workflow(&root, "categories").await;
    let values = json!({"type": "action", "title": "Sleeps", "config": {"collection": "posts"}});
    let disabled = root.post("workflows:create", values).await.data()["key"].clone();
    root.post(
        "buttons:create",
        json!({"key": "b", "type": "formSubmit", "collection": "posts",
        "bindings": [{"workflowKey": posts}]}),
    )
    .await
    .data();
    let before = root.get("buttons:get/b").await.data();

    for (binding, sentence) in [
        (json!({}), "\"workflowKey\" is required"),
        (json!({"workflowKey": 1}), "\"workflowKey\" must be a string"),
        (json!({"workflowKey": "nobody"}), "no workflow has the key \"nobody\""),
        (json!({"workflowKey": disabled}), "the workflow \"Sleeps\" is not enabled"),
        (
            json!({"workflowKey": categories}),
            "the workflow \"categories\" is for records of \"categories\", and would get records of \"posts\"",
        ),
        (
            json!({"workflowKey": categories, "path": "title"}),
            "\"title\" in the path \"title\" is no association of \"posts\"",
        ),
        (
            json!({"workflowKey": categories, "path": "category.nosuch"}),
            "\"nosuch\" in the path \"category.nosuch\" is no association of \"categories\"",
        ),
        (json!({"workflowKey": posts}), &format!("the workflow \"{posts}\" is bound to this button already")),
        (json!({"workflowKey": categories, "path": "x".repeat(256)}), "\"path\" is longer than 255 bytes"),
        (json!({"workflowKey": categories, "position": 0}), "\"position\" must be a whole number from 1"),
    ] {
        for (path, body) in [
            ("buttons/b/bindings:create", binding.clone()),
            ("buttons/b/bindings:set", json!([{"workflowKey": posts}, binding])),
            (
                "buttons:create",
                json!({"key": "new", "type": "formSubmit", "collection": "posts",
                "bindings": [{"workflowKey": posts}, binding]}),
            ),
        ] {
            if binding.get("position").is_some() && path != "buttons/b/bindings:create" {
                continue;
            }
            let answer = root.post(path, body).await;
            assert_eq!((answer.0, answer.1["errors"][0]["message"].as_str()), (400, Some(sentence)), "{path}");
        }
    }
    for (path, body, refusal) in [
        ("buttons/b/bindings:set", Value::Null, (400, "INVALID_BODY")),
        ("buttons/b/bindings:set", json!({}), (400, "INVALID_BODY")),
        ("buttons/b/bindings:set", json!(["x"]), (400, "INVALID_BODY")),
        ("buttons/b/bindings:move/987654", json!({"position": 1}), (404, "NOT_FOUND")),
        ("buttons/b/bindings:move/1", json!({}), (400, "REQUIRED")),
        ("buttons/b/bindings:update/987654", json!({"path": ""}), (404, "NOT_FOUND")),
        ("buttons/b/bindings:destroy", json!({}), (400, "FILTER_REQUIRED")),
        ("buttons/nobody/bindings:create", json!({"workflowKey": posts}), (404, "NOT_FOUND")),
        (
            "buttons:create",
            json!({"key": "b", "type": "formSubmit", "collection": "posts"}),
            (400, "key already exists"),
        ),
        ("buttons:create", json!({"key": "a/b", "type": "formSubmit", "collection": "posts"}), (400, "INVALID_VALUE")),
        ("buttons:create", json!({"type": "nosuch", "collection": "posts"}), (400, "INVALID_BINDING")),
        ("buttons:create", json!({"type": "formSubmit", "collection": "nosuch"}), (400, "INVALID_BINDING")),
        ("buttons:create", json!({"collection": "posts"}), (400, "REQUIRED")),
        ("buttons:create", json!({"type": "formSubmit", "collection": "posts", "title": 1}), (400, "INVALID_VALUE")),
        ("buttons:update/b", json!({"collection": "categories"}), (400, "INVALID_VALUE")),
        ("buttons:update/nobody", json!({"title": "x"}), (404, "NOT_FOUND")),
        ("buttons:nosuch", json!({}), (404, "UNKNOWN_ACTION")),
        ("collections:create", json!({"name": "buttons", "fields": []}), (400, "NAME_TAKEN")),
    ] {
        assert_eq!(root.post(path, body.clone()).await.refusal(), refusal, "{path} {body}");
    }
    assert_eq!(root.get("buttons:list").await.data(), json!([before]), "nothing was changed");
}

#[tokio::test]
async fn the_matrix_and_the_choices_come_from_the_plugins() {
    let running = Running::start().await;
    let root = running.root().await;
    root.make_posts().await;
    let tags = json!({"name": "tags", "type": "hasMany", "target": "categories", "foreignKey": "postId"});
    root.post("collections/posts/fields:create", tags).await.data();
    let (posts, categories) = (workflow(&root, "posts").await, workflow(&root, "categories").await);
    let off = root.post("workflows:create", json!({"type": "action", "config": {"collection": "posts"}})).await.data();

    let trigger = root.get("workflows:triggers").await.data()[0].clone();
    let info = root.get("buttons:info").await.data();
    assert_eq!(info["strictBindings"], false);
    let types: Vec<(&str, &Value)> = info["types"]
        .as_array()
        .expect("types")
        .iter()
        .map(|kind| (kind["type"].as_str().expect("a name"), &kind["triggerTypes"]))
        .collect();
    let names: Vec<&str> = types.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["formSubmit", "updateRecord", "deleteRecord", "triggerWorkflow"]);
    for (name, fitting) in types {
        let offered = trigger["binding"]["buttons"].as_array().expect("buttons").contains(&json!(name));
        assert_eq!(*fitting == json!(["action"]), offered, "{name}: {fitting}");
    }
    assert_eq!(info["types"][2]["actions"], json!(["destroy"]));
    for told in ["data", "modes", "variables"] {
        assert!(trigger["binding"][told].is_array(), "{told} in {trigger}");
    }

    let about = json!({"type": "formSubmit", "collection": "posts"});
    let choices = root.post("buttons:options", about.clone()).await.data();
    let keys: Vec<&Value> = choices.as_array().expect("a list").iter().map(|choice| &choice["workflowKey"]).collect();
    assert_eq!(keys, [&json!(posts), &json!(categories)], "without {}", off["key"]);
    assert_eq!(choices[0]["paths"], json!([{"path": "", "cardinality": "one"}]));
    let paths = json!([{"path": "category", "cardinality": "one"}, {"path": "tags", "cardinality": "many"}]);
    assert_eq!((&choices[1]["paths"], &choices[1]["collection"]), (&paths, &json!("categories")));
    root.post("buttons:create", {
        let mut values = about.clone();
        values["key"] = json!("b");
        values
    })
    .await
    .data();
    assert_eq!(root.get("buttons:options/b").await.data(), choices);
    for choice in choices.as_array().expect("a list") {
        for path in choice["paths"].as_array().expect("paths") {
            let binding = json!([{"workflowKey": choice["workflowKey"], "path": path["path"]}]);
            root.post("buttons/b/bindings:set", binding).await.data();
        }
    }
    let nothing = json!({"type": "triggerWorkflow", "collection": "posts"});
    assert_eq!(root.post("buttons:options", nothing).await.data(), json!([]));
}

#[tokio::test]
async fn who_may_see_the_collection_may_see_its_buttons_and_administrators_change_them() {
    let running = Running::start().await;
    let root = running.root().await;
    root.make_posts().await;
    let posts = workflow(&root, "posts").await;
    for (key, collection) in [("b", "posts"), ("c", "categories")] {
        root.post("buttons:create", json!({"key": key, "type": "formSubmit", "collection": collection})).await.data();
    }
    root.post("buttons/b/bindings:create", json!({"workflowKey": posts})).await.data();
    let rights = json!({"name": "posts", "actions": [{"name": "view"}]});
    root.post("roles/member/dataSourceResources:create", rights).await.data();
    let user = json!({"username": "m", "email": "m@example.com", "password": "a-password-of-m", "roles": ["member"]});
    root.post("users:create", user).await.data();
    let member = running.sign_in("m", "a-password-of-m").await;

    assert_eq!(member.get("buttons:get/b").await.data(), root.get("buttons:get/b").await.data());
    assert_eq!(bound(&member, "b").await, [format!("{posts}!")]);
    let listed = member.get("buttons:list").await;
    assert_eq!((&listed.1["data"][0]["key"], &listed.1["meta"]["count"]), (&json!("b"), &json!(1)));
    for path in ["buttons:get/c", "buttons/c/bindings:list", "buttons:options/b", "buttonBindings:list"] {
        assert_eq!(member.get(path).await.refusal(), (403, "No permissions"), "{path}");
    }
    for path in [
        "buttons:create",
        "buttons:update/b",
        "buttons:destroy/b",
        "buttons/b/bindings:create",
        "buttons/b/bindings:update/1",
        "buttons/b/bindings:move/1",
        "buttons/b/bindings:destroy/1",
        "buttons/b/bindings:set",
    ] {
        assert_eq!(member.post(path, json!({})).await.refusal(), (403, "No permissions"), "{path}");
    }
    assert_eq!(running.nobody().get("buttons:list").await.refusal(), (401, "EMPTY_TOKEN"));
    let nobodys = root.post("buttonBindings:create", json!({"buttonKey": "b", "workflowKey": "x"})).await;
    assert_eq!(nobodys.refusal(), (404, "UNKNOWN_ACTION"), "there is one way in");
}
