//! Deleting records, and what becomes of those that refer to them.

use serde_json::{Value, json};
use store::StoreError;

use crate::fixture::{Fixture, by, code};

#[test_database::test]
async fn deleted_records_are_answered_as_they_were() -> Result<(), StoreError> {
    let blog = Fixture::blog().await;
    for title in ["a", "b", "c"] {
        blog.create("posts", json!({"title": title, "category": {"title": title}})).await?;
    }
    let gone = blog.destroy("posts", json!({"category.title": ["c", "a"]})).await?;
    let titles: Vec<&Value> = gone.iter().map(|post| &post["title"]).collect();
    assert_eq!(titles, ["a", "c"]);
    assert_eq!(blog.find("posts", json!({}), &[]).await?.len(), 1);
    assert_eq!(blog.destroy("posts", json!({"id": 404})).await?, Vec::<Value>::new());
    // Ids are not given again.
    assert_eq!(blog.create("posts", json!({})).await?["id"], 4);
    Ok(())
}

#[test_database::test]
async fn what_refers_to_a_deleted_record_lets_go() -> Result<(), StoreError> {
    let blog = Fixture::blog().await;
    let post = blog
        .create(
            "posts",
            json!({"category": {"title": "c"}, "summary": {"title": "s"}, "comments": [{"content": "x"}],
            "tags": [{"name": "t"}]}),
        )
        .await?;
    blog.destroy("categories", json!({"id": post["categoryId"]})).await?;
    assert_eq!(blog.find("posts", json!({}), &[]).await?[0]["categoryId"], Value::Null);

    blog.destroy("posts", json!({"id": post["id"]})).await?;
    assert_eq!(blog.find("comments", json!({}), &[]).await?[0]["postId"], Value::Null);
    assert_eq!(blog.find("summaries", json!({}), &[]).await?[0]["postId"], Value::Null);
    assert_eq!(blog.find("posts_tags", json!({}), &[]).await?.len(), 0);
    assert_eq!(blog.find("tags", json!({}), &[]).await?.len(), 1);
    Ok(())
}

#[test_database::test]
async fn users_leave_their_roles_and_their_records() -> Result<(), StoreError> {
    let blog = Fixture::blog().await;
    blog.create("roles", json!({"name": "writer", "resources": [{"name": "posts", "actions": [{"name": "view"}]}]}))
        .await?;
    let user = blog.create("users", json!({"username": "u", "password": "$argon2id$x", "roles": ["writer"]})).await?;
    let category = json!({"title": "c", "owner": user["id"]});
    blog.create_with("categories", category, by(&user)).await?;

    let gone = blog.destroy("users", json!({"id": user["id"]})).await?;
    assert_eq!(gone[0]["username"], "u");
    assert_eq!(gone[0].get("password"), None);
    let category = blog.find("categories", json!({}), &["owner", "createdBy"]).await?.remove(0);
    assert_eq!(category["ownerId"], Value::Null);
    assert_eq!(category["createdById"], user["id"]);
    assert_eq!(category["createdBy"], Value::Null);
    let role = blog.find("roles", json!({}), &["users", "resources"]).await?.remove(0);
    assert_eq!(role["users"], json!([]));
    assert_eq!(role["resources"][0]["actions"], json!([{"name": "view"}]));

    blog.destroy("roles", json!({"name": "writer"})).await?;
    assert_eq!(blog.find("dataSourceResources", json!({}), &[]).await?.len(), 0);
    Ok(())
}

#[test_database::test]
async fn a_record_that_must_be_referred_to_stays() -> Result<(), StoreError> {
    let blog = Fixture::blog().await;
    let fields = json!([{"type": "bigInt", "name": "tagId", "allowNull": false},
        {"type": "belongsTo", "name": "tag", "target": "tags", "foreignKey": "tagId"}]);
    blog.collection(json!({"name": "labels", "fields": fields})).await?;
    blog.create("labels", json!({"tag": {"name": "t"}})).await?;
    assert_eq!(code(blog.destroy("tags", json!({})).await), "IN_USE");
    assert_eq!(blog.find("tags", json!({}), &[]).await?.len(), 1);
    blog.destroy("labels", json!({})).await?;
    assert_eq!(blog.destroy("tags", json!({})).await?.len(), 1);
    Ok(())
}
