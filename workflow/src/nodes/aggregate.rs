//! `aggregate`: counts, sums and averages over records.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Number, Value};
use store::{Aggregator, Filter, RelatedTo, Repeated};

use super::{
    Effect, NodeError, NodeResult, NodeType, Run,
    lenient::Amount,
    records::{self, CollectionName, Values},
};
use crate::{expression::Expressions, variables::Scope};

/// Aggregates records: those that are committed or, within a transaction, those that it sees. The job's result is the number, or the smallest or largest value.
pub(super) struct Aggregate;

/// Counts, sums, averages, or finds the smallest or largest value, over the records of a collection.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Config {
    /// What is made of the values.
    aggregator: Function,
    /// Where the records are.
    collection: CollectionName,
    /// Only the records that one record leads to.
    #[serde(default)]
    association: Option<Association>,
    /// Which values are taken.
    #[serde(default)]
    params: Params,
    /// Digits after the point of an average.
    #[serde(default)]
    precision: Option<Amount>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Function {
    Count,
    Sum,
    Avg,
    Min,
    Max,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
struct Association {
    /// Where the one record is.
    associated_collection: CollectionName,
    /// Its key.
    associated_key: Value,
    /// Its association field.
    name: String,
}

#[derive(Deserialize, JsonSchema, Default)]
#[schemars(inline)]
struct Params {
    /// Which records; all if empty.
    #[serde(default)]
    filter: Values,
    /// The field whose values are taken; not needed to count records.
    #[serde(default)]
    field: Option<String>,
    /// Whether a value that occurs again is passed over.
    #[serde(default)]
    distinct: bool,
}

impl From<Function> for Aggregator {
    fn from(function: Function) -> Self {
        match function {
            Function::Count => Self::Count,
            Function::Sum => Self::Sum,
            Function::Avg => Self::Average,
            Function::Min => Self::Minimum,
            Function::Max => Self::Maximum,
        }
    }
}

/// Beyond this many digits, a floating-point number has none.
const MAX_PRECISION: f64 = 15.0;

impl NodeType for Aggregate {
    const NAME: &'static str = "aggregate";
    const WITHIN: bool = true;

    type Config = Config;

    fn runs_within(config: &Value) -> bool {
        records::is_here(config)
    }

    fn check(config: &Value, _: &Expressions) -> Result<(), String> {
        let counts = config.get("aggregator").and_then(Value::as_str) == Some("count");
        let field = config.pointer("/params/field").is_some_and(|field| !field.is_null());
        if counts || field { Ok(()) } else { Err("\"params.field\" is required".to_owned()) }
    }

    fn resolve(config: &Value, scope: &Scope) -> Result<Value, NodeError> {
        records::resolve(config, scope)
    }

    async fn run(config: Config, run: &Run<'_>) -> Result<Effect, NodeError> {
        let place = config.collection.place(run).await?;
        let mut conn = place.reader().read().await?;
        let Params { filter, field, distinct } = config.params;
        let collection = config.collection.find(conn.schema())?;
        let filter = Filter::parse(conn.schema(), &collection, &Value::Object(filter.0))?;
        let related_to = match config.association {
            None => None,
            Some(association) if !association.associated_collection.is_beside(&config.collection) => {
                return Err(NodeError::Refused("the one record is in another data source than the others".to_owned()));
            }
            Some(association) => Some(RelatedTo {
                collection: association.associated_collection.find(conn.schema())?,
                key: association.associated_key,
                association: association.name,
            }),
        };
        let aggregate = store::Aggregate {
            collection,
            filter,
            related_to,
            aggregator: config.aggregator.into(),
            field,
            repeated: if distinct { Repeated::Once } else { Repeated::Counted },
        };
        let result = conn.aggregate(&aggregate).await?;
        Ok(Effect::Done(NodeResult::resolved(match (config.aggregator, config.precision) {
            (Function::Avg, Some(precision)) => rounded(result, precision.0),
            (Function::Avg | Function::Count | Function::Sum | Function::Min | Function::Max, _) => result,
        })))
    }
}

fn rounded(result: Value, precision: f64) -> Value {
    let Some(number) = result.as_f64() else { return result };
    let factor = 10_f64.powf(precision.round().clamp(0.0, MAX_PRECISION));
    Number::from_f64((number * factor).round() / factor).map_or(result, Value::Number)
}
