//! A further database for each test, made by the statements of its kind.

use std::sync::Arc;

use serde_json::Value;
use store::{Collection, ConnectOptions, Filter, Find, LeftOut, Select, Sort, Store, StoreError, WriteOptions};
use test_database::TestDatabase;

use crate::fixture::record;

/// A further database.
pub(super) struct Source {
    pub(super) store: Store,
    database: TestDatabase,
}

impl Source {
    /// A database in which these statements were carried out.
    pub(super) async fn with(statements: &[&'static str]) -> Self {
        Self::opened(statements, &ConnectOptions::default()).await.expect("a further database")
    }

    pub(super) async fn opened(statements: &[&'static str], options: &ConnectOptions) -> Result<Self, StoreError> {
        let database = TestDatabase::new();
        for statement in statements {
            database.execute(statement).await;
        }
        let store = Store::connect(database.url(), options).await?;
        Ok(Self { store, database })
    }

    /// Carries out a statement past the store, as its owner would.
    pub(super) async fn execute(&self, statement: &'static str) {
        self.database.execute(statement).await;
    }

    pub(super) fn url(&self) -> &str {
        self.database.url()
    }

    pub(super) fn get(&self, collection: &str) -> Arc<Collection> {
        Arc::clone(self.store.schema().collection(collection).expect("a known collection"))
    }

    /// What is left out, as `table` or `table.column`.
    pub(super) fn left_out(&self) -> Vec<String> {
        let name = |left: &LeftOut| match &left.column {
            None => left.table.clone(),
            Some(column) => format!("{}.{column}", left.table),
        };
        self.store.left_out().iter().map(name).collect()
    }

    pub(super) async fn create(&self, collection: &str, values: Value) -> Result<Value, StoreError> {
        let (collection, values) = (self.get(collection), record(values));
        let created = self
            .store
            .write(move |tx| Box::pin(async move { tx.create(&collection, values, &WriteOptions::default()).await }))
            .await?;
        Ok(Value::Object(created))
    }

    pub(super) async fn update(
        &self,
        collection: &str,
        filter: Value,
        values: Value,
    ) -> Result<Vec<Value>, StoreError> {
        let (filter, collection) = (self.filter(collection, &filter)?, self.get(collection));
        let values = record(values);
        let updated = self
            .store
            .write(move |tx| {
                Box::pin(async move { tx.update(&collection, &filter, values, &WriteOptions::default()).await })
            })
            .await?;
        Ok(updated.into_iter().map(Value::Object).collect())
    }

    pub(super) async fn destroy(&self, collection: &str, filter: Value) -> Result<Vec<Value>, StoreError> {
        let (filter, collection) = (self.filter(collection, &filter)?, self.get(collection));
        let destroyed =
            self.store.write(move |tx| Box::pin(async move { tx.destroy(&collection, &filter).await })).await?;
        Ok(destroyed.into_iter().map(Value::Object).collect())
    }

    pub(super) fn filter(&self, collection: &str, filter: &Value) -> Result<Filter, StoreError> {
        let schema = self.store.schema();
        Filter::parse(&schema, schema.collection(collection)?, filter)
    }

    pub(super) async fn find(
        &self,
        collection: &str,
        filter: Value,
        appends: &[&str],
    ) -> Result<Vec<Value>, StoreError> {
        self.find_sorted(collection, filter, appends, &[]).await
    }

    pub(super) async fn find_sorted(
        &self,
        collection: &str,
        filter: Value,
        appends: &[&str],
        sort: &[&str],
    ) -> Result<Vec<Value>, StoreError> {
        let collection_ = self.get(collection);
        let find = Find {
            filter: self.filter(collection, &filter)?,
            select: Select { appends: appends.iter().map(|&path| path.to_owned()).collect(), ..Select::default() },
            sort: sort.iter().map(|sort| Sort::parse(&collection_, sort)).collect::<Result<_, _>>()?,
            ..Find::all(Arc::clone(&collection_))
        };
        let records = self.store.read().await?.find(&find).await?;
        Ok(records.into_iter().map(Value::Object).collect())
    }
}
