//! Single rows: inserting with defaults and stamps, updating, reading back.

use sea_query::{Expr, InsertStatement, LockType, Query, ReturningClause, SelectStatement, UpdateStatement};
use serde_json::Value;
use uuid::Uuid;

use super::values::required;
use crate::{
    Record, codec,
    db::{Cell, Row, Tx, dialect::quoted},
    error::StoreError,
    id::UserId,
    query::{Filter, order_by_key},
    record_changes::RecordChangeKind,
    schema::{Collection, Field, FieldType, Generated, Origin},
};

/// Values of keys in one statement: PostgreSQL takes 65,535 values, some of which are for something else.
const KEY_VALUES_MAX: usize = 65_000;

impl Tx {
    /// Inserts a row and answers it, hidden fields too. Fills in defaults, ids, stamps and authors.
    pub(super) async fn insert_row(
        &mut self,
        collection: &Collection,
        given: Vec<(&Field, Cell)>,
        author: Option<UserId>,
    ) -> Result<Record, StoreError> {
        let mut columns = Vec::new();
        let mut values: Vec<Expr> = Vec::new();
        let mut known = Vec::new();
        let now = self.moment();
        let author = author.map_or(Cell::Null, |author| Cell::Integer(author.0));
        for field in collection.scalars() {
            let value = given.iter().find(|(given, _)| given.name == field.name).map(|(_, cell)| cell.clone());
            let cell = match (value, field.generated) {
                (Some(cell), _) => Some(cell),
                (None, Some(Generated::Sequence | Generated::Computed)) => None,
                (None, Some(Generated::EngineId)) => Some(Cell::Integer(self.next_id().await?)),
                (None, Some(Generated::CreatedAt | Generated::UpdatedAt)) => Some(Cell::Text(now.clone())),
                (None, Some(Generated::CreatedBy | Generated::UpdatedBy)) => Some(author.clone()),
                (None, None) => initial(field)?,
            };
            match cell {
                Some(cell) => {
                    if !self.dialect().has_returning() {
                        known.push((field, cell.clone()));
                    }
                    columns.push(field.name.clone());
                    values.push(field.written(cell));
                }
                None if field.required => return Err(required(field)),
                None => {}
            }
        }
        let mut statement = InsertStatement::new();
        statement.into_table(collection.name.clone());
        if columns.is_empty() {
            statement.or_default_values();
        } else {
            statement.columns(columns).values_panic(values);
        }
        let record = if self.dialect().has_returning() {
            statement.returning(all_columns(collection));
            let row = self.fetch_optional(&statement).await?;
            self.count_above(collection, &given).await?;
            read(collection, &row.ok_or_else(|| StoreError::NotFound { what: collection.name.clone() })?)?
        } else {
            self.execute(&statement).await?;
            self.inserted(collection, known).await?
        };
        if self.is_heard(collection, RecordChangeKind::Created) {
            self.note_records(collection, [(None, Some(record.clone()))]);
        }
        Ok(record)
    }

    /// Lets the columns that count by themselves go on above the numbers that were given for them.
    async fn count_above(&mut self, collection: &Collection, given: &[(&Field, Cell)]) -> Result<(), StoreError> {
        let Some(statement) = self.dialect().count_above().filter(|_| collection.origin != Origin::Further) else {
            return Ok(());
        };
        for (field, cell) in given.iter().filter(|(field, _)| field.generated == Some(Generated::Sequence)) {
            let table = quoted(&collection.name);
            self.query(statement, [cell.clone().into(), table.into(), field.name.as_str().into()]).await?;
        }
        Ok(())
    }

    /// Changes the matching rows and answers them, hidden fields too, in key order.
    pub(super) async fn update_rows(
        &mut self,
        collection: &Collection,
        filter: &Filter,
        given: &[(&Field, Cell)],
        author: Option<UserId>,
    ) -> Result<Vec<Record>, StoreError> {
        let mut statement = UpdateStatement::new();
        statement.table(collection.name.clone());
        let mut changes = false;
        for (field, cell) in given {
            statement.value(field.name.clone(), field.written(cell.clone()));
            changes = true;
        }
        for field in collection.scalars() {
            let stamp = match (field.generated, author) {
                (Some(Generated::UpdatedAt), _) => Cell::Text(self.moment()),
                (Some(Generated::UpdatedBy), Some(author)) => Cell::Integer(author.0),
                _ => continue,
            };
            statement.value(field.name.clone(), stamp);
            changes = true;
        }
        if !changes {
            return self.rows_matching(collection, filter).await;
        }
        if !self.dialect().has_returning() {
            return self.update_by_key(collection, filter, statement, given).await;
        }
        let before = match self.is_heard(collection, RecordChangeKind::Updated) {
            true => Some(self.rows_matching(collection, filter).await?),
            false => None,
        };
        let those = match &before {
            Some(before) => self.exactly(collection, before, filter)?,
            None => filter.clone(),
        };
        statement.cond_where(those.compile(self.dialect(), &collection.name)).returning(all_columns(collection));
        let rows = self.fetch_all(&statement).await?;
        let mut records: Vec<Record> = rows.iter().map(|row| read(collection, row)).collect::<Result<_, _>>()?;
        sort_by_key(collection, &mut records);
        if let Some(before) = before {
            self.note_update(collection, before, &records);
        }
        Ok(records)
    }

