//! Filters, sorting and pages, each case checked against the same few records.

use serde_json::{Value, json};
use store::{Filter, Find, Page, Sort, StoreError};

use crate::{
    agreement::agree,
    fixture::{Fixture, code},
};

/// Posts a (1), b (2), C (3) and one without a title (4).
async fn posts() -> Fixture {
    let blog = Fixture::blog().await;
    let user = blog.create("users", json!({"username": "u", "nickname": "Someone"})).await.expect("a user");
    for values in [
        json!({"title": "a", "read": 1, "published": true, "meta": {"x": 1},
            "category": {"title": "news", "owner": user["id"]}, "tags": [{"name": "red"}, {"name": "blue"}]}),
        json!({"title": "b", "read": 10, "code": "100%", "category": {"title": "other"},
            "comments": [{"content": "good"}, {"content": "bad"}]}),
        json!({"title": "C", "read": 100, "code": "under_score", "content": "", "tags": [1], "meta": []}),
        json!({"read": -5, "comments": [{"content": "good"}]}),
    ] {
        blog.create("posts", values).await.expect("a post");
    }
    blog
}

#[test_database::test]
async fn filters_match() {
    let blog = posts().await;
    let all = [1, 2, 3, 4];
    let cases: &[(Value, &[i64])] = &[
        (json!({}), &all),
        (json!(null), &all),
        // one field
        (json!({"title": "a"}), &[1]),
        (json!({"title": "c"}), &[]),
        (json!({"title": null}), &[4]),
        (json!({"title.$eq": "a"}), &[1]),
        (json!({"title": {"$eq": "a"}}), &[1]),
        (json!({"title.$ne": "a"}), &[2, 3, 4]),
        (json!({"title.$ne": null}), &[1, 2, 3]),
        (json!({"id": [1, 3, 99]}), &[1, 3]),
        (json!({"id": ["1", "3"]}), &[1, 3]),
        (json!({"id": []}), &[]),
        (json!({"id.$in": "2"}), &[2]),
        (json!({"id.$in": {"0": "2", "1": "3"}}), &[2, 3]),
        (json!({"title.$in": ["a", null]}), &[1, 4]),
        (json!({"title.$notIn": ["a", "b"]}), &[3, 4]),
        (json!({"id.$notIn": [1]}), &[2, 3, 4]),
        (json!({"read.$gt": 1}), &[2, 3]),
        (json!({"read.$gte": "1"}), &[1, 2, 3]),
        (json!({"read.$lt": 1}), &[4]),
        (json!({"read": {"$lte": 10, "$gt": -5}}), &[1, 2]),
        (json!({"published": "true"}), &[1]),
        (json!({"published": false}), &[2, 3, 4]),
        // text
        (json!({"title.$like": "%a%"}), &[1]),
        (json!({"title.$notLike": "a"}), &[2, 3, 4]),
        (json!({"title.$includes": "c"}), &[3]),
        (json!({"title.$notIncludes": "c"}), &[1, 2, 4]),
        (json!({"code.$includes": "%"}), &[2]),
        (json!({"code.$includes": "r_s"}), &[3]),
        (json!({"code.$includes": "e_s"}), &[]),
        (json!({"code.$startsWith": "under"}), &[3]),
        (json!({"code.$endsWith": "0%"}), &[2]),
        // presence
        (json!({"content.$empty": true}), &all),
        (json!({"content.$notEmpty": true}), &[]),
        (json!({"title.$empty": false}), &[1, 2, 3]),
        (json!({"title.$exists": true}), &[1, 2, 3]),
        (json!({"title.$exists": "false"}), &[4]),
        (json!({"content.$exists": true}), &[3]),
        (json!({"meta.$empty": true}), &[2, 3, 4]),
        // logic
        (json!({"$and": [{"read.$gt": 0}, {"read.$lt": 50}]}), &[1, 2]),
        (json!({"$or": [{"title": "a"}, {"title": "b"}]}), &[1, 2]),
        (json!({"$or": {"0": {"title": "a"}, "1": {"title": "b"}}}), &[1, 2]),
        (json!({"$or": []}), &[]),
        (json!({"$and": []}), &all),
        (json!({"$not": {"title": "a"}}), &[2, 3, 4]),
        (json!({"title.$not": {"$in": ["a", "b"]}}), &[3, 4]),
        (json!({"read.$gt": 0, "title": ["a", "C"]}), &[1, 3]),
        (json!({"$or": [{"$and": [{"id": 1}, {"read": 1}]}, {"$not": {"title.$exists": true}}]}), &[1, 4]),
        // associations
        (json!({"category.title": "news"}), &[1]),
        (json!({"category": {"title": {"$eq": "news"}}}), &[1]),
        (json!({"category": {"title.$in": ["news", "other"]}}), &[1, 2]),
        (json!({"category.owner.nickname.$includes": "some"}), &[1]),
        (json!({"category": {"owner": {"username": "u"}}}), &[1]),
        (json!({"category": {"$or": [{"title": "news"}, {"title": "other"}]}}), &[1, 2]),
        (json!({"comments.content": "good"}), &[2, 4]),
        (json!({"comments.content.$ne": "good"}), &[2]),
        (json!({"tags.name": "red"}), &[1, 3]),
        (json!({"tags.name.$in": ["red", "blue"]}), &[1, 3]),
        (json!({"category": 2}), &[2]),
        (json!({"category": null}), &[3, 4]),
        (json!({"category.$exists": true}), &[1, 2]),
        (json!({"category": {"$exists": false}}), &[3, 4]),
        (json!({"comments.$empty": true}), &[1, 3]),
        (json!({"tags.$notEmpty": true}), &[1, 3]),
        (json!({"tags": [1, 2]}), &[1, 3]),
        (json!({"tags.$ne": 2}), &[2, 3, 4]),
        (json!({"comments": {}}), &[2, 4]),
    ];
    for (filter, expected) in cases {
        assert_eq!(&agree(&blog, "posts", filter).await, expected, "{filter}");
        let parsed = blog.filter("posts", filter).expect("a filter");
        let mut conn = blog.store.read().await.expect("a connection");
        let count = conn.count(&blog.get("posts"), &parsed).await.expect("a number");
        assert_eq!(count, expected.len() as u64, "{filter}");
    }
}

