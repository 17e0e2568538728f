//! Collections and fields made at run time.

use serde_json::{Value, json};
use store::{FieldType, StoreError, WriteOptions};

use crate::fixture::{Fixture, code, record};

fn names(fields: &[store::Field]) -> Vec<&str> {
    fields.iter().map(|field| field.name.as_str()).collect()
}

#[test_database::test]
async fn a_collection_has_the_fields_that_were_asked_for() -> Result<(), StoreError> {
    let fixture = Fixture::empty().await;
    let plain = fixture.collection(json!({"name": "plain", "fields": [{"type": "string", "name": "a"}]})).await?;
    assert_eq!(names(&plain.fields), ["id", "a", "createdAt", "updatedAt"]);
    assert_eq!(plain.key, ["id"]);
    let bare = json!({"name": "bare", "autoGenId": false, "createdAt": false, "updatedAt": false});
    assert_eq!(code(fixture.collection(bare).await), "INVALID_VALUE");
    let full =
        fixture.collection(json!({"name": "full", "title": "Full", "createdBy": true, "updatedBy": true})).await?;
    assert_eq!(
        names(&full.fields),
        ["id", "createdAt", "updatedAt", "createdById", "updatedById", "createdBy", "updatedBy"]
    );
    assert_eq!(full.title.as_deref(), Some("Full"));
    // A definition that brings the system's fields along.
    let fields = json!([
        {"name": "id", "type": "bigInt", "autoIncrement": true, "primaryKey": true, "interface": "id"},
        {"name": "createdAt", "type": "date", "interface": "createdAt"},
        {"name": "name", "type": "string"},
    ]);
    let given = fixture.collection(json!({"name": "given", "fields": fields})).await?;
    assert_eq!(names(&given.fields), ["id", "createdAt", "name", "updatedAt"]);
    let created = fixture.create("given", json!({"name": "x"})).await?;
    assert_eq!(created["id"], 1);
    assert_eq!(created["createdAt"], created["updatedAt"]);
    Ok(())
}

#[test_database::test]
async fn keys_of_ones_own() -> Result<(), StoreError> {
    let fixture = Fixture::empty().await;
    let fields = json!([{"type": "string", "name": "code"}, {"type": "string", "name": "title"}]);
    let coded = json!({"name": "coded", "autoGenId": false, "filterTargetKey": "code", "fields": fields});
    assert_eq!(fixture.collection(coded).await?.key, ["code"]);
    fixture.create("coded", json!({"code": "a", "title": "1"})).await?;
    assert_eq!(code(fixture.create("coded", json!({"title": "1"})).await), "REQUIRED");
    let taken = fixture.create("coded", json!({"code": "a"})).await.expect_err("a refusal");
    assert_eq!(taken.to_string(), "code already exists");

    let both = json!({"name": "both", "filterTargetKey": "code", "fields": fields});
    assert_eq!(fixture.collection(both).await?.key, ["code"]);
    assert_eq!(fixture.create("both", json!({"code": "a"})).await?["id"], 1);
    let taken = fixture.create("both", json!({"code": "a"})).await.expect_err("a refusal");
    assert_eq!(taken.to_string(), "code already exists");

    let marked = json!([{"type": "uuid", "name": "uid", "primaryKey": true}]);
    let marked = fixture.collection(json!({"name": "marked", "autoGenId": false, "fields": marked})).await?;
    assert_eq!(marked.key, ["uid"]);
    let record = fixture.create("marked", json!({})).await;
    assert!(record.is_ok_and(|record| record["uid"].is_string()));
    Ok(())
}

