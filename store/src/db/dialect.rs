//! What differs between the databases in the statements that are built: lists of keys, matching of text, column types.
//!
//! The main database, which is one of the first two, holds values in the same stored forms: whole numbers, floating point
//! numbers and texts that compare byte by byte. What further databases hold is turned into them (`native.rs`).

use sea_query::{
    ColumnDef, Expr, ExprTrait as _, LikeExpr, LockType, MysqlQueryBuilder, PostgresQueryBuilder, SqliteQueryBuilder,
    Value,
};
use sea_query_sqlx::{SqlxBinder, SqlxValues};

use super::Cell;
use crate::schema::FieldType;

/// The longest pattern that is matched, in characters; SQLite's own limit is 50,000 bytes.
pub(crate) const PATTERN_CHARS: usize = 10_000;
/// The longest name of a table or an index in bytes; PostgreSQL cuts longer ones.
const IDENTIFIER_BYTES: usize = 63;
/// Columns that every table of PostgreSQL has.
const SYSTEM_COLUMNS: [&str; 6] = ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];

/// The database that a statement is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Dialect {
    #[default]
    Sqlite,
    Postgres,
    /// MySQL and MariaDB: further databases only.
    Mysql,
}

impl Dialect {
    /// Writes a statement.
    pub(super) fn build(self, statement: &impl SqlxBinder) -> (String, SqlxValues) {
        match self {
            Self::Sqlite => statement.build_sqlx(SqliteQueryBuilder),
            Self::Postgres => statement.build_sqlx(PostgresQueryBuilder),
            Self::Mysql => statement.build_sqlx(MysqlQueryBuilder),
        }
    }

    /// Writes a change of the structure.
    pub(super) fn build_schema(self, statement: &impl sea_query::SchemaStatementBuilder) -> String {
        match self {
            Self::Sqlite => statement.build(SqliteQueryBuilder),
            Self::Postgres => statement.build(PostgresQueryBuilder),
            Self::Mysql => statement.build(MysqlQueryBuilder),
        }
    }

    /// `column` is one of the values, which are all of one kind. The list is one bound value, so that its length does not
    /// change the statement's text and has no limit.
    pub(crate) fn is_one_of(self, column: Expr, values: impl IntoIterator<Item = Cell>) -> Expr {
        if self == Self::Mysql {
            return column.is_in(values.into_iter().map(Expr::from));
        }
        let values: Vec<Cell> = values.into_iter().collect();
        let kind = values.iter().find(|cell| **cell != Cell::Null).cloned();
        let list: Vec<serde_json::Value> = values.into_iter().map(Into::into).collect();
        let bound = [Value::from(serde_json::Value::from(list).to_string())];
        match (self, kind) {
            (Self::Sqlite | Self::Mysql, _) => {
                let values = Expr::cust_with_values("(SELECT value FROM json_each(?))", bound);
                Expr::cust_with_exprs("? IN ?", [column, values])
            }
            (Self::Postgres, kind) => {
                let values = match kind {
                    Some(Cell::Integer(_)) => "ARRAY(SELECT json_array_elements_text($1::json)::bigint)",
                    Some(Cell::Real(_)) => "ARRAY(SELECT json_array_elements_text($1::json)::double precision)",
                    Some(Cell::Text(_) | Cell::Null) | None => "ARRAY(SELECT json_array_elements_text($1::json))",
                };
                Expr::cust_with_exprs("$1 = ANY ($2)", [column, Expr::cust_with_values(values, bound)])
            }
        }
    }

    /// `column` contains the text, whatever the case of its ASCII letters.
    pub(crate) fn contains(self, column: Expr, text: &str) -> Expr {
        self.like(column, &format!("%{}%", escape(text)))
    }

    /// `column` starts with the text.
    pub(crate) fn starts_with(self, column: Expr, text: &str) -> Expr {
        self.like(column, &format!("{}%", escape(text)))
    }

    /// `column` ends with the text.
    pub(crate) fn ends_with(self, column: Expr, text: &str) -> Expr {
        self.like(column, &format!("%{}", escape(text)))
    }

    /// `column` matches a pattern of `%` and `_`.
    pub(crate) fn like(self, column: Expr, pattern: &str) -> Expr {
        match self {
            Self::Sqlite => column.like(LikeExpr::new(pattern).escape('\\')),
            // To SQLite such a pattern matches nothing; here it would be an error.
            Self::Postgres if ends_open(pattern) => column.and(Expr::cust("1 = 0")),
            Self::Postgres => self.folded(column).like(LikeExpr::new(pattern.to_ascii_lowercase()).escape('\\')),
            // This escapes by itself, and whether case matters is the column's own rule.
            Self::Mysql => column.like(pattern),
        }
    }

    /// A text column as it compares without regard to the case of ASCII letters. SQLite's columns compare so by themselves.
    pub(crate) fn folded(self, column: Expr) -> Expr {
        match self {
            Self::Sqlite | Self::Mysql => column,
            Self::Postgres => Expr::cust_with_exprs("lower($1 COLLATE \"C\")", [column]),
        }
    }

    /// What is compared with a [`folded`](Self::folded) column.
    pub(crate) fn folded_value(self, cell: Cell) -> Cell {
        match (self, cell) {
            (Self::Postgres, Cell::Text(text)) => Cell::Text(text.to_ascii_lowercase()),
            (_, cell) => cell,
        }
    }

