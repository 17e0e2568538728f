//! Every type of field: what is accepted, how it comes back, what is refused.

use serde_json::{Value, json};
use store::{StoreError, WriteOptions};

use crate::fixture::{Fixture, code};

async fn things() -> Fixture {
    let fixture = Fixture::empty().await;
    let fields = json!([
        {"type": "string", "name": "string"},
        {"type": "string", "name": "short", "length": 3},
        {"type": "select", "name": "select", "uiSchema": {"enum": [{"value": "a", "label": "A"}, {"value": "b"}]}},
        {"type": "text", "name": "text"},
        {"type": "integer", "name": "integer"},
        {"type": "bigInt", "name": "bigInt"},
        {"type": "double", "name": "double"},
        {"type": "decimal", "name": "decimal", "scale": 3},
        {"type": "boolean", "name": "boolean"},
        {"type": "datetime", "name": "moment"},
        {"type": "dateOnly", "name": "day"},
        {"type": "time", "name": "time"},
        {"type": "json", "name": "json"},
        {"type": "uuid", "name": "uuid"},
        {"type": "multipleSelect", "name": "list", "enum": ["x", "y"]},
    ]);
    fixture.collection(json!({"name": "things", "fields": fields})).await.expect("a collection");
    fixture
}

/// Stores each value in the field and compares what comes back, then clears it.
async fn check(field: &str, cases: &[(Value, Value)]) {
    let fixture = things().await;
    for (given, stored) in cases {
        let created = fixture.create("things", json!({field: given})).await.expect("a record");
        assert_eq!(&created[field], stored, "{field}: {given}");
        let found = fixture.find("things", json!({"id": created["id"], field: given}), &[]).await;
        if !matches!(field, "json" | "list") {
            assert_eq!(found.expect("a record"), std::slice::from_ref(&created), "{field} = {given}");
        }
        let by_id = json!({"id": created["id"]});
        let cleared = fixture.update("things", by_id, json!({field: null}), WriteOptions::default()).await;
        assert_eq!(cleared.expect("a record")[0][field], Value::Null);
    }
}

async fn refused(field: &str, values: &[Value]) {
    let fixture = things().await;
    for value in values {
        let error = fixture.create("things", json!({field: value})).await.expect_err("a refusal");
        let StoreError::Invalid { code: "INVALID_VALUE", message } = &error else { panic!("{value}: {error}") };
        assert!(message.contains(field), "{message}");
    }
    assert_eq!(fixture.find("things", json!({}), &[]).await.expect("nothing"), Vec::<Value>::new());
}

#[test_database::test]
async fn texts() {
    let hard = "ü\"'\\\n\u{2028}{{x}}😀 %_";
    check(
        "string",
        &[(json!("a"), json!("a")), (json!(""), json!("")), (json!(hard), json!(hard)), (json!(5), json!("5"))],
    )
    .await;
    let full = "é".repeat(255);
    check("string", &[(json!(full), json!(full))]).await;
    let long = "x".repeat(100_000);
    check("text", &[(json!(long), json!(long))]).await;
    check("short", &[(json!("äöü"), json!("äöü"))]).await;
    check("select", &[(json!("b"), json!("b"))]).await;
    refused("string", &[json!("é".repeat(256)), json!(true), json!({}), json!(["a"]), json!("a\0b")]).await;
    refused("short", &[json!("abcd")]).await;
    refused("select", &[json!("c")]).await;
}

#[test_database::test]
async fn numbers() {
    check(
        "integer",
        &[
            (json!(5), json!(5)),
            (json!("-5"), json!(-5)),
            (json!(5.0), json!(5)),
            (json!(2_147_483_647), json!(2_147_483_647)),
        ],
    )
    .await;
    refused("integer", &[json!(2_147_483_648_i64), json!(1.5), json!("x"), json!(""), json!(true), json!([1])]).await;
    let exact = 9_007_199_254_740_992_i64;
    check("bigInt", &[(json!(exact), json!(exact)), (json!("9223372036854775807"), json!("9223372036854775807"))])
        .await;
    refused("bigInt", &[json!("9223372036854775808"), json!(0.5)]).await;
    check("double", &[(json!(1.5), json!(1.5)), (json!("1e3"), json!(1000)), (json!(-0.1), json!(-0.1))]).await;
    refused("double", &[json!("NaN"), json!("inf"), json!("x")]).await;
    check(
        "decimal",
        &[
            (json!("0.1"), json!("0.100")),
            (json!(12.3455), json!("12.346")),
            (json!("-12.3455"), json!("-12.346")),
            (json!("9000000000000"), json!("9000000000000.000")),
        ],
    )
    .await;
    refused("decimal", &[json!("90000000000000000000"), json!("1,5"), json!(false)]).await;
}

