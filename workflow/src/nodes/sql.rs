//! `sql`: asks the database in its own language, reading only.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use store::{Record, SqlQuery};

use super::{Effect, NodeError, NodeResult, NodeType, Run};
use crate::{expression::Expressions, outside::Permission, variables::holds_variable};

/// Runs a query, if the operator lets nodes do so. The job's result is a list of rows.
pub(super) struct Sql;

/// Asks the database in SQL, reading only. Off unless the operator allows it.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Config {
    /// One SELECT, with parameters such as `:name`.
    sql: String,
    /// The values of the parameters.
    #[serde(default)]
    #[schemars(length(max = 100))]
    variables: Vec<Parameter>,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(inline)]
struct Parameter {
    /// The name, without its colon.
    name: String,
    /// What is bound; lists and objects as JSON text.
    #[serde(default)]
    value: Value,
}

impl NodeType for Sql {
    const NAME: &'static str = "sql";
    /// Values are bound, never written into the text.
    const VERBATIM: &'static [&'static str] = &["sql"];

    type Config = Config;

    fn check(config: &Value, _: &Expressions) -> Result<(), String> {
        if config.get("sql").is_some_and(holds_variable) {
            return Err("a variable cannot stand in SQL: give it a name among \"variables\" and write :name".to_owned());
        }
        Ok(())
    }

    async fn run(config: Config, run: &Run<'_>) -> Result<Effect, NodeError> {
        match run.outside.sql {
            Permission::Granted => {}
            Permission::Denied => {
                return Err(NodeError::Refused("SQL nodes are not allowed here; the operator can allow them".into()));
            }
        }
        let query = SqlQuery::parse(&run.store.schema(), &config.sql)?;
        let values: Record = config.variables.into_iter().map(|parameter| (parameter.name, parameter.value)).collect();
        let rows = run.store.run_sql(&query, &values).await?;
        Ok(Effect::Done(NodeResult::resolved(rows.into_iter().map(Value::Object).collect())))
    }
}