    /// The different values of an expression, within a call that aggregates.
    pub(crate) fn distinct(self, values: Expr) -> Expr {
        match self {
            Self::Sqlite | Self::Mysql => Expr::cust_with_exprs("DISTINCT ?", [values]),
            Self::Postgres => Expr::cust_with_exprs("DISTINCT $1", [values]),
        }
    }

    /// The name of the type of whole numbers, in casts.
    pub(crate) fn whole(self) -> &'static str {
        match self {
            Self::Sqlite | Self::Postgres => "bigint",
            Self::Mysql => "signed",
        }
    }

    /// The name of the type of floating point numbers, in casts.
    pub(crate) fn double(self) -> &'static str {
        match self {
            Self::Sqlite | Self::Postgres => "double precision",
            Self::Mysql => "double",
        }
    }

    /// The name of the type of texts, in casts.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Sqlite | Self::Postgres => "text",
            Self::Mysql => "char",
        }
    }

    /// Says whether statements that write can answer with the rows.
    pub(crate) fn has_returning(self) -> bool {
        self != Self::Mysql
    }

    /// Says whether a missing value is the smallest without having to say so.
    pub(crate) fn puts_nulls_first(self) -> bool {
        self == Self::Mysql
    }

    /// How rows are held, as strictly as asked for or more so.
    pub(crate) fn lock(self, lock: LockType) -> LockType {
        match (self, lock) {
            (Self::Mysql, LockType::NoKeyUpdate | LockType::KeyShare) => LockType::Update,
            (_, lock) => lock,
        }
    }

    /// Begins a transaction in which each statement sees what others have committed.
    pub(super) fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN ISOLATION LEVEL READ COMMITTED",
            // Set once for each connection.
            Self::Mysql => "START TRANSACTION",
        }
    }

    /// Gives a column the type that holds a field's values; `None` if the field has no column.
    pub(crate) fn column_type<'c>(
        self,
        column: &'c mut ColumnDef,
        field_type: &FieldType,
    ) -> Option<&'c mut ColumnDef> {
        Some(match field_type {
            FieldType::Integer | FieldType::BigInt | FieldType::Decimal { .. } => column.big_integer(),
            FieldType::Double => column.double(),
            FieldType::Boolean => match self {
                Self::Sqlite => column.boolean(),
                Self::Postgres | Self::Mysql => column.big_integer(),
            },
            FieldType::String { .. }
            | FieldType::Text
            | FieldType::DateTime
            | FieldType::Date
            | FieldType::Time
            | FieldType::Json
            | FieldType::Uuid
            | FieldType::Array { .. }
            | FieldType::Password => match self {
                Self::Sqlite | Self::Mysql => column.text(),
                Self::Postgres => column.text().extra("COLLATE \"C\""),
            },
            FieldType::Association(_) => return None,
        })
    }

    /// Makes a column the primary key that counts by itself.
    pub(crate) fn sequence(self, column: &mut ColumnDef) -> &mut ColumnDef {
        match self {
            Self::Sqlite => column.integer(),
            Self::Postgres | Self::Mysql => column.big_integer(),
        }
        .auto_increment()
        .primary_key()
    }

    /// The statement after which a column that counts by itself goes on above a value that was given; bound are the value, the
    /// table's quoted name and the column's. SQLite's do so by themselves.
    pub(crate) fn count_above(self) -> Option<&'static str> {
        match self {
            Self::Sqlite | Self::Mysql => None,
            Self::Postgres => Some(
                r#"SELECT setval("name"::regclass, ?1)
                   FROM (SELECT pg_get_serial_sequence(?2, ?3) AS "name") AS "sequence"
                   WHERE coalesce(pg_sequence_last_value("name"::regclass), 0) < ?1"#,
            ),
        }
    }
}

/// A name as it stands in a statement that is written as text.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Says whether a table of this name would hide something that statements use, or be hidden by something: lists are read
/// from a function in SQLite, and PostgreSQL's catalog comes before other tables.
pub(crate) fn is_reserved_table(name: &str) -> bool {
    name.eq_ignore_ascii_case("json_each") || name.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("pg_"))
}

/// Says whether no column can have this name.
pub(crate) fn is_reserved_column(name: &str) -> bool {
    SYSTEM_COLUMNS.iter().any(|column| column.eq_ignore_ascii_case(name))
}

/// A name of at most as many bytes as the databases take: of a longer one, its beginning and a number that it leads to.
pub(crate) fn short_name(name: &str) -> String {
    if name.len() <= IDENTIFIER_BYTES {
        return name.to_owned();
    }
    // FNV-1a, which is the same everywhere and for ever.
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mut end = IDENTIFIER_BYTES - 17;
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}.{hash:016x}", &name[..end])
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

/// Says whether a pattern ends in a `\` that nothing follows.
fn ends_open(pattern: &str) -> bool {
    pattern.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::{ends_open, short_name};

    #[test]
    fn long_names_are_cut_and_stay_different() {
        let long = |end: &str| format!("{}.{end}", "a".repeat(70));
        assert_eq!(short_name("posts.title"), "posts.title");
        assert_eq!(short_name(&long("b")).len(), 63);
        assert_ne!(short_name(&long("b")), short_name(&long("c")));
        assert_eq!(short_name(&long("b")), short_name(&long("b")));
    }

    #[test]
    fn patterns_end_open_with_an_odd_number_of_backslashes() {
        for (pattern, open) in [("a", false), ("\\", true), ("a\\\\", false), ("a\\\\\\", true), ("", false)] {
            assert_eq!(ends_open(pattern), open, "{pattern}");
        }
    }
}
