//! `query`: reads records.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use store::{Collection, Filter, Find, JobStatus, Page, Select, Sort, StoreError};

use super::{
    Effect, NodeError, NodeResult, NodeType, Run,
    lenient::Amount,
    records::{self, CollectionName, Values},
};
use crate::variables::Scope;

/// Reads records: those that are committed or, within a transaction, those that it sees. The job's result is a record or `null`, or a list with `multiple`.
pub(super) struct Query;

/// Reads records.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Config {
    /// Where the records are.
    collection: CollectionName,
    /// A list of records instead of the first one.
    #[serde(default)]
    multiple: bool,
    /// Fails the execution if nothing is found.
    #[serde(default)]
    fail_on_empty: bool,
    /// What is read.
    #[serde(default)]
    params: Params,
}

#[derive(Deserialize, JsonSchema, Default)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
struct Params {
    /// Which records; all if empty.
    #[serde(default)]
    filter: Values,
    /// In which order.
    #[serde(default)]
    sort: Vec<SortKey>,
    /// Which page of a list, from 1.
    #[serde(default)]
    page: Option<Amount>,
    /// Records per page of a list.
    #[serde(default)]
    page_size: Option<Amount>,
    /// Only these fields.
    #[serde(default)]
    fields: Vec<String>,
    /// All fields but these.
    #[serde(default)]
    except: Vec<String>,
    /// Associations to load.
    #[serde(default)]
    appends: Vec<String>,
}

/// `"-createdAt"`, or `{"field": "createdAt", "direction": "desc"}`.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum SortKey {
    Text(String),
    Field {
        /// The field.
        field: String,
        /// Which end comes first.
        #[serde(default)]
        direction: Direction,
    },
}

#[derive(Deserialize, JsonSchema, Default, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Direction {
    #[default]
    Asc,
    Desc,
}

impl SortKey {
    fn parse(&self, collection: &Collection) -> Result<Sort, StoreError> {
        match self {
            Self::Text(text) => Sort::parse(collection, text),
            Self::Field { field, direction } => {
                let sort = Sort::parse(collection, field)?;
                Ok(Sort { descending: *direction == Direction::Desc, ..sort })
            }
        }
    }
}

/// Records per page of a list, unless told otherwise.
const PAGE_SIZE: u64 = 20;

/// Most records per page, so that a job's result stays of a size that can be stored and shown.
const MAX_PAGE_SIZE: u64 = 2_000;

fn whole(amount: Option<Amount>, default: u64) -> u64 {
    amount.map_or(default, |amount| amount.0 as u64).max(1)
}

impl NodeType for Query {
    const NAME: &'static str = "query";
    const WITHIN: bool = true;

    type Config = Config;

    fn runs_within(config: &Value) -> bool {
        records::is_here(config)
    }

    fn resolve(config: &Value, scope: &Scope) -> Result<Value, NodeError> {
        records::resolve(config, scope)
    }

    async fn run(config: Config, run: &Run<'_>) -> Result<Effect, NodeError> {
        let place = config.collection.place(run).await?;
        let mut conn = place.reader().read().await?;
        let Params { filter, sort, page, page_size, fields, except, appends } = config.params;
        let collection = config.collection.find(conn.schema())?;
        let filter = Filter::parse(conn.schema(), &collection, &Value::Object(filter.0))?;
        let sort = sort.iter().map(|key| key.parse(&collection)).collect::<Result<_, _>>()?;
        let page = if config.multiple {
            Page { number: whole(page, 1), size: whole(page_size, PAGE_SIZE).min(MAX_PAGE_SIZE) }
        } else {
            Page { number: 1, size: 1 }
        };
        let select = Select { fields, except, appends };
        let records = conn.find(&Find { collection, filter, sort, page: Some(page), select }).await?;
        let failed = config.fail_on_empty && records.is_empty();
        let mut records = records.into_iter().map(Value::Object);
        let result = if config.multiple { records.collect() } else { records.next().unwrap_or(Value::Null) };
        let status = if failed { JobStatus::Failed } else { JobStatus::Resolved };
        Ok(Effect::Done(NodeResult::ended(status, result)))
    }
}
