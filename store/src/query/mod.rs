//! Filters, sorting, pages and appends: reading records of any collection, built in or not.
//!
//! A [`Filter`] is parsed from the wire against the schema, and compiled into one condition, or tried on a record at hand; a [`Select`] becomes a plan,
//! a tree with a node per appended path, that costs one statement per node however many records there are.

mod aggregate;
mod compile;
mod filter;
mod follow;
mod load;
mod matches;
mod parse;
mod plan;
mod sql;

use std::sync::Arc;

use sea_query::{Expr, NullOrdering, Order, Query, SelectStatement};

use crate::{
    Record,
    db::Conn,
    error::StoreError,
    schema::{Collection, FieldType, Schema},
};

pub use aggregate::{Aggregate, Aggregator, RelatedTo, Repeated};
pub use filter::Filter;
pub(crate) use plan::Plan;
pub use sql::SqlQuery;

/// The deepest filter, the longest append, the deepest nested value.
pub(crate) const MAX_DEPTH: usize = 16;
/// Records of a page at most.
const MAX_PAGE_SIZE: u64 = 2_000;

/// One sort key; `-name` in its wire form is descending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sort {
    /// A scalar field.
    pub field: String,
    /// Largest first.
    pub descending: bool,
}

impl Sort {
    /// Reads `-createdAt`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] if there is no such scalar field.
    pub fn parse(collection: &Collection, text: &str) -> Result<Self, StoreError> {
        let text = text.trim();
        let (descending, name) = match text.strip_prefix('-') {
            Some(name) => (true, name),
            None => (false, text),
        };
        let field = collection.readable_scalar(name)?.name.clone();
        Ok(Self { field, descending })
    }
}

/// A slice of the matching records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// From 1.
    pub number: u64,
    /// Records per page, 1 to 2,000.
    pub size: u64,
}

/// Which fields come back. Hidden fields never do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Select {
    /// Only these (dotted paths reach into appends; an association is appended); empty means all scalar fields.
    pub fields: Vec<String>,
    /// All but these.
    pub except: Vec<String>,
    /// Associations to load, as dotted paths; a path implies its beginnings.
    pub appends: Vec<String>,
}

/// A read.
#[derive(Debug, Clone)]
pub struct Find {
    /// From where.
    pub collection: Arc<Collection>,
    /// Which records.
    pub filter: Filter,
    /// In which order; the key decides last.
    pub sort: Vec<Sort>,
    /// Which slice; `None` is all.
    pub page: Option<Page>,
    /// Which fields.
    pub select: Select,
}

impl Find {
    /// All records of a collection, whole and unsorted; set the public fields that matter.
    pub fn all(collection: Arc<Collection>) -> Self {
        Self { collection, filter: Filter::default(), sort: Vec::new(), page: None, select: Select::default() }
    }
}

impl Conn {
    /// Reads records; appended associations are loaded with one statement per path.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] for unknown fields or appends, and for a page out of range.
    pub async fn find(&mut self, find: &Find) -> Result<Vec<Record>, StoreError> {
        let schema = Arc::clone(self.schema());
        let plan = Plan::new(&schema, &find.collection, &find.select)?;
        let mut statement = plan.statement(self.dialect(), &find.filter);
        for sort in &find.sort {
            let field = find.collection.readable_scalar(&sort.field)?;
            let order = if sort.descending { Order::Desc } else { Order::Asc };
            // A missing value is the smallest.
            let nulls = if sort.descending { NullOrdering::Last } else { NullOrdering::First };
            let column = Expr::col((find.collection.name.clone(), field.name.clone()));
            let column = match &field.native {
                _ if field.ignores_case => self.dialect().folded(column),
                // Some databases have no order for it.
                Some(native) if field.field_type == FieldType::Json => native.order(column),
                Some(_) | None => column,
            };
            if self.dialect().puts_nulls_first() {
                statement.order_by_expr(column, order);
            } else {
                statement.order_by_expr_with_nulls(column, order, nulls);
            }
        }
        order_by_key(&mut statement, &find.collection, &find.collection.name);
        if let Some(page) = find.page {
            let offset = page.number.checked_sub(1).and_then(|before| before.checked_mul(page.size));
            let offset = offset.filter(|offset| i64::try_from(*offset).is_ok());
            match offset {
                Some(offset) if (1..=MAX_PAGE_SIZE).contains(&page.size) => statement.limit(page.size).offset(offset),
                Some(_) | None => {
                    let message = format!("page must be 1 or more, pageSize 1 to {MAX_PAGE_SIZE}");
                    return Err(StoreError::invalid("INVALID_VALUE", message));
                }
            };
        }
        let mut records = plan.read(&self.fetch_all(&statement).await?)?;
        self.load_appends(&plan, &mut records).await?;
        plan.strip_all(&mut records);
        Ok(records)
    }

    /// Counts records.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn count(&mut self, collection: &Collection, filter: &Filter) -> Result<u64, StoreError> {
        let statement = Query::select()
            .expr_as(Expr::cust("count(*)"), "records")
            .from(collection.name.clone())
            .cond_where(filter.compile(self.dialect(), &collection.name))
            .take();
        let row = self.fetch_optional(&statement).await?;
        let count: i64 = row.map_or(Ok(0), |row| row.get("records"))?;
        Ok(count.unsigned_abs())
    }
}

/// Orders by the key, so that pages do not overlap and answers repeat.
pub(crate) fn order_by_key(statement: &mut SelectStatement, collection: &Collection, table: &str) {
    for key in &collection.key {
        statement.order_by((table.to_owned(), key.clone()), Order::Asc);
    }
}

/// Finds the collection an association leads to.
pub(crate) fn target<'s>(
    schema: &'s Schema,
    association: &crate::schema::Association,
) -> Result<&'s Arc<Collection>, StoreError> {
    schema.collection(&association.target)
}
