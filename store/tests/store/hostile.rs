//! Names and values that try to become SQL.

use serde_json::{Value, json};
use store::{Filter, Find, Select, Sort, StoreError, WriteOptions};

use crate::fixture::{Fixture, code, record};

const ATTACKS: [&str; 12] = [
    "'; DROP TABLE posts; --",
    "\"; DROP TABLE posts; --",
    "' OR '1'='1",
    "\" OR \"1\"=\"1",
    "a\" = 1 OR \"a",
    "title\" FROM users --",
    "?1",
    "$1",
    ":name",
    "`posts`",
    "[posts]",
    "/* */ UNION SELECT password FROM users",
];

#[test_database::test]
async fn values_stay_values() -> Result<(), StoreError> {
    let blog = Fixture::blog().await;
    blog.create("posts", json!({"title": "innocent"})).await?;
    for attack in ATTACKS {
        let post = blog.create("posts", json!({"title": attack, "meta": {attack: attack}, "content": attack})).await?;
        assert_eq!(post["title"], attack);
        assert_eq!(post["meta"][attack], attack);
        for filter in [
            json!({"title": attack}),
            json!({"title.$in": [attack, attack]}),
            json!({"content.$includes": attack, "title.$startsWith": attack}),
            json!({"content.$like": attack.replace('%', "\\%").replace('_', "\\_")}),
        ] {
            assert_eq!(blog.find("posts", filter.clone(), &[]).await?, std::slice::from_ref(&post), "{filter}");
        }
        let by_title = json!({"title": attack});
        let changed = blog.update("posts", by_title.clone(), json!({"content": "x"}), WriteOptions::default()).await?;
        assert_eq!(changed.len(), 1, "{attack}");
        assert_eq!(blog.destroy("posts", by_title).await?.len(), 1, "{attack}");
    }
    assert_eq!(blog.find("posts", json!({}), &[]).await?.len(), 1);
    Ok(())
}

#[test_database::test]
async fn names_are_known_or_refused() -> Result<(), StoreError> {
    let blog = Fixture::blog().await;
    let posts = blog.get("posts");
    for attack in ATTACKS {
        assert_eq!(code(blog.store.schema().collection(attack).cloned()), "UNKNOWN_COLLECTION", "{attack}");
        assert_eq!(code(blog.collection(json!({"name": attack})).await), "INVALID_NAME", "{attack}");
        assert_eq!(
            code(blog.field("posts", json!({"type": "string", "name": attack})).await),
            "INVALID_NAME",
            "{attack}"
        );
        assert_eq!(code(blog.create("posts", json!({attack: 1})).await), "UNKNOWN_FIELD", "{attack}");
        assert_eq!(code(blog.create("posts", json!({"comments": [{attack: 1}]})).await), "UNKNOWN_FIELD", "{attack}");
        assert_eq!(code(blog.find("posts", json!({}), &[attack]).await), "UNKNOWN_FIELD", "{attack}");
        assert_eq!(code(Sort::parse(&posts, attack)), "UNKNOWN_FIELD", "{attack}");
        assert!(blog.find("posts", json!({attack: 1}), &[]).await.is_err(), "{attack}");
        assert!(blog.find("posts", json!({"title": {attack: 1}}), &[]).await.is_err(), "{attack}");
        assert!(blog.find("posts", json!({"id": attack}), &[]).await.is_err(), "{attack}");
        assert!(Filter::by_key(&posts, &json!(attack)).is_err(), "{attack}");
        for option in ["foreignKey", "otherKey", "through", "sourceKey", "targetKey", "target"] {
            let definition = json!({"type": "belongsToMany", "name": "x", "target": "tags", option: attack});
            assert!(blog.field("posts", definition).await.is_err(), "{option}: {attack}");
        }
    }
    assert_eq!(blog.find("posts", json!({}), &[]).await?, Vec::<Value>::new());
    Ok(())
}

#[test_database::test]
async fn words_of_the_language_are_names_like_any_other() -> Result<(), StoreError> {
    let fixture = Fixture::empty().await;
    let words =
        ["select", "order", "group", "table", "values", "rowid", "TRUE", "FALSE", "NULLS", "key", "json_each", "value"];
    assert_eq!(code(fixture.collection(json!({"name": "Json_Each"})).await), "INVALID_NAME");
    for word in words.into_iter().filter(|word| *word != "json_each") {
        let fields: Vec<Value> =
            words.iter().map(|name| json!({"type": "string", "name": name, "unique": true})).collect();
        fixture.collection(json!({"name": word, "fields": fields})).await?;
        fixture
            .field(word, json!({"type": "belongsTo", "name": "where", "target": word, "foreignKey": "from"}))
            .await?;
        let created = fixture.create(word, json!({word: "x", "where": {"group": "g"}})).await?;
        let filter = json!({word: ["x", "y"], "where.group": "g", "where.rowid": null});
        let found = fixture.find(word, filter, &["where"]).await?;
        assert_eq!(found, [created]);
        let find = Find {
            sort: vec![Sort::parse(&fixture.get(word), "-select")?],
            select: Select { fields: vec![word.to_owned()], ..Select::default() },
            ..Find::all(fixture.get(word))
        };
        let sorted = fixture.store.read().await?.find(&find).await?;
        assert_eq!(sorted.len(), 2, "{word}");
        assert_eq!(sorted[0], record(json!({word: sorted[0][word]})));
        assert_eq!(fixture.find(word, json!({"$not": {word: []}, "$or": [{}]}), &[]).await?.len(), 2, "{word}");
        assert_eq!(fixture.find(word, json!({"$not": {"$and": []}}), &[]).await?.len(), 0, "{word}");
    }
    Ok(())
}