#[test_database::test]
async fn an_association_makes_the_columns_it_needs() -> Result<(), StoreError> {
    let fixture = Fixture::empty().await;
    for name in ["a", "b"] {
        fixture.collection(json!({"name": name})).await?;
    }
    let field = fixture.field("a", json!({"type": "belongsTo", "name": "b"})).await?;
    assert_eq!(field.options["foreignKey"], "bId");
    assert_eq!(field.options["targetKey"], "id");
    assert_eq!(fixture.get("a").field("bId")?.field_type, FieldType::BigInt);
    fixture.field("b", json!({"type": "hasMany", "name": "as", "target": "a", "foreignKey": "bId"})).await?;
    fixture.field("b", json!({"type": "belongsToMany", "name": "many", "target": "a"})).await?;
    fixture.field("a", json!({"type": "belongsToMany", "name": "many", "target": "b"})).await?;
    assert_eq!(fixture.get("a_b").key, ["bId", "aId"]);
    fixture.create("b", json!({"many": [{}, {"b": {}}]})).await?;
    let found = fixture.find("a", json!({}), &["many", "b"]).await?;
    assert_eq!(found[1]["many"][0]["id"], 1);
    assert_eq!(found[1]["b"]["id"], 2);
    fixture.field("a", json!({"type": "belongsToMany", "name": "friends", "target": "a"})).await?;
    assert_eq!(fixture.get("a_a").key, ["aId", "aOtherId"]);
    // A key that is no number.
    fixture.field("a", json!({"type": "belongsTo", "name": "role", "target": "roles"})).await?;
    assert!(matches!(fixture.get("a").field("roleId")?.field_type, FieldType::String { .. }));
    Ok(())
}

#[test_database::test]
async fn definitions_that_make_no_sense_change_nothing() {
    let blog = Fixture::blog().await;
    let before: Vec<String> = blog.store.schema().collections().map(|collection| collection.name.clone()).collect();
    let with = |field: Value| json!({"name": "fresh", "fields": [{"type": "string", "name": "first"}, field]});
    for (definition, expected) in [
        (json!({}), "INVALID_VALUE"),
        (json!({"name": 5}), "INVALID_VALUE"),
        (json!({"name": "fresh", "fields": 5}), "INVALID_VALUE"),
        (json!({"name": "fresh", "fields": [5]}), "INVALID_VALUE"),
        (json!({"name": "posts"}), "NAME_TAKEN"),
        (json!({"name": "POSTS"}), "NAME_TAKEN"),
        (json!({"name": "Users"}), "NAME_TAKEN"),
        (json!({"name": "_sqlx_migrations"}), "INVALID_NAME"),
        (json!({"name": "sqlite_master"}), "INVALID_NAME"),
        (json!({"name": "fresh", "filterTargetKey": "nosuch"}), "UNKNOWN_FIELD"),
        (json!({"name": "fresh", "filterTargetKey": 5}), "INVALID_VALUE"),
        (with(json!({"type": "nosuch", "name": "a"})), "UNKNOWN_TYPE"),
        (with(json!({"type": "string"})), "INVALID_VALUE"),
        (with(json!({"name": "a"})), "INVALID_VALUE"),
        (with(json!({"type": "string", "name": "FIRST"})), "NAME_TAKEN"),
        (with(json!({"type": "string", "name": "a\" TEXT, \"b"})), "INVALID_NAME"),
        (with(json!({"type": "string", "name": "a", "length": 0})), "INVALID_VALUE"),
        (with(json!({"type": "integer", "name": "a", "defaultValue": "x"})), "INVALID_VALUE"),
        (with(json!({"type": "decimal", "name": "a", "scale": 19})), "INVALID_VALUE"),
        (with(json!({"type": "belongsTo", "name": "a", "target": "nosuch"})), "DANGLING_ASSOCIATION"),
        (
            with(json!({"type": "belongsTo", "name": "a", "target": "posts", "targetKey": "nosuch"})),
            "DANGLING_ASSOCIATION",
        ),
        (with(json!({"type": "belongsTo", "name": "a", "target": "posts", "foreignKey": "a"})), "NAME_TAKEN"),
        (
            with(json!({"type": "belongsTo", "name": "a", "target": "users", "targetKey": "password"})),
            "DANGLING_ASSOCIATION",
        ),
        (with(json!({"type": "hasMany", "name": "a", "target": "users", "foreignKey": "password"})), "NAME_TAKEN"),
        (with(json!({"type": "hasMany", "name": "a", "target": "users", "foreignKey": "freshId"})), "BUILT_IN"),
        (with(json!({"type": "hasMany", "name": "a", "target": "posts", "foreignKey": "x;y"})), "INVALID_NAME"),
        (
            with(json!({"type": "belongsToMany", "name": "a", "target": "posts", "foreignKey": "x", "otherKey": "X"})),
            "INVALID_VALUE",
        ),
    ] {
        assert_eq!(code(blog.collection(definition.clone()).await), expected, "{definition}");
    }
    let after: Vec<String> = blog.store.schema().collections().map(|collection| collection.name.clone()).collect();
    assert_eq!(before, after);
    // The table and the columns of the attempts are gone, too.
    blog.collection(with(json!({"type": "hasMany", "name": "a", "target": "posts"}))).await.expect("a collection");
    assert_eq!(blog.find("fields", json!({"collectionName": "fresh"}), &[]).await.expect("fields").len(), 5);
}