#[test_database::test]
async fn filters_that_make_no_sense_are_refused() {
    let blog = posts().await;
    let mut deep = json!({"id": 1});
    for _ in 0..20 {
        deep = json!({"$not": deep});
    }
    let long: Vec<i64> = (0..1_001).collect();
    let far = format!("{}title", "category.posts.".repeat(10));
    for (filter, expected) in [
        (json!({"nosuch": 1}), "UNKNOWN_FIELD"),
        (json!({"category.nosuch": 1}), "UNKNOWN_FIELD"),
        (json!({"tags.posts_tags": null}), "UNKNOWN_FIELD"),
        (json!({"category.owner.password.$like": "%"}), "UNKNOWN_FIELD"),
        (json!({"title.length": 1}), "UNKNOWN_FIELD"),
        (json!({"title.$regexp": "."}), "UNKNOWN_OPERATOR"),
        (json!({"title": {"a": 1}}), "UNKNOWN_OPERATOR"),
        (json!({"$where": "1"}), "UNKNOWN_OPERATOR"),
        (json!({"read": "many"}), "INVALID_VALUE"),
        (json!({"read.$gt": null}), "INVALID_VALUE"),
        (json!({"read.$like": "1"}), "INVALID_VALUE"),
        (json!({"title.$includes": "x".repeat(10_001)}), "INVALID_VALUE"),
        (json!({"title.$includes": {}}), "INVALID_VALUE"),
        (json!({"title.$exists": "maybe"}), "INVALID_VALUE"),
        (json!({"title": "a\0"}), "INVALID_VALUE"),
        (json!({"$and": 1}), "INVALID_VALUE"),
        (json!({"$or": [1]}), "INVALID_VALUE"),
        (json!([1]), "INVALID_VALUE"),
        (json!("x"), "INVALID_VALUE"),
        (json!({"id": long}), "FILTER_TOO_LARGE"),
        (json!({far: 1}), "FILTER_TOO_LARGE"),
        (deep, "FILTER_TOO_LARGE"),
    ] {
        assert_eq!(code(blog.filter("posts", &filter)), expected, "{filter}");
    }
}

