//! `create`: makes a record.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use store::{Filter, Find, Select, WriteOptions, secret};

use super::{
    Effect, NodeError, NodeResult, NodeType, Run,
    records::{self, CollectionName, Values},
};

/// Makes a record. The job's result is the record, with what `appends` asks for.
pub(super) struct Create;

/// Makes a record.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Config {
    /// Where the record goes.
    collection: CollectionName,
    /// What the record is like.
    #[serde(default)]
    params: Params,
}

#[derive(Deserialize, JsonSchema, Default)]
#[schemars(inline)]
struct Params {
    /// The fields of the record.
    #[serde(default)]
    values: Values,
    /// Associations to load into the result.
    #[serde(default)]
    appends: Vec<String>,
}

impl NodeType for Create {
    const NAME: &'static str = "create";
    const AT_ONCE: bool = true;
    const WITHIN: bool = true;

    type Config = Config;

    fn at_once(config: &Value) -> bool {
        records::is_surely_here(config)
    }

    fn runs_within(config: &Value) -> bool {
        records::is_here(config)
    }

    async fn run(config: Config, run: &Run<'_>) -> Result<Effect, NodeError> {
        let place = config.collection.place(run).await?;
        let schema = place.reader().schema().await;
        let Params { values, appends } = config.params;
        let values = secret::hash_secrets(&schema, config.collection.find(&schema)?.as_ref(), values.0).await?;
        Ok(place.write(move |tx| {
            Box::pin(async move {
                let collection = config.collection.find(tx.schema())?;
                let mut record = tx.create(&collection, values, &WriteOptions::default()).await?;
                if let (false, Some(key)) = (appends.is_empty(), collection.key_of(&record)) {
                    let find = Find {
                        filter: Filter::by_key(&collection, &key)?,
                        select: Select { appends, ..Select::default() },
                        ..Find::all(collection)
                    };
                    if let Some(loaded) = tx.find(&find).await?.into_iter().next() {
                        record.extend(loaded);
                    }
                }
                Ok(NodeResult::resolved(Value::Object(record)))
            })
        }))
    }
}
