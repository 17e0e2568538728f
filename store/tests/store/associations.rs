//! Linking existing records: add, set and remove.

use serde_json::{Value, json};
use store::{StoreError, write::AssociationChange};

use crate::fixture::{Fixture, code};

async fn associate(
    blog: &Fixture,
    source: (&str, Value),
    association: &str,
    targets: Value,
    change: AssociationChange,
) -> Result<(), StoreError> {
    let collection = blog.get(source.0);
    let association = collection.association(association).expect("an association").clone();
    let Value::Array(targets) = targets else { panic!("{targets} is no list") };
    blog.store
        .write(move |tx| {
            Box::pin(async move { tx.associate(&collection, &source.1, &association, &targets, change).await })
        })
        .await
}

async fn blog() -> Fixture {
    let blog = Fixture::blog().await;
    for name in ["a", "b", "c"] {
        blog.create("tags", json!({"name": name})).await.expect("a tag");
        blog.create("comments", json!({"content": name})).await.expect("a comment");
        blog.create("categories", json!({"title": name})).await.expect("a category");
        blog.create("summaries", json!({"title": name})).await.expect("a summary");
    }
    blog.create("posts", json!({})).await.expect("a post");
    blog.create("posts", json!({})).await.expect("a post");
    blog
}

/// The ids an association of post 1 leads to after each change.
async fn check(association: &str, steps: &[(AssociationChange, Value, Value)]) {
    let blog = blog().await;
    for (change, targets, expected) in steps {
        associate(&blog, ("posts", json!(1)), association, targets.clone(), *change).await.expect("a change");
        let post = blog.find("posts", json!({"id": 1}), &[association]).await.expect("a post").remove(0);
        let ids = match &post[association] {
            Value::Array(items) => items.iter().map(|item| item["id"].clone()).collect(),
            Value::Null => json!([]),
            one => json!([one["id"]]),
        };
        assert_eq!(&ids, expected, "{association}: {change:?} {targets}");
        let other = blog.find("posts", json!({"id": 2}), &[association]).await.expect("a post").remove(0);
        assert!(matches!(&other[association], Value::Null) || other[association] == json!([]));
    }
}

#[test_database::test]
async fn to_many_links_change() {
    use AssociationChange::{Add, Remove, Set};
    for association in ["tags", "comments"] {
        check(
            association,
            &[
                (Add, json!([1]), json!([1])),
                (Add, json!(["1", {"id": 2}]), json!([1, 2])),
                (Remove, json!([1, 3]), json!([2])),
                (Set, json!([3, 1]), json!([1, 3])),
                (Add, json!([]), json!([1, 3])),
                (Set, json!([]), json!([])),
            ],
        )
        .await;
    }
}

#[test_database::test]
async fn to_one_links_change() {
    use AssociationChange::{Add, Remove, Set};
    for association in ["category", "summary"] {
        check(
            association,
            &[
                (Set, json!([1]), json!([1])),
                (Add, json!([2]), json!([2])),
                (Remove, json!([1]), json!([2])),
                (Remove, json!([2]), json!([])),
                (Set, json!([3]), json!([3])),
                (Set, json!([]), json!([])),
            ],
        )
        .await;
    }
}

#[test_database::test]
async fn both_ends_have_to_be_there() {
    let blog = blog().await;
    let missing = associate(&blog, ("posts", json!(404)), "tags", json!([1]), AssociationChange::Add).await;
    assert!(matches!(missing, Err(StoreError::NotFound { .. })), "{missing:?}");
    let dangling = associate(&blog, ("posts", json!(1)), "tags", json!([1, 404]), AssociationChange::Add).await;
    assert_eq!(code(dangling), "DANGLING_ASSOCIATION");
    assert_eq!(blog.find("posts_tags", json!({}), &[]).await.expect("links").len(), 0);
}
