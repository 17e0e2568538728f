//! Adding, changing and removing further databases while the host runs.

use std::path::Path;

use serde_json::{Value, json};

use super::erp::{Erp, KEY, Scene};
use crate::harness::{Client, Fleet, Host, HostOptions, eventually, fleet::elsewhere};

async fn get(admin: &Client) -> Value {
    admin.get(&format!("dataSources:get?filterByTk={KEY}")).await.ok()
}

async fn until(admin: &Client, state: &str) -> Value {
    eventually(&format!("the data source is {state}"), async || {
        Some(get(admin).await).filter(|source| source["state"] == state)
    })
    .await
}

#[test_database::test_all]
async fn a_data_source_comes_changes_and_goes() {
    let scene = &Scene::new().await;
    let (admin, there) = (&scene.blog.admin, &scene.there);
    assert_eq!(scene.told().await["collections"], json!(3));
    let twice = admin.post("dataSources:create", json!({"key": KEY, "url": scene.erp.url()})).await;
    assert_eq!((twice.status, twice.message()), (400, "key already exists"));

    let update = format!("dataSources:update?filterByTk={KEY}");
    admin.post(&update, json!({"enabled": false})).await.ok();
    let off = there.get("orders:list").await;
    assert_eq!((off.status, off.code()), (400, Some("DATA_SOURCE_DISABLED")));
    let on = admin.post(&update, json!({"enabled": true, "tables": ["orders"], "displayName": "Orders"})).await.ok();
    assert_eq!((&on[0]["state"], &on[0]["collections"]), (&json!("connected"), &json!(1)), "{on}");
    assert_eq!(there.get("customers:list").await.status, 404);
    let wrong = admin.post(&update, json!({"key": "other"})).await;
    assert_eq!((wrong.status, wrong.code()), (400, Some("INVALID_VALUE")));

    assert_eq!(admin.post(&format!("dataSources:destroy?filterByTk={KEY}"), json!({})).await.ok(), json!(1));
    let gone = there.get("orders:list").await;
    assert_eq!((gone.status, gone.code()), (400, Some("UNKNOWN_DATA_SOURCE")));
    assert_eq!(admin.get("dataSources:list").await.ok(), json!([]));
}

#[test_database::test_all]
async fn its_structure_is_read_and_read_again_but_never_changed() {
    let scene = &Scene::new().await;
    let (admin, there) = (&scene.blog.admin, &scene.there);
    let listed = there.get("collections:list?paginate=false").await.ok();
    let names: Vec<&str> = listed.as_array().expect("a list").iter().filter_map(|it| it["name"].as_str()).collect();
    assert_eq!(names, ["customers", "orders", "users"]);
    let orders = there.get("collections:get/orders").await.ok();
    assert_eq!(orders["filterTargetKey"], json!("id"), "{orders}");
    let fields = there.get("collections/orders/fields:list").await.ok();
    let customer = fields.as_array().expect("a list").iter().find(|field| field["name"] == "customer");
    assert_eq!(
        customer.map(|field| (&field["type"], &field["target"])),
        Some((&json!("belongsTo"), &json!("customers")))
    );
    for path in ["collections:create", "collections:destroy/orders", "collections/orders/fields:create"] {
        let refused = there.post(path, json!({"name": "x", "type": "string"})).await;
        assert_eq!((refused.status, refused.code()), (400, Some("FOREIGN_STRUCTURE")), "{path}");
    }

    scene.erp.execute("CREATE TABLE parcels (id INTEGER PRIMARY KEY, code TEXT)").await;
    assert_eq!(there.get("parcels:list").await.status, 404);
    let told = admin.post(&format!("dataSources:refresh?filterByTk={KEY}"), json!({})).await.ok();
    assert_eq!(told["collections"], json!(4));
    assert_eq!(there.get("parcels:list").await.ok(), json!([]));
}

#[test_database::test_all]
async fn passwords_stay_inside() {
    let erp = &Erp::new().await;
    let host = Host::start_with(erp.options()).await;
    let admin = host.admin().await;
    let url = "postgres://ann:s3cret-pw@127.0.0.1:1/erp";
    let made = admin.post("dataSources:create", json!({"key": KEY, "url": url, "enabled": false})).await.ok();
    assert_eq!(made["url"], json!("postgres://ann:***@127.0.0.1:1/erp"));
    let update = format!("dataSources:update?filterByTk={KEY}");
    admin.post(&update, json!({"url": made["url"], "enabled": true})).await.ok();
    let elsewhere = admin.post(&update, json!({"url": "postgres://ann:***@evil.example/erp"})).await;
    assert_eq!((elsewhere.status, elsewhere.code()), (400, Some("INVALID_VALUE")));
    let tested = admin.post(&format!("dataSources:test?filterByTk={KEY}"), json!({})).await;
    assert_eq!((tested.status, tested.code()), (400, Some("DATA_SOURCE_UNREACHABLE")));
    let failed = until(&admin, "failed").await;
    assert!(failed["error"].is_string());
    let listed = admin.get("dataSources:list").await;
    for text in [made, failed, listed.body, tested.body].map(|body| body.to_string()) {
        assert!(!text.contains("s3cret-pw"), "{text}");
    }
    assert!(!host.log().contains("s3cret-pw"));
}

