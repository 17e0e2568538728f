//! Conditions as SQL. Paths across associations become `EXISTS`, so that a record never appears twice.

use sea_query::{Cond, Expr, ExprTrait, Func, Query};

use super::filter::{Condition, Filter, Form, Test};
use crate::{
    db::{Cell, Dialect},
    schema::{Association, Join},
};

impl Filter {
    /// The condition on a table that goes by `table` in the statement.
    pub(crate) fn compile(&self, dialect: Dialect, table: &str) -> Cond {
        Cond::all().add(Compiler { dialect, tables: 0 }.condition(table, &self.condition))
    }
}

struct Compiler {
    dialect: Dialect,
    tables: usize,
}

impl Compiler {
    fn condition(&mut self, table: &str, condition: &Condition) -> Expr {
        match condition {
            Condition::All(parts) => {
                parts.iter().map(|part| self.condition(table, part)).reduce(ExprTrait::and).unwrap_or_else(always)
            }
            Condition::Any(parts) => {
                parts.iter().map(|part| self.condition(table, part)).reduce(ExprTrait::or).unwrap_or_else(never)
            }
            // What cannot be said of a missing value does not hold.
            Condition::Not(inner) => Expr::from(Func::coalesce([self.condition(table, inner), never()])).not(),
            Condition::Field { column, form, test } => {
                field(self.dialect, Expr::col((table.to_owned(), column.clone())), form, test)
            }
            Condition::Related { name: _, association, condition } => self.related(table, association, condition),
        }
    }

    fn related(&mut self, table: &str, association: &Association, condition: &Condition) -> Expr {
        let target = self.alias();
        let outer = Expr::col((table.to_owned(), association.source_column().to_owned()));
        let mut select = Query::select();
        select.expr(Expr::cust("1")).from_as(association.target.clone(), target.clone());
        let target_column = Expr::col((target.clone(), association.target_column().to_owned()));
        match association.join() {
            Join::BelongsTo | Join::Has => {
                select.and_where(target_column.eq(outer));
            }
            Join::Through { through, other_key } => {
                let between = self.alias();
                let other = Expr::col((between.clone(), other_key.to_owned()));
                let own = Expr::col((between.clone(), association.foreign_key.clone()));
                select
                    .join_as(sea_query::JoinType::InnerJoin, through.to_owned(), between, target_column.eq(other))
                    .and_where(own.eq(outer));
            }
        }
        select.and_where(self.condition(&target, condition));
        Expr::exists(select)
    }

    /// A name that no table has.
    fn alias(&mut self) -> String {
        self.tables += 1;
        format!(".{}", self.tables)
    }
}

/// Not `TRUE`: to SQLite that is a column, if there is one of that name.
fn always() -> Expr {
    Expr::cust("1 = 1")
}

fn never() -> Expr {
    Expr::cust("1 = 0")
}

fn field(dialect: Dialect, column: Expr, form: &Form, test: &Test) -> Expr {
    let (column, value): (Expr, &dyn Fn(&Cell) -> Expr) = match form {
        Form::Stored => (column, &|cell| cell.clone().into()),
        Form::Folded => (dialect.folded(column), &|cell| dialect.folded_value(cell.clone()).into()),
        Form::Native(native) if test.is_about_text() => (native.select(column), &|cell| cell.clone().into()),
        Form::Native(native) => (native.compare(column), &|cell| native.bind(cell.clone())),
    };
    match test {
        Test::Equal(operand) => column.eq(value(operand)),
        Test::NotEqual(operand) => column.clone().ne(value(operand)).or(column.is_null()),
        Test::OneOf { values, or_null } => {
            let listed = match (values.as_slice(), form) {
                ([], _) => never(),
                ([operand], _) => column.clone().eq(value(operand)),
                (values, Form::Native(native)) => native.is_one_of(dialect, column.clone(), values.iter().cloned()),
                (values, Form::Folded) => {
                    let folded = values.iter().map(|cell| dialect.folded_value(cell.clone()));
                    dialect.is_one_of(column.clone(), folded)
                }
                (values, Form::Stored) => dialect.is_one_of(column.clone(), values.iter().cloned()),
            };
            if *or_null { listed.or(column.is_null()) } else { listed }
        }
        Test::Greater(operand) => column.gt(value(operand)),
        Test::AtLeast(operand) => column.gte(value(operand)),
        Test::Less(operand) => column.lt(value(operand)),
        Test::AtMost(operand) => column.lte(value(operand)),
        Test::Like(pattern) => dialect.like(column, pattern),
        Test::Contains(part) => dialect.contains(column, part),
        Test::StartsWith(part) => dialect.starts_with(column, part),
        Test::EndsWith(part) => dialect.ends_with(column, part),
        Test::IsNull => column.is_null(),
        Test::IsEmpty(None) => column.is_null(),
        Test::IsEmpty(Some(empty)) => column.clone().is_null().or(column.eq(Cell::Text((*empty).to_owned()))),
    }
}
