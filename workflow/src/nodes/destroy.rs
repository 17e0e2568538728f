//! `destroy`: deletes records.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{
    Effect, NodeError, NodeResult, NodeType, Run,
    records::{self, CollectionName, Values},
};
use crate::variables::Scope;

/// Deletes the matching records. The job's result is their number.
pub(super) struct Destroy;

/// Deletes records.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Config {
    /// Where the records are.
    collection: CollectionName,
    /// What is deleted.
    params: Params,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(inline)]
struct Params {
    /// Which records; an empty filter is refused.
    filter: Values,
}

impl NodeType for Destroy {
    const NAME: &'static str = "destroy";
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
        Ok(place.write(move |tx| {
            Box::pin(async move {
                let collection = config.collection.find(tx.schema())?;
                let filter = records::narrow(tx.schema(), &collection, &config.params.filter)?;
                let gone = tx.destroy(&collection, &filter).await?;
                Ok(NodeResult::resolved(Value::from(gone.len())))
            })
        }))
    }
}