#[test_database::test]
async fn built_in_collections_keep_their_structure() {
    let blog = Fixture::blog().await;
    assert_eq!(code(blog.field("users", json!({"type": "string", "name": "x"})).await), "BUILT_IN");
    let dropped = blog.store.write(|tx| Box::pin(async move { tx.destroy_collection("users").await })).await;
    assert_eq!(code(dropped), "BUILT_IN");
    for collection in [
        "collections",
        "fields",
        "workflows",
        "flow_nodes",
        "executions",
        "jobs",
        "workflowTasks",
        "buttons",
        "buttonBindings",
    ] {
        assert_eq!(code(blog.create(collection, json!({})).await), "BUILT_IN", "{collection}");
        let updated = blog.update(collection, json!({}), json!({}), WriteOptions::default()).await;
        assert_eq!(code(updated), "BUILT_IN", "{collection}");
    }
    assert_eq!(code(blog.destroy("workflows", json!({})).await), "BUILT_IN");
}

#[test_database::test]
async fn fields_come_and_go() -> Result<(), StoreError> {
    let blog = Fixture::blog().await;
    blog.create("posts", json!({"title": "a", "tags": [{"name": "t"}]})).await?;
    blog.field("posts", json!({"type": "string", "name": "state", "defaultValue": "new", "unique": true})).await?;
    assert_eq!(blog.find("posts", json!({}), &[]).await?[0]["state"], "new");
    assert_eq!(code(blog.field("posts", json!({"type": "string", "name": "State"})).await), "NAME_TAKEN");
    assert_eq!(
        code(blog.field("posts", json!({"type": "bigInt", "name": "n", "autoIncrement": true})).await),
        "INVALID_VALUE"
    );

    let drop_field = async |collection: &'static str, field: &'static str| {
        blog.store.write(move |tx| Box::pin(async move { tx.destroy_field(collection, field).await })).await
    };
    drop_field("posts", "state").await?;
    assert_eq!(code(blog.find("posts", json!({"state": "new"}), &[]).await), "UNKNOWN_FIELD");
    assert_eq!(blog.find("posts", json!({}), &[]).await?[0]["title"], "a");
    blog.field("posts", json!({"type": "integer", "name": "state"})).await?;
    assert_eq!(blog.create("posts", json!({"state": 5})).await?["state"], 5);
    // Statements that readers had prepared before read the new column.
    assert_eq!(blog.find("posts", json!({"state": 5}), &[]).await?[0]["state"], 5);

    for (collection, field) in
        [("posts", "id"), ("posts", "categoryId"), ("posts_tags", "tagId"), ("comments", "postId")]
    {
        assert_eq!(code(drop_field(collection, field).await), "FIELD_IN_USE", "{collection}.{field}");
    }
    drop_field("posts", "category").await?;
    drop_field("categories", "posts").await?;
    drop_field("posts", "categoryId").await?;
    assert_eq!(code(drop_field("posts", "categoryId").await), "UNKNOWN_FIELD");
    Ok(())
}

#[test_database::test]
async fn a_unique_field_needs_records_that_differ() -> Result<(), StoreError> {
    let blog = Fixture::blog().await;
    for _ in 0..2 {
        blog.create("posts", json!({})).await?;
    }
    let refused =
        blog.field("posts", json!({"type": "string", "name": "x", "defaultValue": "1", "unique": true})).await;
    assert_eq!(refused.expect_err("a refusal").to_string(), "x already exists");
    blog.field("posts", json!({"type": "string", "name": "x"})).await?;
    Ok(())
}

