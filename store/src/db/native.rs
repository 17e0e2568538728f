//! Columns of further databases, which hold values in their own types: how a column turns into the stored form, and a bound
//! value into the column's type.
//!
//! Each is a template of the database's language in which the expression takes the place of the mark, `$1` in PostgreSQL and
//! `?` elsewhere. Which templates a type has is written down where the catalog is read (`crate::catalog`); nothing else
//! knows the types. Values are turned rather than columns, so that indexes on the bare column are of use.

use sea_query::{Expr, ExprTrait as _, Value};

use super::{Cell, Dialect};

/// How a column of a further database holds the values of its field.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Native {
    /// The column in stored form; as it is if there is none.
    pub(crate) selected: Option<String>,
    /// The column as it is compared; bare if there is none.
    pub(crate) compared: Option<String>,
    /// A stored form as it is compared with the column.
    pub(crate) operand: Option<String>,
    /// A stored form as it is written into the column; like an operand if there is none.
    pub(crate) written: Option<String>,
    /// What the smallest and the largest are taken of; the bare column if there is none.
    pub(crate) ordered: Option<String>,
    /// The columns are compared with many values at once.
    pub(crate) listed: Listed,
    /// Numbers are texts of all their digits.
    pub(crate) digits: Digits,
}

/// How a list of values is bound.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Listed {
    /// One by one.
    #[default]
    Each,
    /// As JSON text, whose members are taken as they are: SQLite.
    Members,
    /// As JSON text, whose members are given this type: PostgreSQL.
    Cast(String),
}

/// What stored form a number has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Digits {
    /// That of the main database.
    #[default]
    Stored,
    /// A text of all digits: more than the main database has room for.
    Text,
}

impl Native {
    /// A column that holds the stored form.
    pub(crate) fn plain(listed: Listed) -> Self {
        Self { listed, ..Self::default() }
    }

    /// The column in stored form.
    pub(crate) fn select(&self, column: Expr) -> Expr {
        apply(self.selected.as_deref(), column)
    }

    /// The column as it is compared with what is [bound](Self::bind).
    pub(crate) fn compare(&self, column: Expr) -> Expr {
        apply(self.compared.as_deref(), column)
    }

    /// What the smallest and the largest value are taken of.
    pub(crate) fn order(&self, column: Expr) -> Expr {
        apply(self.ordered.as_deref(), column)
    }

    /// What was made of [`order`](Self::order)ed values, in stored form.
    pub(crate) fn select_ordered(&self, value: Expr) -> Expr {
        if self.ordered.is_some() { value } else { self.select(value) }
    }

    /// A stored form to be compared.
    pub(crate) fn bind(&self, cell: Cell) -> Expr {
        match cell {
            Cell::Null => null(),
            cell => apply(self.operand.as_deref(), cell.into()),
        }
    }

    /// A stored form to be written.
    pub(crate) fn write(&self, cell: Cell) -> Expr {
        match cell {
            Cell::Null => null(),
            cell => apply(self.written.as_deref().or(self.operand.as_deref()), cell.into()),
        }
    }

    /// The column, as it is compared, is one of the values.
    pub(crate) fn is_one_of(&self, dialect: Dialect, column: Expr, values: impl IntoIterator<Item = Cell>) -> Expr {
        match &self.listed {
            Listed::Each => column.is_in(values.into_iter().map(|cell| self.bind(cell))),
            Listed::Members => dialect.is_one_of(column, values),
            Listed::Cast(type_name) => {
                let list: Vec<serde_json::Value> = values.into_iter().map(Into::into).collect();
                let list = Value::from(serde_json::Value::from(list).to_string());
                let list = Expr::cust_with_values("json_array_elements_text($1::json)", [list]);
                let template = format!("$1 = ANY (ARRAY(SELECT CAST($2 AS {type_name})))");
                Expr::cust_with_exprs(template, [column, list])
            }
        }
    }
}

/// Written out: a bound one would have whatever type the server takes it for, and leave that to the statement when it is prepared.
fn null() -> Expr {
    Expr::cust("NULL")
}

fn apply(template: Option<&str>, expression: Expr) -> Expr {
    match template {
        None => expression,
        // Marks without numbers take one after the other.
        Some(template) => {
            let marks = template.matches('?').count().max(1);
            Expr::cust_with_exprs(template.to_owned(), std::iter::repeat_n(expression, marks))
        }
    }
}
