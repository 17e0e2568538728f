//! Foreign keys as associations.

use serde_json::{Value, json};
use store::{AssociationKind, StoreError};

use super::source::Source;

/// Orders of customers, with what they refer to twice, to themselves, in a circle, and by several columns.
const SHOP: [&str; 6] = [
    "CREATE TABLE customers (id INTEGER PRIMARY KEY, name VARCHAR(40), favourite_id INTEGER)",
    "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL, payer_id INTEGER, parent INTEGER, \
     FOREIGN KEY (customer_id) REFERENCES customers (id), FOREIGN KEY (payer_id) REFERENCES customers (id), \
     FOREIGN KEY (parent) REFERENCES orders (id))",
    "CREATE TABLE invoices (\"orderId\" INTEGER PRIMARY KEY, total INTEGER, \
     FOREIGN KEY (\"orderId\") REFERENCES orders (id) ON DELETE CASCADE)",
    "CREATE TABLE places (order_id INTEGER NOT NULL, number INTEGER NOT NULL, orders INTEGER, \
     PRIMARY KEY (order_id, number), FOREIGN KEY (order_id) REFERENCES orders (id))",
    "CREATE TABLE remarks (id INTEGER PRIMARY KEY, order_id INTEGER, number INTEGER, \
     FOREIGN KEY (order_id, number) REFERENCES places (order_id, number))",
    "CREATE INDEX by_customer ON orders (customer_id)",
];

#[test_database::test_all]
async fn foreign_keys_lead_both_ways() -> Result<(), StoreError> {
    let shop = Source::with(&SHOP).await;
    let associations = |collection: &str| -> Vec<String> {
        let collection = shop.get(collection);
        let named = collection.fields.iter().filter_map(|field| Some((field, field.association()?)));
        named
            .map(|(field, association)| {
                let kind = match association.kind {
                    AssociationKind::BelongsTo => "belongsTo",
                    AssociationKind::HasOne => "hasOne",
                    AssociationKind::HasMany => "hasMany",
                    AssociationKind::BelongsToMany => "belongsToMany",
                };
                format!("{} {kind} {}.{}", field.name, association.target, association.foreign_key)
            })
            .collect()
    };
    assert_eq!(
        associations("customers"),
        ["orders hasMany orders.customer_id", "orders_payer_id hasMany orders.payer_id"]
    );
    assert_eq!(
        associations("orders"),
        [
            "customer belongsTo customers.customer_id",
            "payer belongsTo customers.payer_id",
            "orders belongsTo orders.parent",
            "invoices hasOne invoices.orderId",
            "orders_parent hasMany orders.parent",
            "places hasMany places.order_id",
        ]
    );
    assert_eq!(associations("invoices"), ["order belongsTo orders.orderId"]);
    assert_eq!(associations("places"), ["order belongsTo orders.order_id"]);
    assert_eq!(associations("remarks"), Vec::<String>::new());
    assert_eq!(shop.left_out(), ["remarks"]);
    Ok(())
}

#[test_database::test_all]
async fn associations_are_loaded_filtered_and_written() -> Result<(), StoreError> {
    let shop = Source::with(&SHOP).await;
    let order = shop
        .create(
            "orders",
            json!({"id": 7, "customer": {"id": 1, "name": "Ada"}, "invoices": {"orderId": 7, "total": 5},
                "places": [{"order_id": 7, "number": 1}, {"order_id": 7, "number": 2}]}),
        )
        .await;
    // A record that is named by its key is linked, and has to be there.
    assert!(order.is_err(), "{order:?}");
    shop.create("customers", json!({"id": 1, "name": "Ada"})).await?;
    let order = shop.create("orders", json!({"id": 7, "customer": 1})).await?;
    assert_eq!((&order["customer_id"], &order["customer"]["name"]), (&json!(1), &json!("Ada")));
    shop.create("invoices", json!({"orderId": 7, "total": 5})).await?;
    for number in [2, 1] {
        shop.create("places", json!({"order_id": 7, "number": number})).await?;
    }

    let found =
        shop.find("orders", json!({"customer.name": "Ada"}), &["customer", "invoices", "places", "orders"]).await?;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["invoices"]["total"], 5);
    assert_eq!(found[0]["orders"], Value::Null);
    let numbers: Vec<_> = found[0]["places"].as_array().expect("places").iter().map(|line| &line["number"]).collect();
    assert_eq!(numbers, [1, 2]);
    assert_eq!(shop.find("customers", json!({"orders.places.number": 2}), &["orders.places"]).await?.len(), 1);
    assert_eq!(shop.find("customers", json!({"orders.places.number": 3}), &[]).await?.len(), 0);
    let line = shop.find("places", json!({"order_id": 7, "number": 2}), &["order.customer"]).await?;
    assert_eq!(line[0]["order"]["customer"]["id"], 1);

    // The database's own rules say what becomes of what refers to it.
    let refused = shop.destroy("customers", json!({"id": 1})).await;
    assert!(matches!(refused, Err(StoreError::Invalid { code: "DANGLING_ASSOCIATION", .. })), "{refused:?}");
    let dangling = shop.create("orders", json!({"id": 8, "customer_id": 404})).await;
    assert!(matches!(dangling, Err(StoreError::Invalid { code: "DANGLING_ASSOCIATION", .. })), "{dangling:?}");
    shop.destroy("places", json!({})).await?;
    shop.destroy("orders", json!({"id": 7})).await?;
    assert_eq!(shop.find("invoices", json!({}), &[]).await?, Vec::<Value>::new());
    Ok(())
}
