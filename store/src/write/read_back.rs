//! Writing rows where statements do not answer with them: what was written is read back by its key, in the same transaction.

use sea_query::{DeleteStatement, UpdateStatement};
use serde_json::Value;

use crate::{
    Record, codec,
    db::{Cell, Tx},
    error::StoreError,
    query::Filter,
    record_changes::RecordChangeKind,
    schema::{Collection, Field, Generated},
};

impl Tx {
    /// Reads the row that was just inserted with what is `given`; a key that the database has counted is asked for. Of a row
    /// without a key only that is known.
    pub(super) async fn inserted(
        &mut self,
        collection: &Collection,
        given: Vec<(&Field, Cell)>,
    ) -> Result<Record, StoreError> {
        let mut filter = Filter::default();
        for name in &collection.key {
            let field = collection.field(name)?;
            let given = given.iter().find(|(given, _)| given.name == *name).map(|(_, cell)| cell.clone());
            let cell = match (given, field.generated) {
                (Some(cell), _) => cell,
                (None, Some(Generated::Sequence)) => codec::operand(field, &Value::String(self.counted().await?))?,
                (None, _) => return Err(super::values::required(field)),
            };
            filter = filter.and(Filter::equal(field, cell));
        }
        if collection.key.is_empty() {
            let mut record: Record = collection.scalars().map(|field| (field.name.clone(), Value::Null)).collect();
            for (field, cell) in given {
                record.insert(field.name.clone(), codec::decode(field, cell)?);
            }
            return Ok(record);
        }
        // It is this transaction's own.
        let row = self.rows_held(collection, &filter, None).await?.into_iter().next();
        row.ok_or_else(|| StoreError::NotFound { what: collection.name.clone() })
    }

    /// Carries out an update without its condition on the matching rows, and answers them as they are then, in key order.
    pub(super) async fn update_by_key(
        &mut self,
        collection: &Collection,
        filter: &Filter,
        mut update: UpdateStatement,
        given: &[(&Field, Cell)],
    ) -> Result<Vec<Record>, StoreError> {
        let before = self.rows_matching(collection, filter).await?;
        let Some(those) = by_keys(collection, &before)? else { return Ok(before) };
        update.cond_where(those.compile(self.dialect(), &collection.name));
        self.execute(&update).await?;
        // Where they are now.
        let mut moved = before.clone();
        for (field, cell) in given.iter().filter(|(field, _)| collection.key.contains(&field.name)) {
            let value = codec::decode(field, cell.clone())?;
            for record in &mut moved {
                record.insert(field.name.clone(), value.clone());
            }
        }
        let Some(those) = by_keys(collection, &moved)? else { return Ok(moved) };
        let records = self.rows_matching(collection, &those).await?;
        if self.is_heard(collection, RecordChangeKind::Updated) {
            self.note_update(collection, before, &records);
        }
        Ok(records)
    }

    /// Deletes the matching rows and answers them, in key order.
    pub(super) async fn delete_by_key(
        &mut self,
        collection: &Collection,
        filter: &Filter,
    ) -> Result<Vec<Record>, StoreError> {
        let doomed = self.rows_matching(collection, filter).await?;
        if let Some(those) = by_keys(collection, &doomed)? {
            let statement = DeleteStatement::new()
                .from_table(collection.name.clone())
                .cond_where(those.compile(self.dialect(), &collection.name))
                .take();
            self.execute(&statement).await?;
        }
        Ok(doomed)
    }
}

/// Matches these records, and no others; `None` if there are none.
fn by_keys(collection: &Collection, records: &[Record]) -> Result<Option<Filter>, StoreError> {
    if records.is_empty() {
        return Ok(None);
    }
    let keys: Vec<Value> = records.iter().filter_map(|record| collection.key_of(record)).collect();
    Filter::by_key(collection, &Value::Array(keys)).map(Some)
}
