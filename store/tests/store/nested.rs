//! Nested values: what is created, linked, changed and unlinked on the way.

use serde_json::{Value, json};
use store::{StoreError, WriteOptions};

use crate::fixture::{Fixture, by, code};

fn updating(paths: &[&str]) -> WriteOptions {
    WriteOptions { update_associations: paths.iter().map(|&path| path.to_owned()).collect(), ..WriteOptions::default() }
}

fn column(records: &Value, name: &str) -> Vec<Value> {
    records.as_array().expect("a list").iter().map(|record| record[name].clone()).collect()
}

#[test_database::test]
async fn every_kind_of_association_is_created() -> Result<(), StoreError> {
    let blog = Fixture::blog().await;
    let user = blog.create("users", json!({"username": "u"})).await?;
    let tag = blog.create("tags", json!({"name": "old"})).await?;
    let values = json!({
        "title": "p",
        "category": {"title": "c", "owner": user["id"]},
        "summary": {"title": "s"},
        "comments": [{"content": "1"}, {"content": "2"}],
        "tags": [tag["id"], {"name": "new"}],
    });
    let post = blog.create_with("posts", values, by(&user)).await?;
    assert_eq!(post["category"]["owner"]["username"], "u");
    assert_eq!(post["category"]["owner"].get("password"), None);
    assert_eq!(post["summary"]["postId"], post["id"]);
    assert_eq!(column(&post["comments"], "content"), ["1", "2"]);
    assert_eq!(column(&post["comments"], "postId"), [post["id"].clone(), post["id"].clone()]);
    assert_eq!(column(&post["comments"], "createdById"), [user["id"].clone(), user["id"].clone()]);
    assert_eq!(column(&post["tags"], "name"), ["old", "new"]);
    let links = blog.find("posts_tags", json!({"postId": post["id"]}), &[]).await?;
    assert_eq!(links.len(), 2);
    assert_eq!(links[0]["createdById"], user["id"]);
    Ok(())
}

#[test_database::test]
async fn two_levels_up() -> Result<(), StoreError> {
    let blog = Fixture::blog().await;
    let comment = blog.create("comments", json!({"content": "c", "post": {"category": {"title": "c1"}}})).await?;
    assert_eq!(comment["post"]["category"]["title"], "c1");
    assert_eq!(comment["post"]["id"], comment["postId"]);
    Ok(())
}

#[test_database::test]
async fn existing_records_are_linked_and_changed_only_where_allowed() -> Result<(), StoreError> {
    let blog = Fixture::blog().await;
    let category = blog.create("categories", json!({"title": "before"})).await?;
    let nested = json!({"category": {"id": category["id"], "title": "after"}});

    let post = blog.create("posts", nested.clone()).await?;
    assert_eq!(post["categoryId"], category["id"]);
    assert_eq!(post["category"]["title"], "before");

    let post = blog.create_with("posts", nested.clone(), updating(&["category"])).await?;
    assert_eq!(post["category"]["title"], "after");
    let comment = json!({"post": {"id": post["id"], "title": "t", "category": {"id": "1", "title": "again"}}});
    let only_inner = blog.create_with("comments", comment.clone(), updating(&["post.category"])).await?;
    assert_eq!(only_inner["post"]["title"], Value::Null);
    let both = blog.create_with("comments", comment, updating(&["post", "post.category"])).await?;
    assert_eq!(both["post"]["title"], "t");
    assert_eq!(both["post"]["category"]["title"], "again");
    assert_eq!(blog.find("categories", json!({}), &[]).await?.len(), 1);
    Ok(())
}