    /// What matches the rows that were read and held, and none that has begun to match since: nobody would hear of that one.
    /// Rows without a key, or with a part of it missing, cannot be told apart so; nor can more of several columns than a statement takes
    /// values.
    pub(super) fn exactly(
        &self,
        collection: &Collection,
        held: &[Record],
        filter: &Filter,
    ) -> Result<Filter, StoreError> {
        let columns = collection.key.as_slice();
        let [key] = columns else {
            if let (Some(column), true, true) = (columns.first(), held.is_empty(), self.has_rivals()) {
                return Ok(Filter::one_of(collection.field(column)?, Vec::new()));
            }
            let has_key = |record: &Record| columns.iter().all(|it| record.get(it).is_some_and(|part| !part.is_null()));
            let fits = held.len() * columns.len() <= KEY_VALUES_MAX;
            if columns.is_empty() || !self.has_rivals() || !fits || !held.iter().all(has_key) {
                return Ok(filter.clone());
            }
            let key_of = |record: &Record| -> Record {
                columns.iter().filter_map(|it| Some((it.clone(), record.get(it)?.clone()))).collect()
            };
            return Filter::by_key(collection, &held.iter().map(|record| Value::Object(key_of(record))).collect());
        };
        if !self.has_rivals() {
            return Ok(filter.clone());
        }
        let field = collection.field(key)?;
        let keys = held.iter().map(|record| codec::operand(field, record.get(key).unwrap_or(&Value::Null)));
        Ok(Filter::one_of(field, keys.collect::<Result<_, _>>()?))
    }

    /// Reads the matching rows whole, hidden fields too, in key order. Nobody else changes them before the transaction ends.
    pub(super) async fn rows_matching(
        &mut self,
        collection: &Collection,
        filter: &Filter,
    ) -> Result<Vec<Record>, StoreError> {
        self.rows_held(collection, filter, Some(LockType::NoKeyUpdate)).await
    }

    /// The same for rows that are referred to: others may change, but not delete them. In a further database its constraints see
    /// to that.
    pub(super) async fn rows_referred_to(
        &mut self,
        collection: &Collection,
        filter: &Filter,
    ) -> Result<Vec<Record>, StoreError> {
        let lock = (collection.origin != Origin::Further).then_some(LockType::KeyShare);
        self.rows_held(collection, filter, lock).await
    }

    pub(super) async fn rows_held(
        &mut self,
        collection: &Collection,
        filter: &Filter,
        lock: Option<LockType>,
    ) -> Result<Vec<Record>, StoreError> {
        let mut statement: SelectStatement = Query::select();
        for field in collection.scalars() {
            statement.expr(field.selected(Expr::col((collection.name.clone(), field.name.clone()))));
        }
        statement.from(collection.name.clone()).cond_where(filter.compile(self.dialect(), &collection.name));
        order_by_key(&mut statement, collection, &collection.name);
        if let Some(lock) = lock {
            statement.lock(self.dialect().lock(lock));
        }
        let rows = self.fetch_all(&statement).await?;
        rows.iter().map(|row| read(collection, row)).collect()
    }
}

/// What an unset field starts with; `None` leaves it to the database.
fn initial(field: &Field) -> Result<Option<Cell>, StoreError> {
    match &field.default {
        Some(default) => codec::encode(field, default).map(Some),
        // A further database may make its own, or do without.
        None if field.field_type == FieldType::Uuid && (field.native.is_none() || field.required) => {
            Ok(Some(Cell::Text(Uuid::new_v4().to_string())))
        }
        None => Ok(None),
    }
}

/// Every column, in the order in which [`read`] expects them.
pub(super) fn all_columns(collection: &Collection) -> ReturningClause {
    Query::returning().exprs(collection.scalars().map(|field| field.selected(Expr::col(field.name.clone()))))
}

pub(super) fn read(collection: &Collection, row: &Row) -> Result<Record, StoreError> {
    collection
        .scalars()
        .enumerate()
        .map(|(index, field)| Ok((field.name.clone(), codec::decode(field, row.cell(index)?)?)))
        .collect()
}

/// `RETURNING` promises no order.
pub(super) fn sort_by_key(collection: &Collection, records: &mut [Record]) {
    let key = |record: &Record| -> Vec<(i64, String)> {
        collection
            .key
            .iter()
            .map(|name| match record.get(name) {
                Some(Value::Number(number)) => (number.as_i64().unwrap_or_default(), String::new()),
                Some(Value::String(text)) => (0, text.clone()),
                Some(_) | None => (0, String::new()),
            })
            .collect()
    };
    records.sort_by_cached_key(key);
}