#[test_database::test]
async fn booleans() {
    check("boolean", &[(json!(true), json!(true)), (json!("false"), json!(false)), (json!(1), json!(true))]).await;
    refused("boolean", &[json!("yes"), json!(2), json!([])]).await;
}

#[test_database::test]
async fn times() {
    check(
        "moment",
        &[
            (json!("2024-02-03T04:05:06+01:00"), json!("2024-02-03T03:05:06.000Z")),
            (json!(1_000), json!("1970-01-01T00:00:01.000Z")),
        ],
    )
    .await;
    refused("moment", &[json!("yesterday"), json!(true)]).await;
    check("day", &[(json!("2024-02-29"), json!("2024-02-29")), (json!("2024-02-29T10:00:00Z"), json!("2024-02-29"))])
        .await;
    refused("day", &[json!("2023-02-29"), json!(5)]).await;
    check("time", &[(json!("07:08"), json!("07:08:00")), (json!("07:08:09"), json!("07:08:09"))]).await;
    refused("time", &[json!("25:00"), json!(7)]).await;
}

#[test_database::test]
async fn structures() {
    let value = json!({"a": [1, "b", null, {"c": 1.5}], "z": "\u{0}"});
    check("json", &[(value.clone(), value), (json!([]), json!([])), (json!("text"), json!("text"))]).await;
    check("list", &[(json!(["y", "x"]), json!(["y", "x"])), (json!([]), json!([]))]).await;
    refused("list", &[json!(["z"]), json!([1]), json!("x")]).await;
    let id = "936da01f-9abd-4d9d-80c7-02af85c822a8";
    check("uuid", &[(json!(id.to_uppercase()), json!(id))]).await;
    refused("uuid", &[json!("1"), json!(1)]).await;
}

#[test_database::test]
async fn a_uuid_is_made_when_none_is_given() -> Result<(), StoreError> {
    let fixture = things().await;
    let (first, second) = (fixture.create("things", json!({})).await?, fixture.create("things", json!({})).await?);
    assert_eq!(first["uuid"].as_str().map(str::len), Some(36));
    assert_ne!(first["uuid"], second["uuid"]);
    Ok(())
}

#[test_database::test]
async fn required_fields_and_defaults() -> Result<(), StoreError> {
    let fixture = Fixture::empty().await;
    let fields = json!([
        {"type": "string", "name": "must", "allowNull": false},
        {"type": "string", "name": "state", "defaultValue": "new"},
        {"type": "string", "name": "secret", "hidden": true},
    ]);
    fixture.collection(json!({"name": "things", "fields": fields})).await?;
    assert_eq!(code(fixture.create("things", json!({})).await), "REQUIRED");
    assert_eq!(code(fixture.create("things", json!({"must": null})).await), "REQUIRED");
    let thing = fixture.create("things", json!({"must": "x", "secret": "s"})).await?;
    assert_eq!(thing["state"], "new");
    assert_eq!(thing.get("secret"), None);
    let emptied = fixture.update("things", json!({}), json!({"must": null}), WriteOptions::default()).await;
    assert_eq!(code(emptied), "REQUIRED");
    let cleared = fixture.create("things", json!({"must": "x", "state": null})).await?;
    assert_eq!(cleared["state"], Value::Null);
    Ok(())
}

#[test_database::test]
async fn stamps_and_authors_are_the_stores_own() -> Result<(), StoreError> {
    let blog = Fixture::blog().await;
    let given = json!({"title": "x", "createdAt": "2001-01-01", "updatedAt": "2001-01-01", "createdById": 77,
        "updatedById": 77, "createdBy": {"id": 77}});
    let post = blog.create("posts", given).await?;
    assert_eq!(post["createdById"], Value::Null);
    assert!(post["createdAt"].as_str().is_some_and(|moment| moment > "2020" && moment.ends_with('Z')));
    assert_eq!(post["createdAt"], post["updatedAt"]);

    let user = blog.create("users", json!({"username": "u"})).await?;
    let options = crate::fixture::by(&user);
    // A form sends back the whole record.
    let mut values = post.clone();
    values["title"] = json!("y");
    let changed = blog.update("posts", json!({"id": post["id"]}), values, options).await?.remove(0);
    assert_eq!(changed["id"], post["id"]);
    assert_eq!(changed["title"], "y");
    assert_eq!(changed["createdAt"], post["createdAt"]);
    assert!(changed["updatedAt"].as_str() >= post["updatedAt"].as_str());
    assert_eq!(changed["createdById"], Value::Null);
    assert_eq!(changed["updatedById"], user["id"]);
    Ok(())
}
