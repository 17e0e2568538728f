//! `update`: changes records.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use store::{WriteOptions, secret};

use super::{
    Effect, NodeError, NodeResult, NodeType, Run,
    records::{self, CollectionName, Values},
};
use crate::variables::Scope;

/// Changes the matching records. The job's result is their number.
pub(super) struct Update;

/// Changes records.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Config {
    /// Where the records are.
    collection: CollectionName,
    /// What is changed, and how.
    params: Params,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(inline)]
struct Params {
    /// Which records; an empty filter is refused.
    filter: Values,
    /// The fields to change.
    #[serde(default)]
    values: Values,
}

impl NodeType for Update {
    const NAME: &'static str = "update";
    const AT_ONCE: bool = true;
    const WITHIN: bool = true;

    type Config = Config;

    fn at_once(config: &Value) -> bool {
        records::is_surely_here(config)
    }

    fn runs_within(config: &Value) -> bool {
        records::is_here(config)
    }

    fn resolve(config: &Value, scope: &Scope) -> Result<Value, NodeError> {
        records::resolve(config, scope)
    }

    async fn run(config: Config, run: &Run<'_>) -> Result<Effect, NodeError> {
        let place = config.collection.place(run).await?;
        let schema = place.reader().schema().await;
        let Params { filter, values } = config.params;
        let values = secret::hash_secrets(&schema, config.collection.find(&schema)?.as_ref(), values.0).await?;
        Ok(place.write(move |tx| {
            Box::pin(async move {
                let collection = config.collection.find(tx.schema())?;
                let filter = records::narrow(tx.schema(), &collection, &filter)?;
                let changed = tx.update(&collection, &filter, values, &WriteOptions::default()).await?;
                Ok(NodeResult::resolved(Value::from(changed.len())))
            })
        }))
    }
}
