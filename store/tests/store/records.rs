//! Creating, reading, changing and deleting records with their associations.

use serde_json::{Value, json};
use store::{StoreError, WriteOptions};

use crate::fixture::{Fixture, by, code, record};

fn keys(value: &Value) -> Vec<String> {
    let mut keys: Vec<String> = value.as_object().expect("an object").keys().cloned().collect();
    keys.sort_unstable();
    keys
}

#[test_database::test]
async fn a_created_record_is_answered_whole() -> Result<(), StoreError> {
    let blog = Fixture::blog().await;
    let user = blog.create("users", json!({"nickname": "someone", "username": "someone"})).await?;
    let post = blog.create_with("posts", json!({"title": "t1", "category": {"title": "c1"}}), by(&user)).await?;
    assert_eq!(
        keys(&post),
        [
            "category",
            "categoryId",
            "code",
            "content",
            "createdAt",
            "createdById",
            "id",
            "meta",
            "published",
            "read",
            "title",
            "updatedAt",
            "updatedById"
        ]
    );
    assert_eq!(post["read"], 0);
    assert_eq!(post["published"], false);
    assert_eq!(post["createdById"], user["id"]);
    assert_eq!(post["updatedById"], user["id"]);
    assert_eq!(post["category"]["title"], "c1");
    assert_eq!(post["category"]["id"], post["categoryId"]);
    assert_eq!(
        keys(&post["category"]),
        ["createdAt", "createdById", "id", "ownerId", "title", "updatedAt", "updatedById"]
    );
    let found = blog.find("posts", json!({"id": post["id"]}), &["category"]).await?;
    assert_eq!(found, [post]);
    Ok(())
}

#[test_database::test]
async fn a_value_that_exists_already_is_refused_by_name() -> Result<(), StoreError> {
    let blog = Fixture::blog().await;
    blog.create("posts", json!({"code": "a"})).await?;
    let error = blog.create("posts", json!({"code": "a"})).await.expect_err("a refusal");
    assert_eq!(error.to_string(), "code already exists");
    blog.create("posts_tags", json!({"postId": 1, "tagId": 2})).await?;
    let error = blog.create("posts_tags", json!({"postId": 1, "tagId": 2})).await.expect_err("a refusal");
    assert_eq!(error.to_string(), "postId, tagId already exists");
    Ok(())
}

#[test_database::test]
async fn what_is_told_about_values_has_no_secrets() -> Result<(), StoreError> {
    let blog = Fixture::blog().await;
    let schema = blog.store.schema();
    let check = |collection: &str, values: Value, want: Value| {
        let collection = schema.collection(collection).expect("a collection");
        let shown = store::secret::without_secrets(&schema, collection, &record(values));
        assert_eq!(Value::Object(shown), want);
    };
    check("users", json!({"username": "u", "password": "p"}), json!({"username": "u"}));
    check(
        "posts",
        json!({"title": "t", "nosuch": 1, "category": 7}),
        json!({"title": "t", "nosuch": 1, "category": 7}),
    );
    let nested =
        json!({"createdBy": {"username": "u", "password": "p"}, "comments": [{"createdBy": {"password": "p"}}, 3]});
    check("posts", nested, json!({"createdBy": {"username": "u"}, "comments": [{"createdBy": {}}, 3]}));
    Ok(())
}

#[test_database::test]
async fn users_come_without_their_passwords() -> Result<(), StoreError> {
    let blog = Fixture::blog().await;
    blog.create("roles", json!({"name": "writer"})).await?;
    blog.create("roles", json!({"name": "reader"})).await?;
    let user = blog
        .create("users", json!({"username": "u", "password": "$argon2id$x", "roles": ["writer", {"name": "reader"}]}))
        .await?;
    assert_eq!(user.get("password"), None);
    let names: Vec<&Value> = user["roles"].as_array().expect("a list").iter().map(|role| &role["name"]).collect();
    assert_eq!(names, ["reader", "writer"]);
    let owned = blog.create("categories", json!({"title": "c", "owner": user["id"]})).await?;
    assert_eq!(owned["owner"]["username"], "u");
    assert_eq!(owned["owner"].get("password"), None);
    assert_eq!(code(blog.find("users", json!({"password.$exists": true}), &[]).await), "UNKNOWN_FIELD");
    assert_eq!(code(blog.create("users", json!({"password": "plain"})).await), "INVALID_VALUE");
    assert_eq!(code(blog.create("users", json!({"roles": ["nosuch"]})).await), "DANGLING_ASSOCIATION");
    Ok(())
}

#[test_database::test]
async fn updates_change_what_matches() -> Result<(), StoreError> {
    let blog = Fixture::blog().await;
    for title in ["a", "b", "c"] {
        blog.create("posts", json!({"title": title, "category": {"title": format!("of {title}")}})).await?;
    }
    let updated = blog.update("posts", json!({"id": [1, "3"]}), json!({"title": "x"}), WriteOptions::default()).await?;
    let ids: Vec<&Value> = updated.iter().map(|post| &post["id"]).collect();
    assert_eq!(ids, [1, 3]);
    let titles: Vec<Value> =
        blog.find("posts", json!({}), &[]).await?.iter().map(|post| post["title"].clone()).collect();
    assert_eq!(titles, ["x", "b", "x"]);
    let unlinked = blog.update("posts", json!({"id": 2}), json!({"category": null}), WriteOptions::default()).await?;
    assert_eq!(unlinked[0]["categoryId"], Value::Null);
    assert_eq!(unlinked[0]["category"], Value::Null);
    Ok(())
}
