//! Counts, sums and averages over the records of a collection, or over those that one record leads to.
//!
//! What comes back has the form in which the field's values travel: a sum of decimals is an exact decimal text.

use std::sync::Arc;

use sea_query::{Expr, ExprTrait as _, Func, FunctionCall, Query, SelectStatement};
use serde_json::{Number, Value};

use super::Filter;
use crate::{
    codec,
    db::{Cell, Conn, Dialect},
    error::StoreError,
    schema::{Association, Collection, Field, FieldType, Join},
};

/// What is made of the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregator {
    /// How many there are.
    Count,
    /// What they add up to; 0 if there are none. Numbers only.
    Sum,
    /// Their mean; `null` if there are none. Numbers only.
    Average,
    /// The smallest; `null` if there are none.
    Minimum,
    /// The largest; `null` if there are none.
    Maximum,
}

/// Whether a value counts once or as often as it occurs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Repeated {
    /// As often as it occurs.
    #[default]
    Counted,
    /// Once.
    Once,
}

/// An aggregating read.
#[derive(Debug, Clone)]
pub struct Aggregate {
    /// Over which records.
    pub collection: Arc<Collection>,
    /// Which of them.
    pub filter: Filter,
    /// Only those that one record leads to.
    pub related_to: Option<RelatedTo>,
    /// What is made of the values.
    pub aggregator: Aggregator,
    /// The scalar field whose values are taken; records without a value are passed over. `None` counts records.
    pub field: Option<String>,
    /// Whether values that occur again count.
    pub repeated: Repeated,
}

/// The records at the end of an association of one record.
#[derive(Debug, Clone)]
pub struct RelatedTo {
    /// Where the record is.
    pub collection: Arc<Collection>,
    /// Its key.
    pub key: Value,
    /// The association field, which leads to the collection that is aggregated.
    pub association: String,
}

impl Conn {
    /// Aggregates records: one statement.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] for unknown fields, for a sum or an average of what is no number, for anything but a count
    /// without a field, and for an association that leads elsewhere.
    pub async fn aggregate(&mut self, aggregate: &Aggregate) -> Result<Value, StoreError> {
        let Aggregate { collection, filter, related_to, aggregator, field, repeated } = aggregate;
        let field = field.as_deref().map(|name| collection.readable_scalar(name)).transpose()?;
        let expression = expression(collection, *aggregator, field, *repeated, self.dialect())?;
        let mut statement = Query::select();
        statement
            .expr(expression)
            .from(collection.name.clone())
            .cond_where(filter.compile(self.dialect(), &collection.name));
        if let Some(related_to) = related_to {
            let association = related_to.association(collection)?;
            let column = Expr::col((collection.name.clone(), association.target_column().to_owned()));
            statement.and_where(column.in_subquery(related_to.keys(self.dialect(), association)?));
        }
        let row = self.fetch_optional(&statement).await?;
        let cell = row.map_or(Ok(Cell::Null), |row| row.cell(0))?;
        match (aggregator, field) {
            (Aggregator::Count, _) | (_, None) => Ok(Value::from(cell)),
            (Aggregator::Sum, Some(field)) => {
                codec::decode(field, if cell == Cell::Null { Cell::Integer(0) } else { cell })
            }
            (Aggregator::Average, Some(field)) => Ok(average(field, &cell)),
            (Aggregator::Minimum | Aggregator::Maximum, Some(field)) => codec::decode(field, cell),
        }
    }
}

fn expression(
    collection: &Collection,
    aggregator: Aggregator,
    field: Option<&Field>,
    repeated: Repeated,
    dialect: Dialect,
) -> Result<Expr, StoreError> {
    let Some(field) = field else {
        return match aggregator {
            Aggregator::Count => Ok(Func::count(Expr::cust("*")).into()),
            Aggregator::Sum | Aggregator::Average | Aggregator::Minimum | Aggregator::Maximum => {
                Err(StoreError::invalid("REQUIRED", "a field is required, unless records are counted"))
            }
        };
    };
    let is_number = match &field.field_type {
        FieldType::Integer | FieldType::BigInt | FieldType::Double | FieldType::Decimal { .. } => true,
        FieldType::String { .. }
        | FieldType::Text
        | FieldType::Boolean
        | FieldType::DateTime
        | FieldType::Date
        | FieldType::Time
        | FieldType::Json
        | FieldType::Uuid
        | FieldType::Array { .. }
        | FieldType::Password
        | FieldType::Association(_) => false,
    };
    if matches!(aggregator, Aggregator::Sum | Aggregator::Average) && !is_number {
        return Err(StoreError::invalid_value(&field.name, "only numbers have a sum and an average"));
    }
    let column = Expr::col((collection.name.clone(), field.name.clone()));
    let compared = match &field.native {
        None => column.clone(),
        Some(native) => native.compare(column.clone()),
    };
    let values = match repeated {
        Repeated::Counted => compared,
        Repeated::Once => dialect.distinct(compared),
    };
    // Sums and means of whole numbers are of a wider type in some databases.
    let sum_type = match (&field.field_type, &field.native) {
        (FieldType::Double, _) => dialect.double(),
        (_, None) => dialect.whole(),
        // More digits than those types have room for.
        (_, Some(_)) => dialect.text(),
    };
    let extreme = |made: fn(Expr) -> FunctionCall| match &field.native {
        None => made(column.clone()).into(),
        Some(native) => native.select_ordered(made(native.order(column.clone())).into()),
    };
    Ok(match aggregator {
        Aggregator::Count => Func::count(values).into(),
        Aggregator::Sum => Expr::from(Func::sum(values)).cast_as(sum_type),
        Aggregator::Average => Expr::from(Func::avg(values)).cast_as(dialect.double()),
        // The same whether values repeat or not.
        Aggregator::Minimum => extreme(Func::min),
        Aggregator::Maximum => extreme(Func::max),
    })
}

/// A mean is a number, whatever it is the mean of; the main database stores decimals in their smallest unit.
fn average(field: &Field, cell: &Cell) -> Value {
    let mean = match cell {
        Cell::Real(mean) => *mean,
        Cell::Null | Cell::Integer(_) | Cell::Text(_) => return Value::Null,
    };
    let mean = match field.field_type {
        FieldType::Decimal { scale } if field.native.is_none() => mean / 10_f64.powi(scale.cast_signed()),
        _ => mean,
    };
    Number::from_f64(mean).map_or(Value::Null, Value::Number)
}

impl RelatedTo {
    fn association(&self, target: &Collection) -> Result<&Association, StoreError> {
        self.collection
            .association(&self.association)
            .filter(|association| association.target == target.name)
            .ok_or_else(|| {
                let message = format!("{}.{} does not lead to {}", self.collection.name, self.association, target.name);
                StoreError::invalid("UNKNOWN_FIELD", message)
            })
    }

    /// The values of the target's column by which records belong to the one with the key.
    fn keys(&self, dialect: Dialect, association: &Association) -> Result<SelectStatement, StoreError> {
        let filter = Filter::by_key(&self.collection, &self.key)?;
        let source = Query::select()
            .expr(Expr::col((self.collection.name.clone(), association.source_column().to_owned())))
            .from(self.collection.name.clone())
            .cond_where(filter.compile(dialect, &self.collection.name))
            .take();
        Ok(match association.join() {
            Join::BelongsTo | Join::Has => source,
            Join::Through { through, other_key } => Query::select()
                .expr(Expr::col((through.to_owned(), other_key.to_owned())))
                .from(through.to_owned())
                .and_where(Expr::col((through.to_owned(), association.foreign_key.clone())).in_subquery(source))
                .take(),
        })
    }
}
