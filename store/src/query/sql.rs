//! SQL written by people: one reading statement, checked before it reaches the database.
//!
//! The text is parsed, and what runs is written anew from the syntax tree: so there is one query, over collections, with known
//! functions and bound parameters. Hidden fields are out of sight, whatever the query names. It runs on a connection of its
//! own that cannot write, and is interrupted when its time is over.

use std::{collections::HashSet, ops::ControlFlow, time::Duration};

use sea_query::Values;
use sea_query_sqlx::SqlxValues;
use serde_json::Value;
use sqlparser::{
    ast::{Expr, Function, ObjectName, Query, Statement, Value as SqlValue, ValueWithSpan, VisitMut as _, VisitorMut},
    dialect::{PostgreSqlDialect, SQLiteDialect},
    keywords::Keyword,
    parser::{Parser, ParserError},
    tokenizer::{Token, Tokenizer},
};

use crate::{
    Record, Store,
    db::{Cell, Dialect, Row, dialect::quoted},
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

/// What a query may call in SQLite: what reads, counts and writes out. Not what makes values of any size, or loads code.
const SQLITE_FUNCTIONS: &[&str] = &[
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

/// The same in PostgreSQL.
const POSTGRES_FUNCTIONS: &[&str] = &[
    "abs",
    "array_agg",
    "avg",
    "bool_and",
    "bool_or",
    "coalesce",
    "count",
    "date_part",
    "date_trunc",
    "dense_rank",
    "first_value",
    "json_agg",
    "json_array_elements",
    "json_array_elements_text",
    "json_array_length",
    "json_build_array",
    "json_build_object",
    "json_each",
    "json_each_text",
    "json_extract_path",
    "json_extract_path_text",
    "json_object_agg",
    "json_typeof",
    "lag",
    "last_value",
    "lead",
    "left",
    "length",
    "lower",
    "ltrim",
    "max",
    "min",
    "now",
    "ntile",
    "nullif",
    "rank",
    "right",
    "round",
    "row_number",
    "rtrim",
    "sign",
    "string_agg",
    "strpos",
    "substr",
    "substring",
    "sum",
    "to_char",
    "to_timestamp",
    "upper",
];

/// A checked query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlQuery {
    text: String,
    parameters: Vec<String>,
}

impl SqlQuery {
    /// Reads one `SELECT` (or `WITH … SELECT`, `VALUES`) over collections, in the language of the database that they are in.
    /// Parameters are `:name`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] with `SQL` for anything else: several statements, writing, names with a schema, tables that are
    /// no collections, unknown functions.
    pub fn parse(schema: &Schema, text: &str) -> Result<Self, StoreError> {
        if text.len() > MAX_BYTES {
            return Err(refused(format!("the SQL is longer than {MAX_BYTES} bytes")));
        }
        if schema.is_further() {
            return Err(refused("SQL is for the main data source"));
        }
        let dialect = schema.dialect();
        let statements = match dialect {
            Dialect::Sqlite | Dialect::Mysql => Parser::parse_sql(&SQLiteDialect {}, text),
            Dialect::Postgres => parse_with_capitals(text),
        };
        let statements = statements.map_err(|error| refused(format!("the SQL cannot be read: {error}")))?;
        let [Statement::Query(query)]: [Statement; 1] =
            statements.try_into().map_err(|_| refused("one statement is expected"))?
        else {
            return Err(refused("only queries are allowed: SELECT, WITH or VALUES"));
        };
        let mut query = query;
        let own = own_names(&query);
        // Beyond the part that it names, such a name would lead to the database's own tables.
        if let Some(name) = own.iter().find(|name| is_databases_own(name)) {
            return Err(refused(format!("{name} cannot be the name of a part of a query")));
        }
        let mut check = Check { schema, own, parameters: Vec::new() };
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
                let table = match dialect {
                    Dialect::Sqlite | Dialect::Mysql => format!("\"main\".{name}"),
                    // Within itself, the name is still the table's.
                    Dialect::Postgres => name.clone(),
                };
                format!("{name} AS (SELECT {fields} FROM {table})")
            })
            .collect();
        let with = if views.is_empty() { String::new() } else { format!("WITH {} ", views.join(", ")) };
        let limit = MAX_ROWS + 1;
        let text = match dialect {
            Dialect::Sqlite | Dialect::Mysql => format!("{with}SELECT * FROM ({query}) LIMIT {limit}"),
            // Whatever types the query answers with, the database writes them as JSON.
            Dialect::Postgres => {
                format!("{with}SELECT row_to_json(\".row\")::text AS \".row\" FROM ({query}) AS \".row\" LIMIT {limit}")
            }
        };
        Ok(Self { text, parameters })
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
        let dialect = self.schema().dialect();
        let (mut records, mut bytes_left) = (Vec::new(), MAX_ANSWER_BYTES);
        let take = |row: &Row| {
            if records.len() == MAX_ROWS {
                return Err(refused(format!("the answer has more than {MAX_ROWS} rows")));
            }
            records.push(record(dialect, row, &mut bytes_left)?);
            Ok(())
        };
        // Written by [`SqlQuery::parse`] from a checked tree; values are bound.
        self.read_guarded(query.text.clone(), SqlxValues(Values(bound)), TIME, take).await?;
        Ok(records)
    }
}

