//! SQL written by people: one reading statement, checked before it reaches the database.
//!
//! The text is parsed, and what runs is written anew from the syntax tree: so there is one query, over collections, with known
//! functions and bound parameters. Hidden fields are out of sight, whatever the query names. It runs on a connection of its
//! own that cannot write, and is interrupted when its time is over.

use std::{
    collections::HashSet,
    ops::ControlFlow,
    time::{Duration, Instant},
};

use futures::TryStreamExt as _;
use sea_query::Values;
use sea_query_sqlx::SqlxValues;
use serde_json::Value;
use sqlparser::{
    ast::{Expr, Function, ObjectName, Query, Statement, Value as SqlValue, ValueWithSpan, VisitMut as _, VisitorMut},
    dialect::SQLiteDialect,
    parser::Parser,
};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

use crate::{
    Record, Store,
    db::{Cell, Row},
    error::StoreError,
    schema::Schema,
};

/// Longest statement, in bytes: a page of SQL.
const MAX_BYTES: usize = 8 * 1024;
/// Most rows of an answer. More is an error, so that nobody takes a part for the whole.
const MAX_ROWS: usize = 1_000;
/// Longest answer, in bytes of text.
const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;
/// How long a query may take.
const TIME: Duration = Duration::from_secs(5);
/// Steps of the database's machine between two looks at the clock: well below a millisecond.
const STEPS_PER_LOOK: i32 = 10_000;

/// What a query may call: what reads, counts and writes out. Not what makes values of any size, or loads code.
const FUNCTIONS: &[&str] = &[
    "abs",
    "avg",
    "coalesce",
    "count",
    "date",
    "datetime",
    "dense_rank",
    "first_value",
    "group_concat",
    "ifnull",
    "iif",
    "instr",
    "json",
    "json_array",
    "json_array_length",
    "json_each",
    "json_extract",
    "json_group_array",
    "json_group_object",
    "json_object",
    "json_tree",
    "json_type",
    "json_valid",
    "julianday",
    "lag",
    "last_value",
    "lead",
    "length",
    "lower",
    "ltrim",
    "max",
    "min",
    "ntile",
    "nullif",
    "rank",
    "round",
    "row_number",
    "rtrim",
    "sign",
    "strftime",
    "substr",
    "substring",
    "sum",
    "time",
    "total",
    "trim",
    "typeof",
    "unixepoch",
    "upper",
];

/// A checked query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlQuery {
    text: String,
    parameters: Vec<String>,
}

impl SqlQuery {
    /// Reads one `SELECT` (or `WITH … SELECT`, `VALUES`) over collections. Parameters are `:name`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] with `SQL` for anything else: several statements, writing, names with a schema, tables that are
    /// no collections, unknown functions.
    pub fn parse(schema: &Schema, text: &str) -> Result<Self, StoreError> {
        if text.len() > MAX_BYTES {
            return Err(refused(format!("the SQL is longer than {MAX_BYTES} bytes")));
        }
        let statements = Parser::parse_sql(&SQLiteDialect {}, text)
            .map_err(|error| refused(format!("the SQL cannot be read: {error}")))?;
        let [Statement::Query(query)]: [Statement; 1] =
            statements.try_into().map_err(|_| refused("one statement is expected"))?
        else {
            return Err(refused("only queries are allowed: SELECT, WITH or VALUES"));
        };
        let mut query = query;
        let mut check = Check { schema, own: own_names(&query), parameters: Vec::new() };
        if let ControlFlow::Break(error) = query.visit(&mut check) {
            return Err(error);
        }
        let parameters = check.parameters;
        // The names of these tables stand for what may be seen of them, in the whole query.
        let views: Vec<String> = schema
            .collections()
            .filter(|collection| collection.scalars().any(|field| field.hidden))
            .map(|collection| {
                let seen = collection.scalars().filter(|field| !field.hidden).map(|field| quoted(&field.name));
                let (name, fields) = (quoted(&collection.name), seen.collect::<Vec<_>>().join(", "));
                format!("{name} AS (SELECT {fields} FROM \"main\".{name})")
            })
            .collect();
        let with = if views.is_empty() { String::new() } else { format!("WITH {} ", views.join(", ")) };
        Ok(Self { text: format!("{with}SELECT * FROM ({query}) LIMIT {}", MAX_ROWS + 1), parameters })
    }

    /// The names of the parameters, without their colons.
    pub fn parameters(&self) -> &[String] {
        &self.parameters
    }
}

