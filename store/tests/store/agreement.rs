//! A filter says the same of a record at hand as the database says of its row.

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};

use crate::fixture::{Fixture, record};

/// Asks both: the database with SQL, and the filter itself with each record.
#[track_caller]
fn check(asked: &[i64], matched: &[i64], filter: &Value) {
    assert_eq!(asked, matched, "the database and the record disagree about {filter}");
}

/// Tries `filter` on every record of a collection, and compares with what SQL selects. Answers the keys.
pub(crate) async fn agree(blog: &Fixture, collection: &str, filter: &Value) -> Vec<i64> {
    let parsed = blog.filter(collection, filter).expect("a filter");
    let appends = parsed.associations();
    let appends: Vec<&str> = appends.iter().map(String::as_str).collect();
    let ids = |records: &[Value]| -> Vec<i64> { records.iter().filter_map(|record| record["id"].as_i64()).collect() };

    let asked = blog.find(collection, filter.clone(), &[]).await.expect("records");
    let mut all = blog.find(collection, json!({}), &appends).await.expect("records");
    let (schema, found) = (blog.store.schema(), blog.get(collection));
    all.retain(|at_hand| parsed.matches(&schema, &found, &record(at_hand.clone())));
    check(&ids(&asked), &ids(&all), filter);
    ids(&asked)
}

/// One collection with a field of every type, and records with and without values.
async fn everything() -> Fixture {
    let blog = Fixture::blog().await;
    let field = |kind: &str| json!({"type": kind, "name": kind});
    let kinds =
        ["string", "text", "integer", "bigInt", "double", "boolean", "datetime", "date", "time", "json", "uuid"];
    let mut fields: Vec<Value> = kinds.map(field).into();
    fields.push(json!({"type": "decimal", "name": "decimal", "scale": 2}));
    fields.push(json!({"type": "array", "name": "array"}));
    fields.push(json!({"type": "belongsTo", "name": "category", "target": "categories", "foreignKey": "categoryId"}));
    blog.collection(json!({"name": "all", "fields": fields})).await.expect("a collection");
    for values in [
        json!({}),
        json!({"string": "", "text": "", "integer": 0, "double": 0.5, "boolean": false, "json": [], "array": []}),
        json!({"string": "Ä b_c%", "text": "line\nline", "integer": -7, "bigInt": "9007199254740993", "double": 1e9,
            "boolean": true, "datetime": "2024-02-03T04:05:06.789Z", "date": "2024-02-03", "time": "04:05",
            "json": {"b": 1, "a": ["x", 2.5]}, "uuid": "6F9619FF-8B86-D011-B42D-00C04FC964FF", "decimal": "12.345",
            "array": ["x", "y \"z\""], "category": {"title": "news"}}),
        json!({"string": "ä B_C%", "integer": 7, "bigInt": 7, "double": 2, "datetime": "2024-02-03", "date": "1999-12-31",
            "time": "23:59:59", "json": "x", "decimal": -3, "array": ["X"], "category": {"title": "News", "owner": null}}),
    ] {
        blog.create("all", values).await.expect("a record");
    }
    blog
}

fn operand() -> impl Strategy<Value = Value> {
    prop_oneof![
        2 => prop_oneof![-8_i64..9, Just(9_007_199_254_740_993)].prop_map(Value::from),
        1 => prop_oneof![Just(0.5), Just(2.0), Just(12.35), Just(1e9)].prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        4 => prop_oneof![
            "[%_\\\\aBcÄä x]{0,5}",
            Just("2024-02-03".to_owned()), Just("2024-02-03T04:05:06.789Z".to_owned()), Just("04:05".to_owned()),
            Just("12.35".to_owned()), Just("6f9619ff-8b86-d011-b42d-00c04fc964ff".to_owned()), Just("x".to_owned()),
        ].prop_map(Value::from),
        1 => Just(json!([])),
        1 => Just(json!({"a": ["x", 2.5], "b": 1})),
        1 => Just(Value::Null),
    ]
}

fn filter() -> impl Strategy<Value = Value> {
    let path = prop::sample::select(vec![
        "string",
        "text",
        "integer",
        "bigInt",
        "double",
        "boolean",
        "datetime",
        "date",
        "time",
        "json",
        "uuid",
        "decimal",
        "array",
        "categoryId",
        "category",
        "category.title",
        "category.owner.username",
        "id",
    ]);
    let one = prop::sample::select(vec![
        "$eq",
        "$ne",
        "$gt",
        "$gte",
        "$lt",
        "$lte",
        "$like",
        "$notLike",
        "$includes",
        "$notIncludes",
        "$startsWith",
        "$endsWith",
        "$in",
    ]);
    let condition = prop_oneof![
        6 => (path.clone(), one, operand()).prop_map(|(path, operator, operand)| json!({path: {operator: operand}})),
        2 => (path.clone(), prop::sample::select(vec!["$in", "$notIn"]), prop::collection::vec(operand(), 0..4))
            .prop_map(|(path, operator, operands)| json!({path: {operator: operands}})),
        2 => (path, prop::sample::select(vec!["$empty", "$notEmpty", "$exists"]), any::<bool>())
            .prop_map(|(path, operator, truth)| json!({path: {operator: truth}})),
    ];
    condition.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(|parts| json!({"$and": parts})),
            prop::collection::vec(inner.clone(), 0..3).prop_map(|parts| json!({"$or": parts})),
            inner.prop_map(|part| json!({"$not": part})),
        ]
    })
}

#[test]
fn records_agree_with_their_rows() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let blog = runtime.block_on(everything());
    let accepted = std::cell::Cell::new(0_u32);
    let mut runner = TestRunner::new(Config { cases: 600, failure_persistence: None, ..Config::default() });
    runner
        .run(&filter(), |filter| {
            // Many operands do not fit their field, and are refused before anything is compared.
            if blog.filter("all", &filter).is_ok() {
                runtime.block_on(agree(&blog, "all", &filter));
                accepted.set(accepted.get() + 1);
            }
            Ok(())
        })
        .expect("no filter is judged differently");
    assert!(accepted.get() > 150, "only {} filters were tried", accepted.get());
}
