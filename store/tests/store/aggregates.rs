//! Counts, sums, averages and extremes, over all records and over related ones.

use serde_json::{Value, json};
use store::{Aggregate, Aggregator, Filter, RelatedTo, Repeated, StoreError};

use crate::fixture::{Fixture, code};

/// Four products, one without a price, and two orders.
async fn shop() -> Fixture {
    let shop = Fixture::empty().await;
    for definition in [
        json!({"name": "products", "fields": [
            {"type": "string", "name": "name"}, {"type": "integer", "name": "stock"}, {"type": "double", "name": "weight"},
            {"type": "decimal", "name": "price", "scale": 2}, {"type": "dateOnly", "name": "since"}, {"type": "password", "name": "pin"}]}),
        json!({"name": "lines", "autoGenId": false, "filterTargetKey": ["orderId", "productId"], "fields": [
            {"type": "bigInt", "name": "orderId"}, {"type": "bigInt", "name": "productId"}]}),
        json!({"name": "orders", "fields": [
            {"type": "belongsTo", "name": "first", "target": "products", "foreignKey": "firstId"},
            {"type": "belongsToMany", "name": "products", "target": "products", "through": "lines", "foreignKey": "orderId",
                "otherKey": "productId", "sourceKey": "id", "targetKey": "id"}]}),
        json!({"name": "shelves", "fields": [
            {"type": "hasMany", "name": "products", "target": "products", "foreignKey": "shelfId"}]}),
    ] {
        shop.collection(definition).await.expect("a collection");
    }
    for values in [
        json!({"name": "a", "stock": 3, "weight": 0.5, "price": "10.10", "since": "2024-02-01"}),
        json!({"name": "b", "stock": 3, "weight": 1.5, "price": "0.25", "since": "2023-12-31"}),
        json!({"name": "c", "stock": -1, "price": "100.00"}),
        json!({"name": null, "stock": 10}),
    ] {
        shop.create("products", values).await.expect("a product");
    }
    shop.create("orders", json!({"first": 1, "products": [1, 3]})).await.expect("an order");
    shop.create("orders", json!({"products": []})).await.expect("an order");
    shop.create("shelves", json!({"products": [2, 3, 4]})).await.expect("a shelf");
    shop
}

async fn aggregate(shop: &Fixture, aggregator: Aggregator, field: &str, filter: Value) -> Result<Value, StoreError> {
    aggregated(shop, aggregator, field, filter, Repeated::Counted, None).await
}

async fn aggregated(
    shop: &Fixture,
    aggregator: Aggregator,
    field: &str,
    filter: Value,
    repeated: Repeated,
    related: Option<(&str, Value, &str)>,
) -> Result<Value, StoreError> {
    let mut conn = shop.store.read().await?;
    let schema = conn.schema().clone();
    let collection = schema.collection("products")?.clone();
    let filter = Filter::parse(&schema, &collection, &filter)?;
    let related_to = match related {
        None => None,
        Some((name, key, association)) => {
            Some(RelatedTo { collection: schema.collection(name)?.clone(), key, association: association.to_owned() })
        }
    };
    let field = (!field.is_empty()).then(|| field.to_owned());
    conn.aggregate(&Aggregate { collection, filter, related_to, aggregator, field, repeated }).await
}

#[test_database::test]
async fn values_keep_their_form() {
    let shop = shop().await;
    let all = || json!({});
    let none = || json!({"id": 99});
    for (aggregator, field, filter, want) in [
        (Aggregator::Count, "", all(), json!(4)),
        (Aggregator::Count, "name", all(), json!(3)),
        (Aggregator::Count, "", json!({"stock.$gt": 0}), json!(3)),
        (Aggregator::Count, "", none(), json!(0)),
        (Aggregator::Sum, "stock", all(), json!(15)),
        (Aggregator::Sum, "price", all(), json!("110.35")),
        (Aggregator::Sum, "weight", all(), json!(2)),
        (Aggregator::Sum, "stock", none(), json!(0)),
        (Aggregator::Sum, "price", none(), json!("0.00")),
        (Aggregator::Average, "stock", all(), json!(3.75)),
        (Aggregator::Average, "price", json!({"id": [1, 2]}), json!(5.175)),
        (Aggregator::Average, "stock", none(), json!(null)),
        (Aggregator::Minimum, "price", all(), json!("0.25")),
        (Aggregator::Maximum, "price", all(), json!("100.00")),
        (Aggregator::Minimum, "since", all(), json!("2023-12-31")),
        (Aggregator::Maximum, "name", all(), json!("c")),
        (Aggregator::Maximum, "name", none(), json!(null)),
    ] {
        let got = aggregate(&shop, aggregator, field, filter.clone()).await.expect("an answer");
        assert_eq!(got, want, "{aggregator:?} {field} {filter}");
    }
    for (aggregator, want) in
        [(Aggregator::Count, json!(3)), (Aggregator::Sum, json!(12)), (Aggregator::Average, json!(4.0))]
    {
        let got = aggregated(&shop, aggregator, "stock", json!({}), Repeated::Once, None).await.expect("an answer");
        assert_eq!(got, want, "{aggregator:?} of distinct values");
    }
}

#[test_database::test]
async fn related_records_only() {
    let shop = shop().await;
    for (related, filter, want) in [
        (("orders", json!(1), "products"), json!({}), json!(2)),
        (("orders", json!("1"), "products"), json!({}), json!(2)),
        (("orders", json!(1), "products"), json!({"stock.$gt": 0}), json!(3)),
        (("orders", json!(2), "products"), json!({}), json!(0)),
        (("orders", json!(99), "products"), json!({}), json!(0)),
        (("orders", json!(1), "first"), json!({}), json!(3)),
        (("shelves", json!(1), "products"), json!({}), json!(12)),
    ] {
        let got = aggregated(&shop, Aggregator::Sum, "stock", filter, Repeated::Counted, Some(related.clone()))
            .await
            .expect("an answer");
        assert_eq!(got, want, "{related:?}");
    }
}

#[test_database::test]
async fn mistakes_are_told() {
    let shop = shop().await;
    for (aggregator, field, want) in [
        (Aggregator::Sum, "", "REQUIRED"),
        (Aggregator::Sum, "name", "INVALID_VALUE"),
        (Aggregator::Average, "since", "INVALID_VALUE"),
        (Aggregator::Count, "nosuch", "UNKNOWN_FIELD"),
        // A secret's hash is nothing to compare.
        (Aggregator::Maximum, "pin", "UNKNOWN_FIELD"),
    ] {
        let got = aggregate(&shop, aggregator, field, json!({})).await;
        assert_eq!(code(got), want, "{aggregator:?} {field}");
    }
    for related in
        [("orders", json!(1), "nosuch"), ("orders", json!(null), "products"), ("nosuch", json!(1), "products")]
    {
        let got = aggregated(&shop, Aggregator::Count, "", json!({}), Repeated::Counted, Some(related.clone())).await;
        assert!(matches!(got, Err(StoreError::Invalid { .. })), "{related:?}: {got:?}");
    }
}