#[test_database::test]
async fn an_update_sets_the_whole_association() -> Result<(), StoreError> {
    let blog = Fixture::blog().await;
    let post = blog
        .create(
            "posts",
            json!({"summary": {"title": "s1"}, "comments": [{"content": "1"}, {"content": "2"}],
            "tags": [{"name": "a"}, {"name": "b"}]}),
        )
        .await?;
    let values =
        json!({"summary": {"title": "s2"}, "comments": [2, {"content": "3"}], "tags": [{"id": 2}, {"name": "c"}]});
    let update = |values: Value| blog.update("posts", json!({"id": post["id"]}), values, WriteOptions::default());
    let changed = update(values).await?.remove(0);
    assert_eq!(changed["summary"]["title"], "s2");
    assert_eq!(column(&changed["comments"], "content"), ["2", "3"]);
    assert_eq!(column(&changed["tags"], "name"), ["b", "c"]);
    // Unlinked, not deleted.
    assert_eq!(blog.find("comments", json!({"postId": null}), &[]).await?.len(), 1);
    assert_eq!(blog.find("summaries", json!({"postId": null}), &[]).await?.len(), 1);
    assert_eq!(blog.find("tags", json!({}), &[]).await?.len(), 3);

    let emptied = update(json!({"summary": null, "comments": [], "tags": null})).await?.remove(0);
    assert_eq!(emptied["summary"], Value::Null);
    assert_eq!(emptied["comments"], json!([]));
    assert_eq!(emptied["tags"], json!([]));
    assert_eq!(blog.find("posts_tags", json!({}), &[]).await?.len(), 0);
    Ok(())
}

#[test_database::test]
async fn a_bulk_update_creates_one_for_each_record() -> Result<(), StoreError> {
    let blog = Fixture::blog().await;
    for _ in 0..2 {
        blog.create("posts", json!({})).await?;
    }
    let changed = blog
        .update("posts", json!({}), json!({"title": "x", "category": {"title": "c"}}), WriteOptions::default())
        .await?;
    assert_eq!(changed.len(), 2);
    assert_ne!(changed[0]["categoryId"], changed[1]["categoryId"]);
    assert_eq!(changed[1]["category"]["title"], "c");
    Ok(())
}

#[test_database::test]
async fn links_lead_somewhere_or_nothing_is_stored() -> Result<(), StoreError> {
    let blog = Fixture::blog().await;
    let mut deep = json!({"title": "end"});
    for _ in 0..20 {
        deep = json!({"posts": [{"category": deep}]});
    }
    for (collection, values, expected) in [
        ("posts", json!({"category": 404}), "DANGLING_ASSOCIATION"),
        ("posts", json!({"category": {"id": 404, "title": "x"}}), "DANGLING_ASSOCIATION"),
        ("posts", json!({"tags": [{"name": "a"}, 404]}), "DANGLING_ASSOCIATION"),
        ("posts", json!({"category": {"title": "c", "owner": 404}}), "DANGLING_ASSOCIATION"),
        ("posts", json!({"category": "x"}), "INVALID_VALUE"),
        ("posts", json!({"category": true}), "INVALID_VALUE"),
        ("posts", json!({"category": [1]}), "INVALID_VALUE"),
        ("posts", json!({"summary": [{"title": "s"}]}), "INVALID_VALUE"),
        ("posts", json!({"comments": [null]}), "INVALID_VALUE"),
        ("posts", json!({"comments": [{"nosuch": 1}]}), "UNKNOWN_FIELD"),
        ("posts", json!({"nosuch": 1}), "UNKNOWN_FIELD"),
        ("categories", deep, "INVALID_VALUE"),
    ] {
        assert_eq!(code(blog.create(collection, values.clone()).await), expected, "{values}");
    }
    for collection in ["posts", "categories", "tags", "comments", "posts_tags", "summaries"] {
        assert_eq!(blog.find(collection, json!({}), &[]).await?.len(), 0, "{collection}");
    }
    Ok(())
}

#[test_database::test]
async fn a_category_may_lead_back_to_its_kind() -> Result<(), StoreError> {
    let blog = Fixture::blog().await;
    blog.field("categories", json!({"type": "belongsTo", "name": "parent", "target": "categories"})).await?;
    blog.field(
        "categories",
        json!({"type": "hasMany", "name": "children", "target": "categories",
        "foreignKey": "parentId"}),
    )
    .await?;
    let root = blog
        .create("categories", json!({"title": "root", "children": [{"title": "leaf", "children": [{"title": "bud"}]}]}))
        .await?;
    assert_eq!(root["children"][0]["children"][0]["title"], "bud");
    let found = blog.find("categories", json!({"parent.parent.title": "root"}), &["parent.parent"]).await?;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["parent"]["parent"]["title"], "root");
    Ok(())
}
