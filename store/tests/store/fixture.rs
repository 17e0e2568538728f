//! A database of its own for each test, with the collections of a small blog.

use std::sync::Arc;

use serde_json::{Value, json};
use store::{Collection, Filter, Find, Record, Select, Store, StoreError, UserId, WriteOptions};
use test_database::TestDatabase;

/// A store on a database of its own.
pub(crate) struct Fixture {
    pub(crate) store: Store,
    database: TestDatabase,
}

impl Fixture {
    /// A new database with the built-in collections.
    pub(crate) async fn empty() -> Self {
        Self::on(TestDatabase::new()).await
    }

    /// A new database with posts, categories, tags, comments and summaries.
    pub(crate) async fn blog() -> Self {
        let fixture = Self::empty().await;
        let stamps = |mut definition: Value| {
            for option in ["createdAt", "updatedAt", "createdBy", "updatedBy"] {
                definition[option] = json!(true);
            }
            definition
        };
        for definition in [
            json!({"name": "categories", "fields": [{"type": "string", "name": "title"}]}),
            json!({"name": "tags", "fields": [{"type": "string", "name": "name"}]}),
            json!({"name": "posts", "title": "Posts", "fields": [
                {"type": "string", "name": "title"},
                {"type": "string", "name": "content"},
                {"type": "integer", "name": "read", "defaultValue": 0},
                {"type": "boolean", "name": "published", "defaultValue": false},
                {"type": "string", "name": "code", "unique": true},
                {"type": "json", "name": "meta"},
            ]}),
            json!({"name": "comments", "fields": [{"type": "text", "name": "content"}]}),
            json!({"name": "summaries", "fields": [{"type": "string", "name": "title"}]}),
            json!({"name": "posts_tags", "autoGenId": false, "filterTargetKey": ["postId", "tagId"], "fields": [
                {"type": "bigInt", "name": "postId"}, {"type": "bigInt", "name": "tagId"},
                {"type": "string", "name": "remark"},
            ]}),
        ] {
            fixture.collection(stamps(definition)).await.expect("a collection");
        }
        for (collection, field) in [
            (
                "posts",
                json!({"type": "belongsTo", "name": "category", "target": "categories", "foreignKey": "categoryId",
                "targetKey": "id"}),
            ),
            (
                "posts",
                json!({"type": "hasMany", "name": "comments", "target": "comments", "foreignKey": "postId",
                "sourceKey": "id", "targetKey": "id"}),
            ),
            (
                "posts",
                json!({"type": "belongsToMany", "name": "tags", "target": "tags", "through": "posts_tags",
                "foreignKey": "postId", "otherKey": "tagId", "sourceKey": "id", "targetKey": "id"}),
            ),
            ("posts", json!({"type": "hasOne", "name": "summary", "target": "summaries", "foreignKey": "postId"})),
            ("categories", json!({"type": "hasMany", "name": "posts", "target": "posts", "foreignKey": "categoryId"})),
            ("categories", json!({"type": "belongsTo", "name": "owner", "target": "users", "foreignKey": "ownerId"})),
            ("comments", json!({"type": "belongsTo", "name": "post", "target": "posts", "foreignKey": "postId"})),
        ] {
            fixture.field(collection, field).await.expect("a field");
        }
        fixture
    }

    /// What is in a database already.
    pub(crate) async fn on(database: TestDatabase) -> Self {
        let store = open(&database).await;
        Self { store, database }
    }

    /// Where the database is.
    pub(crate) fn url(&self) -> &str {
        self.database.url()
    }

    /// The database once more, as another process would have it.
    pub(crate) async fn open_again(&self) -> Store {
        open(&self.database).await
    }

    /// The same, on a machine with this clock.
    pub(crate) async fn open_by(&self, clock: store::Clock) -> Store {
        Store::open_by(self.database.url(), clock).await.expect("the database opens")
    }

    /// Carries out a statement past the store.
    pub(crate) async fn execute(&self, statement: &'static str) {
        self.database.execute(statement).await;
    }