impl Store {
    /// Runs a query on what is committed. Lists and objects are bound as JSON text.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] with `SQL` if a parameter has no value, if the database refuses the query, or if it takes more
    /// than 5 s, 1,000 rows or 4 MiB; database errors.
    pub async fn run_sql(&self, query: &SqlQuery, values: &Record) -> Result<Vec<Record>, StoreError> {
        let mut bound = Vec::with_capacity(query.parameters.len());
        for name in &query.parameters {
            let value = values.get(name).ok_or_else(|| refused(format!("the parameter \":{name}\" has no value")))?;
            bound.push(sea_query::Value::from(cell(value)));
        }
        let mut connection = self.read_options().connect().await.map_err(StoreError::Database)?;
        let deadline = Instant::now() + TIME;
        connection
            .lock_handle()
            .await
            .map_err(StoreError::Database)?
            .set_progress_handler(STEPS_PER_LOOK, move || Instant::now() < deadline);
        let mut records = Vec::new();
        {
            // Written by [`SqlQuery::parse`] from a checked tree; values are bound.
            let statement = AssertSqlSafe(query.text.clone());
            let mut rows = sqlx::query_with(statement, SqlxValues(Values(bound))).fetch(&mut connection);
            let mut bytes_left = MAX_ANSWER_BYTES;
            while let Some(row) = rows.try_next().await.map_err(failed)? {
                if records.len() == MAX_ROWS {
                    return Err(refused(format!("the answer has more than {MAX_ROWS} rows")));
                }
                records.push(record(&Row::new(row), &mut bytes_left)?);
            }
        }
        connection.close().await.map_err(StoreError::Database)?;
        Ok(records)
    }
}

fn record(row: &Row, bytes_left: &mut usize) -> Result<Record, StoreError> {
    let mut record = Record::new();
    for (name, cell) in row.named_cells()? {
        let bytes = if let Cell::Text(text) = &cell { text.len() } else { 8 };
        *bytes_left = bytes_left
            .checked_sub(bytes + name.len())
            .ok_or_else(|| refused(format!("the answer is longer than {MAX_ANSWER_BYTES} bytes")))?;
        record.insert(name, cell.into());
    }
    Ok(record)
}

fn cell(value: &Value) -> Cell {
    match value {
        Value::Null => Cell::Null,
        Value::Bool(truth) => Cell::Integer((*truth).into()),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Cell::Integer(whole),
            None => number.as_f64().map_or(Cell::Null, Cell::Real),
        },
        Value::String(text) => Cell::Text(text.clone()),
        Value::Array(_) | Value::Object(_) => Cell::Text(value.to_string()),
    }
}

fn failed(error: sqlx::Error) -> StoreError {
    // SQLITE_INTERRUPT
    const INTERRUPTED: &str = "9";
    match error.as_database_error() {
        Some(refusal) if refusal.code().as_deref() == Some(INTERRUPTED) => {
            refused(format!("the query took longer than {} s", TIME.as_secs()))
        }
        Some(refusal) => refused(format!("the query failed: {}", refusal.message())),
        None => StoreError::Database(error),
    }
}

fn refused(sentence: impl Into<String>) -> StoreError {
    StoreError::invalid("SQL", sentence)
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The names that a query gives to its own parts.
fn own_names(query: &Query) -> HashSet<String> {
    struct Names(HashSet<String>);
    impl sqlparser::ast::Visitor for Names {
        type Break = ();
        fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
            let tables = query.with.iter().flat_map(|with| &with.cte_tables);
            self.0.extend(tables.map(|table| table.alias.name.value.clone()));
            ControlFlow::Continue(())
        }
    }
    let mut names = Names(HashSet::new());
    let _ = sqlparser::ast::Visit::visit(query, &mut names);
    names.0
}

/// Checks names and functions, and numbers the parameters.
struct Check<'s> {
    schema: &'s Schema,
    own: HashSet<String>,
    parameters: Vec<String>,
}

impl VisitorMut for Check<'_> {
    type Break = StoreError;

    fn pre_visit_relation(&mut self, relation: &mut ObjectName) -> ControlFlow<StoreError> {
        let name = match relation.0.as_slice() {
            [part] => part.as_ident().map(|ident| ident.value.as_str()),
            _ => None,
        };
        let known = name.is_some_and(|name| {
            self.own.contains(name)
                || self.schema.collection(name).is_ok()
                || matches!(name.to_ascii_lowercase().as_str(), "json_each" | "json_tree")
        });
        if known {
            return ControlFlow::Continue(());
        }
        ControlFlow::Break(refused(format!("there is no collection {relation}")))
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<StoreError> {
        let Expr::Function(Function { name, .. }) = expr else { return ControlFlow::Continue(()) };
        if FUNCTIONS.contains(&name.to_string().to_ascii_lowercase().as_str()) {
            return ControlFlow::Continue(());
        }
        ControlFlow::Break(refused(format!("the function {name} is not allowed")))
    }

    fn pre_visit_value(&mut self, value: &mut ValueWithSpan) -> ControlFlow<StoreError> {
        let SqlValue::Placeholder(text) = &value.value else { return ControlFlow::Continue(()) };
        let Some(name) = text.strip_prefix(':').filter(|name| !name.is_empty()) else {
            return ControlFlow::Break(refused(format!("a parameter has a name, such as :name, not {text}")));
        };
        let number = self.parameters.iter().position(|known| known == name).unwrap_or_else(|| {
            self.parameters.push(name.to_owned());
            self.parameters.len() - 1
        });
        value.value = SqlValue::Placeholder(format!("?{}", number + 1));
        ControlFlow::Continue(())
    }
}
