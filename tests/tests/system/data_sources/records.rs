//! The same actions on the records of a further database, and who may do them.

use serde_json::json;

use super::erp::{KEY, Scene};
use crate::harness::Client;

#[test_database::test_all]
async fn records_of_a_further_database_are_read_and_written_like_others() {
    let Scene { there, .. } = &Scene::new().await;
    let customer = there.post("customers:create", json!({"name": "Ann"})).await.ok();
    let order = json!({"title": "Chairs", "amount": "120.50", "customer_id": customer["id"]});
    let order = there.post("orders:create", order).await.ok();
    assert_eq!((&order["title"], &order["customer_id"]), (&json!("Chairs"), &customer["id"]));
    there.post("orders:create", json!([{"title": "Desks", "amount": "900"}, {"title": "Lamps"}])).await.ok();

    let found = there.get("orders:list?filter={\"amount.$gt\":100}&sort=-amount&fields=title").await;
    assert_eq!((found.status, &found.body["meta"]["count"]), (200, &json!(2)), "{}", found.body);
    assert_eq!(found.body["data"][0]["title"], json!("Desks"));
    let filter = format!("orders:list?filter={}", json!({"customer.name": "Ann"}));
    assert_eq!(there.get(&filter).await.ok()[0]["title"], json!("Chairs"));
    let whole = there.get(&format!("orders:get/{}?appends=customer", order["id"])).await.ok();
    assert_eq!(whole["customer"]["name"], json!("Ann"), "{whole}");

    let path = format!("orders:update/{}", order["id"]);
    assert_eq!(there.post(&path, json!({"status": "sent"})).await.ok()[0]["status"], json!("sent"));
    let again = json!({"title": "Chairs", "status": "paid"});
    assert_eq!(there.post("orders:updateOrCreate?filterKeys=title", again).await.ok()[0]["id"], order["id"]);
    let lamp = there.post("orders:firstOrCreate?filterKeys=title", json!({"title": "Lamps"})).await.ok();
    assert_eq!(there.post(&format!("orders:destroy/{}", lamp["id"]), json!({})).await.ok(), json!(1));
    assert_eq!(there.get("orders:list?sort=id&fields=status").await.ok()[0]["status"], json!("paid"));

    let wrong = there.post("orders:create", json!({"title": "x", "nosuch": 1})).await;
    assert_eq!((wrong.status, wrong.code()), (400, Some("UNKNOWN_FIELD")));
    let absent = there.get("posts:list").await;
    assert_eq!((absent.status, absent.code()), (404, Some("UNKNOWN_RESOURCE")), "main's collections are not there");
}

#[test_database::test_all]
async fn names_that_main_knows_too_are_somebody_elses_there() {
    let Scene { there, blog, .. } = &Scene::new().await;
    let user = there.post("users:create", json!({"login": "ann"})).await.ok();
    assert_eq!(there.get("users:list").await.ok().as_array().map(Vec::len), Some(1), "{user}");
    assert_eq!(blog.admin.get("users:list?fields=username").await.ok().as_array().map(Vec::len), Some(1));
    let nothing = there.get("workflows:list").await;
    assert_eq!((nothing.status, nothing.code()), (404, Some("UNKNOWN_RESOURCE")), "what the host keeps is in main");
    assert_eq!(there.get("auth:check").await.ok()["roleName"], json!("root"));
}

async fn member(admin: &Client, base_url: &str, role: &str) -> Client {
    admin
        .post("roles:create", json!({"name": role, "strategy": {"actions": ["view", "create", "update", "destroy"]}}))
        .await
        .ok();
    let user = json!({"username": role, "password": "a-password-of-them", "roles": [role]});
    admin.post("users:create", user).await.ok();
    Client::sign_in(base_url, role, "a-password-of-them").await
}

#[test_database::test_all]
async fn rights_are_given_for_each_data_source() {
    let scene = &Scene::new().await;
    let admin = &scene.blog.admin;
    let clerk = member(admin, scene.host.base_url(), "clerk").await.at(KEY);
    assert_eq!(clerk.get("orders:list").await.status, 403, "what holds for all collections holds for main alone");
    // A right to a collection of the same name in main is none here.
    let elsewhere = json!({"name": "posts", "actions": [{"name": "view"}]});
    admin.post("roles/clerk/dataSourceResources:create", elsewhere).await.ok();

    let unknown = json!({"dataSourceKey": KEY, "name": "posts", "actions": [{"name": "view"}]});
    let unknown = admin.post("roles/clerk/dataSourceResources:create", unknown).await;
    assert_eq!((unknown.status, unknown.code()), (400, Some("UNKNOWN_COLLECTION")));
    let rights = json!({"dataSourceKey": KEY, "name": "orders", "actions": [
        {"name": "view", "fields": ["title"]}, {"name": "create", "fields": ["title", "status"]}]});
    admin.post("roles/clerk/dataSourceResources:create", rights).await.ok();
    clerk.post("orders:create", json!({"title": "Chairs", "amount": "5"})).await.ok();
    let seen = clerk.get("orders:list").await.ok();
    assert_eq!(seen, json!([{"id": 1, "title": "Chairs"}]), "neither the amount nor what was not theirs to set");
    assert_eq!(clerk.post("orders:update/1", json!({"title": "x"})).await.status, 403);
    assert_eq!(clerk.get("customers:list").await.status, 403);
    assert_eq!(clerk.get("collections:list").await.status, 403);
    assert_eq!(scene.there.get("orders:get/1").await.ok()["amount"], json!(null));

    admin.post(&format!("dataSources:destroy?filterByTk={KEY}"), json!({})).await.ok();
    let left = admin.get("roles/clerk/dataSourceResources:list").await.ok();
    assert_eq!(left.as_array().map(Vec::len), Some(1), "rights go with their data source: {left}");
}