    /// Closes the database and opens it again.
    pub(crate) async fn reopen(self) -> Self {
        self.store.close().await;
        let store = open(&self.database).await;
        Self { store, database: self.database }
    }

    pub(crate) fn get(&self, collection: &str) -> Arc<Collection> {
        Arc::clone(self.store.schema().collection(collection).expect("a known collection"))
    }

    pub(crate) async fn collection(&self, definition: Value) -> Result<Arc<Collection>, StoreError> {
        let definition = record(definition);
        self.store.write(move |tx| Box::pin(async move { tx.create_collection(&definition).await })).await
    }

    pub(crate) async fn field(&self, collection: &str, definition: Value) -> Result<store::Field, StoreError> {
        let (collection, definition) = (collection.to_owned(), record(definition));
        self.store.write(move |tx| Box::pin(async move { tx.create_field(&collection, &definition).await })).await
    }

    pub(crate) async fn create(&self, collection: &str, values: Value) -> Result<Value, StoreError> {
        self.create_with(collection, values, WriteOptions::default()).await
    }

    pub(crate) async fn create_with(
        &self,
        collection: &str,
        values: Value,
        options: WriteOptions,
    ) -> Result<Value, StoreError> {
        let (collection, values) = (self.get(collection), record(values));
        let created =
            self.store.write(move |tx| Box::pin(async move { tx.create(&collection, values, &options).await })).await?;
        Ok(Value::Object(created))
    }

    pub(crate) async fn update(
        &self,
        collection: &str,
        filter: Value,
        values: Value,
        options: WriteOptions,
    ) -> Result<Vec<Value>, StoreError> {
        let (filter, collection) = (self.filter(collection, &filter)?, self.get(collection));
        let values = record(values);
        let updated = self
            .store
            .write(move |tx| Box::pin(async move { tx.update(&collection, &filter, values, &options).await }))
            .await?;
        Ok(updated.into_iter().map(Value::Object).collect())
    }

    pub(crate) async fn destroy(&self, collection: &str, filter: Value) -> Result<Vec<Value>, StoreError> {
        let (filter, collection) = (self.filter(collection, &filter)?, self.get(collection));
        let destroyed =
            self.store.write(move |tx| Box::pin(async move { tx.destroy(&collection, &filter).await })).await?;
        Ok(destroyed.into_iter().map(Value::Object).collect())
    }

    pub(crate) fn filter(&self, collection: &str, filter: &Value) -> Result<Filter, StoreError> {
        let schema = self.store.schema();
        Filter::parse(&schema, schema.collection(collection)?, filter)
    }

    /// Reads what matches, with appends.
    pub(crate) async fn find(
        &self,
        collection: &str,
        filter: Value,
        appends: &[&str],
    ) -> Result<Vec<Value>, StoreError> {
        let find = Find {
            filter: self.filter(collection, &filter)?,
            select: Select { appends: appends.iter().map(|&path| path.to_owned()).collect(), ..Select::default() },
            ..Find::all(self.get(collection))
        };
        let records = self.store.read().await?.find(&find).await?;
        Ok(records.into_iter().map(Value::Object).collect())
    }
}

async fn open(database: &TestDatabase) -> Store {
    Store::open(database.url()).await.expect("an open store")
}

/// The members of a JSON object.
pub(crate) fn record(value: Value) -> Record {
    match value {
        Value::Object(members) => members,
        other => panic!("{other} is no object"),
    }
}

/// Options with an author.
pub(crate) fn by(user: &Value) -> WriteOptions {
    WriteOptions { author: user["id"].as_i64().map(UserId), ..WriteOptions::default() }
}

/// The code of an error that is the caller's.
pub(crate) fn code<T: std::fmt::Debug>(result: Result<T, StoreError>) -> &'static str {
    match result {
        Err(StoreError::Invalid { code, .. }) => code,
        other => panic!("{other:?} is not refused as invalid"),
    }
}
