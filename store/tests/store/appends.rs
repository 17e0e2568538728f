//! Choosing fields, appending associations, following paths.

use serde_json::{Value, json};
use store::{Find, Record, Select, StoreError};

use crate::fixture::{Fixture, code};

async fn blog() -> Fixture {
    let blog = Fixture::blog().await;
    let user = blog.create("users", json!({"username": "u", "password": "$argon2id$x"})).await.expect("a user");
    for values in [
        json!({"title": "a", "category": {"title": "c1", "owner": user["id"]}, "tags": [{"name": "t1"}, {"name": "t2"}]}),
        json!({"title": "b", "category": 1, "tags": [2], "comments": [{"content": "x"}, {"content": "y"}]}),
        json!({"title": "c"}),
    ] {
        blog.create("posts", values).await.expect("a post");
    }
    blog
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

async fn select(blog: &Fixture, fields: &[&str], except: &[&str], appends: &[&str]) -> Result<Vec<Record>, StoreError> {
    let select = Select { fields: texts(fields), except: texts(except), appends: texts(appends) };
    blog.store.read().await?.find(&Find { select, ..Find::all(blog.get("posts")) }).await
}

#[test_database::test]
async fn selections() -> Result<(), StoreError> {
    let blog = blog().await;
    for (fields, except, appends, expected) in [
        (&["title"][..], &[][..], &[][..], json!({"title": "a"})),
        (&["title", "category.title"], &[], &[], json!({"title": "a", "category": {"title": "c1"}})),
        (&["category.title"], &[], &["category.owner"], json!({"category": {"title": "c1", "owner": "object"}})),
        (&["title"], &["title"], &[], json!({})),
        (&["title", "tags.name"], &[], &[], json!({"title": "a", "tags": [{"name": "t1"}, {"name": "t2"}]})),
        (&["title"], &["category"], &["category"], json!({"title": "a"})),
    ] {
        let mut first = select(&blog, fields, except, appends).await?.remove(0);
        if let Some(owner) = first.get_mut("category").and_then(|category| category.get_mut("owner")) {
            assert_eq!(owner["username"], "u");
            assert_eq!(owner.get("password"), None);
            *owner = json!("object");
        }
        assert_eq!(Value::Object(first), expected, "{fields:?} {except:?} {appends:?}");
    }
    let without = select(&blog, &[], &["meta", "category.id"], &["category"]).await?.remove(0);
    assert!(without.contains_key("title") && !without.contains_key("meta"));
    assert_eq!(without["category"].get("id"), None);
    assert_eq!(without["category"]["title"], "c1");
    for (fields, except, appends) in [
        (&["nosuch"][..], &[][..], &[][..]),
        (&["title.x"], &[], &[]),
        (&["category.nosuch"], &[], &[]),
        (&[], &["nosuch"], &[]),
        (&[], &[], &["title"]),
        (&[], &[], &["category.nosuch"]),
    ] {
        assert_eq!(code(select(&blog, fields, except, appends).await), "UNKNOWN_FIELD", "{fields:?} {appends:?}");
    }
    let endless = format!("{}category", "category.posts.".repeat(10));
    assert_eq!(code(select(&blog, &[], &[], &[&endless]).await), "INVALID_VALUE");
    Ok(())
}

#[test_database::test]
async fn appends_fill_every_record() -> Result<(), StoreError> {
    let blog = blog().await;
    let posts = blog.find("posts", json!({}), &["category.owner", "tags", "comments", "summary"]).await?;
    assert_eq!(posts[0]["category"], posts[1]["category"]);
    assert_eq!(posts[1]["category"]["owner"]["username"], "u");
    assert_eq!(posts[1]["comments"].as_array().map(Vec::len), Some(2));
    assert_eq!(posts[1]["tags"].as_array().map(Vec::len), Some(1));
    assert_eq!(posts[0]["comments"], json!([]));
    assert_eq!(posts[2]["category"], Value::Null);
    assert_eq!(posts[2]["tags"], json!([]));
    assert_eq!(posts[2]["summary"], Value::Null);
    Ok(())
}

#[test_database::test]
async fn paths_are_followed_to_distinct_records() -> Result<(), StoreError> {
    let blog = blog().await;
    let follow =
        async |collection: &str, keys: Value, path: &[&str], appends: &[&str]| -> Result<Vec<Record>, StoreError> {
            let Value::Array(keys) = keys else { panic!("{keys} is no list") };
            let select = Select { appends: texts(appends), ..Select::default() };
            blog.store.read().await?.follow(&blog.get(collection), &keys, &texts(path), &select).await
        };
    let column =
        |records: &[Record], name: &str| -> Vec<Value> { records.iter().map(|record| record[name].clone()).collect() };
    assert_eq!(column(&follow("posts", json!([2, "1", 404, 2]), &[], &[]).await?, "title"), ["b", "a"]);
    assert_eq!(column(&follow("posts", json!([1, 2, 3]), &["category"], &[]).await?, "title"), ["c1"]);
    assert_eq!(column(&follow("posts", json!([2, 1]), &["tags"], &[]).await?, "name"), ["t2", "t1"]);
    assert_eq!(
        column(&follow("comments", json!([2, 1]), &["post", "category", "owner"], &[]).await?, "username"),
        ["u"]
    );
    assert_eq!(column(&follow("categories", json!([1]), &["posts", "comments"], &[]).await?, "content"), ["x", "y"]);
    assert_eq!(follow("posts", json!([3]), &["category"], &[]).await?.len(), 0);
    assert_eq!(follow("posts", json!([]), &["category"], &[]).await?.len(), 0);

    let with_owner = follow("posts", json!([1]), &["category"], &["owner"]).await?.remove(0);
    assert_eq!(with_owner["owner"]["username"], "u");
    assert!(with_owner.contains_key("createdAt"));
    let user = follow("posts", json!([1]), &["category", "owner"], &[]).await?.remove(0);
    assert!(!user.contains_key("password"));
    let links = follow("posts_tags", json!([{"postId": 1, "tagId": 2}, {"postId": 1, "tagId": "1"}]), &[], &[]).await?;
    assert_eq!(column(&links, "tagId"), [2, 1]);
    assert_eq!(code(follow("posts", json!([1]), &["title"], &[]).await), "UNKNOWN_FIELD");
    assert_eq!(code(follow("posts", json!([1]), &["category", "nosuch"], &[]).await), "UNKNOWN_FIELD");
    Ok(())
}