fn record(dialect: Dialect, row: &Row, bytes_left: &mut usize) -> Result<Record, StoreError> {
    let mut spend = |bytes: usize| {
        *bytes_left = bytes_left
            .checked_sub(bytes)
            .ok_or_else(|| refused(format!("the answer is longer than {MAX_ANSWER_BYTES} bytes")))?;
        Ok(())
    };
    if dialect == Dialect::Postgres {
        let written: String = row.get(".row")?;
        spend(written.len())?;
        return serde_json::from_str(&written)
            .map_err(|error| StoreError::Corrupt { what: format!("JSON in a row: {error}") });
    }
    let mut record = Record::new();
    for (name, cell) in row.named_cells()? {
        spend(name.len() + if let Cell::Text(text) = &cell { text.len() } else { 8 })?;
        record.insert(name, cell.into());
    }
    Ok(record)
}

/// Reads PostgreSQL's language, in which a name without quotation marks has small letters only: here capitals stay, as names
/// of fields have them.
fn parse_with_capitals(text: &str) -> Result<Vec<Statement>, ParserError> {
    let dialect = PostgreSqlDialect {};
    let mut tokens = Tokenizer::new(&dialect, text).tokenize()?;
    let is_space = |token: &Token| matches!(token, Token::Whitespace(_));
    for index in 0..tokens.len() {
        let called = tokens[index + 1..].iter().find(|token| !is_space(token)) == Some(&Token::LParen);
        if let Token::Word(word) = &mut tokens[index]
            && word.keyword == Keyword::NoKeyword
            && !called
        {
            word.quote_style.get_or_insert('"');
        }
    }
    Parser::new(&dialect).with_tokens(tokens).parse_statements()
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

fn refused(sentence: impl Into<String>) -> StoreError {
    StoreError::invalid("SQL", sentence)
}

fn is_databases_own(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["_", "pg_", "sqlite_", "pragma_"].iter().any(|prefix| name.starts_with(prefix))
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

impl Check<'_> {
    /// What stands where a table does, and is called.
    fn table_functions(&self) -> &'static [&'static str] {
        match self.schema.dialect() {
            Dialect::Sqlite | Dialect::Mysql => &["json_each", "json_tree"],
            Dialect::Postgres => &["json_array_elements", "json_array_elements_text", "json_each", "json_each_text"],
        }
    }
}

impl VisitorMut for Check<'_> {
    type Break = StoreError;

    fn pre_visit_relation(&mut self, relation: &mut ObjectName) -> ControlFlow<StoreError> {
        let parts = relation.0.iter().map(|part| part.as_ident().map_or("", |ident| ident.value.as_str()));
        let name = parts.collect::<Vec<_>>().join(".");
        let known = relation.0.len() == 1 && {
            let name = name.as_str();
            self.own.contains(name)
                || self.schema.collection(name).is_ok()
                || self.table_functions().contains(&name.to_ascii_lowercase().as_str())
        };
        if known {
            return ControlFlow::Continue(());
        }
        ControlFlow::Break(refused(format!("there is no collection {name}")))
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<StoreError> {
        let Expr::Function(Function { name, .. }) = expr else { return ControlFlow::Continue(()) };
        let allowed = match self.schema.dialect() {
            Dialect::Sqlite | Dialect::Mysql => SQLITE_FUNCTIONS,
            Dialect::Postgres => POSTGRES_FUNCTIONS,
        };
        if allowed.contains(&name.to_string().to_ascii_lowercase().as_str()) {
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
        let mark = match self.schema.dialect() {
            Dialect::Sqlite | Dialect::Mysql => '?',
            Dialect::Postgres => '$',
        };
        value.value = SqlValue::Placeholder(format!("{mark}{}", number + 1));
        ControlFlow::Continue(())
    }
}