#[test_database::test_all]
async fn only_administrators_see_and_change_data_sources() {
    let scene = &Scene::new().await;
    let user = json!({"username": "ann", "password": "a-password-of-hers", "roles": ["member"]});
    scene.blog.admin.post("users:create", user).await.ok();
    let ann = Client::sign_in(scene.host.base_url(), "ann", "a-password-of-hers").await;
    for path in ["list", "get?filterByTk=erp", "create", "update?filterByTk=erp", "destroy?filterByTk=erp", "test"] {
        assert_eq!(ann.post(&format!("dataSources:{path}"), json!({})).await.status, 403, "{path}");
    }
    let nobody = Client::anonymous(scene.host.base_url()).at("nosuch").get("orders:list").await;
    assert_eq!(nobody.status, 401, "who is not signed in is not told what there is");
}

#[test_database::test_all]
async fn bad_descriptions_are_refused_and_nothing_is_stored() {
    let erp = &Erp::new().await;
    let host = Host::start_with(erp.options()).await;
    let admin = host.admin().await;
    let outside = tempfile::tempdir().expect("a folder");
    std::fs::write(outside.path().join("x.db"), "").expect("a file");
    let file = format!("sqlite:{}", outside.path().join("x.db").display());
    for (body, code) in [
        (json!({"url": erp.url()}), "REQUIRED"),
        (json!({"key": "main", "url": erp.url()}), "key already exists"),
        (json!({"key": "a b", "url": erp.url()}), "INVALID_NAME"),
        (json!({"key": KEY}), "REQUIRED"),
        (json!({"key": KEY, "url": "redis://x"}), "INVALID_VALUE"),
        (json!({"key": KEY, "url": erp.url(), "tabels": []}), "INVALID_VALUE"),
        (json!({"key": KEY, "url": file}), "INVALID_VALUE"),
        (json!({"key": KEY, "url": format!("sqlite:{}", host.data_dir().join("host.db").display())}), "INVALID_VALUE"),
    ] {
        let answer = admin.post("dataSources:create", body.clone()).await;
        assert_eq!((answer.status, answer.code().unwrap_or(answer.message())), (400, code), "{body}");
    }
    assert_eq!(admin.get("dataSources:list").await.ok(), json!([]));
}

#[tokio::test]
async fn one_that_cannot_be_reached_stops_nobody_and_is_tried_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let environment = vec![("HOST_DATA_SOURCE_FOLDER", folder.path().display().to_string())];
    let host = Host::start_with(HostOptions { environment, ..HostOptions::default() }).await;
    let admin = host.admin().await;
    let file = folder.path().join("erp.db");
    std::fs::write(&file, "").expect("the file is made");
    admin.post("dataSources:create", json!({"key": KEY, "url": "sqlite:erp.db"})).await.ok();
    std::fs::remove_file(&file).expect("it is taken away");
    let host = host.crash_and_restart().await;
    let admin = host.admin().await;
    until(&admin, "failed").await;
    let answer = admin.at(KEY).get("orders:list").await;
    assert_eq!((answer.status, answer.code()), (503, Some("DATA_SOURCE_UNAVAILABLE")));
    assert_eq!(admin.get("users:list").await.status, 200, "main goes on");
    let config = json!({"collection": "erp:orders"});
    let workflow = admin.post("workflows:create", json!({"type": "action", "config": config})).await;
    assert_eq!((workflow.status, workflow.code()), (503, Some("DATA_SOURCE_UNAVAILABLE")));

    make_orders(&file).await;
    until(&admin, "connected").await;
    assert_eq!(admin.at(KEY).get("orders:list").await.ok(), json!([]));
}

async fn make_orders(file: &Path) {
    use sqlx::{ConnectOptions as _, Executor as _};
    // Elsewhere first: the host must not find half of it.
    let draft = file.with_extension("draft");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&draft).create_if_missing(true);
    let mut connection = options.connect().await.expect("a connection");
    connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, title TEXT)").await.expect("a table");
    sqlx::Connection::close(connection).await.expect("closed");
    std::fs::rename(draft, file).expect("it is put there");
}

#[tokio::test]
async fn what_is_added_at_one_host_is_there_at_all() {
    let Some(fleet) = Fleet::new() else { return };
    let erp = &Erp::new().await;
    let (first, second) = (fleet.host("both").await, fleet.host("both").await);
    let admin = first.admin().await;
    admin.post("dataSources:create", json!({"key": KEY, "url": erp.url()})).await.ok();
    let there = elsewhere(&admin, &second).at(KEY);
    there.post("customers:create", json!({"name": "Ann"})).await.ok();
    assert_eq!(admin.at(KEY).get("customers:list").await.ok()[0]["name"], json!("Ann"));
    admin.post(&format!("dataSources:update?filterByTk={KEY}"), json!({"enabled": false})).await.ok();
    assert_eq!(there.get("customers:list").await.code(), Some("DATA_SOURCE_DISABLED"));
    admin.post(&format!("dataSources:destroy?filterByTk={KEY}"), json!({})).await.ok();
    assert_eq!(there.get("customers:list").await.code(), Some("UNKNOWN_DATA_SOURCE"));
}