#[test_database::test]
async fn a_dropped_collection_takes_the_ways_to_it_along() -> Result<(), StoreError> {
    let blog = Fixture::blog().await;
    blog.create("posts", json!({"title": "p", "category": {"title": "c"}, "tags": [{"name": "t"}]})).await?;
    for name in ["posts_tags", "summaries", "comments", "tags", "posts"] {
        blog.store.write(move |tx| Box::pin(async move { tx.destroy_collection(name).await })).await?;
        assert_eq!(code(blog.find(name, json!({}), &[]).await), "UNKNOWN_COLLECTION");
    }
    let category = blog.get("categories");
    assert!(category.association("posts").is_none());
    assert!(category.association("owner").is_some());
    assert_eq!(blog.find("categories", json!({}), &[]).await?[0]["title"], "c");
    // The name is free again, for something else.
    blog.collection(json!({"name": "posts", "fields": [{"type": "integer", "name": "title"}]})).await?;
    assert_eq!(blog.create("posts", json!({"title": 5})).await?["title"], 5);
    Ok(())
}

#[test_database::test]
async fn options_that_do_not_make_the_table_change() -> Result<(), StoreError> {
    let blog = Fixture::blog().await;
    let change = async |options: Value| {
        let options = record(options);
        blog.store.write(move |tx| Box::pin(async move { tx.update_collection("posts", &options).await })).await
    };
    let changed = change(json!({"name": "posts", "title": "Articles", "hidden": true})).await?;
    assert_eq!(changed.title.as_deref(), Some("Articles"));
    assert_eq!(changed.options["hidden"], true);
    assert_eq!(code(change(json!({"filterTargetKey": "title"})).await), "INVALID_VALUE");
    let blog = blog.reopen().await;
    assert_eq!(blog.get("posts").title.as_deref(), Some("Articles"));
    assert_eq!(blog.get("posts").options["hidden"], true);
    Ok(())
}

#[test_database::test]
async fn everything_is_there_after_opening_again() -> Result<(), StoreError> {
    let blog = Fixture::blog().await;
    let post = blog
        .create("posts", json!({"title": "a", "meta": {"x": [1]}, "category": {"title": "c"}, "tags": [{"name": "t"}]}))
        .await?;
    let before: Vec<_> = blog.store.schema().collections().cloned().collect();
    let blog = blog.reopen().await;
    let after: Vec<_> = blog.store.schema().collections().cloned().collect();
    assert_eq!(before, after);
    assert_eq!(blog.find("posts", json!({}), &["category", "tags"]).await?, [post]);
    assert_eq!(blog.create("posts", json!({})).await?["id"], 2);
    blog.field("posts", json!({"type": "string", "name": "later"})).await?;
    Ok(())
}

#[test_database::test]
async fn a_schema_change_that_fails_later_is_undone() -> Result<(), StoreError> {
    let blog = Fixture::blog().await;
    let result: Result<(), StoreError> = blog
        .store
        .write(|tx| {
            Box::pin(async move {
                tx.create_field("posts", &record(json!({"type": "string", "name": "extra"}))).await?;
                let posts = tx.schema().collection("posts")?.clone();
                tx.create(&posts, record(json!({"extra": "x"})), &WriteOptions::default()).await?;
                Err(StoreError::NotFound { what: "reason".to_owned() })
            })
        })
        .await;
    assert!(result.is_err());
    assert_eq!(code(blog.get("posts").field("extra").cloned()), "UNKNOWN_FIELD");
    assert_eq!(code(blog.create("posts", json!({"extra": "x"})).await), "UNKNOWN_FIELD");
    // The same, behind another request in one transaction.
    let (kept, undone, after) = tokio::join!(
        blog.field("posts", json!({"type": "string", "name": "kept"})),
        blog.collection(json!({"name": "undone", "fields": [{"type": "belongsTo", "name": "x", "target": "nosuch"}]})),
        blog.collection(json!({"name": "after"})),
    );
    assert!(kept.is_ok() && after.is_ok());
    assert_eq!(code(undone), "DANGLING_ASSOCIATION");
    assert!(blog.get("posts").field("kept").is_ok());
    assert_eq!(code(blog.find("undone", json!({}), &[]).await), "UNKNOWN_COLLECTION");
    blog.collection(json!({"name": "undone"})).await?;
    Ok(())
}