#[test_database::test]
async fn keys_match() -> Result<(), StoreError> {
    let blog = posts().await;
    let by_key = async |collection: &str, key: Value| -> Result<usize, StoreError> {
        let find = Find { filter: Filter::by_key(&blog.get(collection), &key)?, ..Find::all(blog.get(collection)) };
        Ok(blog.store.read().await?.find(&find).await?.len())
    };
    for (collection, key, count) in [
        ("posts", json!(1), 1),
        ("posts", json!("1"), 1),
        ("posts", json!([1, "2", 99]), 2),
        ("posts", json!([]), 0),
        ("posts", json!({"id": 2, "title": "passed over"}), 1),
        ("posts_tags", json!({"postId": 1, "tagId": "2"}), 1),
        ("posts_tags", json!("{\"postId\":1,\"tagId\":2}"), 1),
        ("posts_tags", json!([{"postId": 1, "tagId": 1}, {"postId": 3, "tagId": 1}, {"postId": 3, "tagId": 2}]), 2),
    ] {
        assert_eq!(by_key(collection, key.clone()).await?, count, "{collection} {key}");
    }
    for (collection, key) in [
        ("posts", json!(null)),
        ("posts", json!("x")),
        ("posts", json!({"title": "a"})),
        ("posts_tags", json!(1)),
        ("posts_tags", json!({"postId": 1})),
    ] {
        assert_eq!(code(by_key(collection, key.clone()).await), "INVALID_VALUE", "{collection} {key}");
    }
    Ok(())
}

#[test_database::test]
async fn sorted_pages() -> Result<(), StoreError> {
    let blog = posts().await;
    let posts = blog.get("posts");
    let page = async |sort: &[&str], page: Option<(u64, u64)>| -> Result<Vec<i64>, StoreError> {
        let find = Find {
            sort: sort.iter().map(|text| Sort::parse(&posts, text)).collect::<Result<_, _>>()?,
            page: page.map(|(number, size)| Page { number, size }),
            ..Find::all(posts.clone())
        };
        let found = blog.store.read().await?.find(&find).await?;
        Ok(found.iter().filter_map(|post| post["id"].as_i64()).collect())
    };
    assert_eq!(page(&["-read"], None).await?, [3, 2, 1, 4]);
    assert_eq!(page(&["published", "-id"], None).await?, [4, 3, 2, 1]);
    assert_eq!(page(&["published"], None).await?, [2, 3, 4, 1]);
    assert_eq!(page(&["id"], Some((1, 3))).await?, [1, 2, 3]);
    assert_eq!(page(&["id"], Some((2, 3))).await?, [4]);
    assert_eq!(page(&["id"], Some((3, 3))).await?, Vec::<i64>::new());
    for out_of_range in [(0, 1), (1, 0), (1, 2_001), (u64::MAX, 2_000)] {
        assert_eq!(code(page(&[], Some(out_of_range)).await), "INVALID_VALUE", "{out_of_range:?}");
    }
    for field in ["nosuch", "category", "-", "", "id; DROP TABLE posts"] {
        assert_eq!(code(Sort::parse(&posts, field)), "UNKNOWN_FIELD", "{field}");
    }
    assert_eq!(code(Sort::parse(&blog.get("users"), "password")), "UNKNOWN_FIELD");
    Ok(())
}
