//! Where the rows come from.

use std::{collections::BTreeMap, ops::ControlFlow, sync::Arc};

use super::{
    Tell, TransferError, TransferEvent,
    digest::Digest,
    tables::{Table, is_left_behind},
};
use crate::{
    db::{Cell, Conn, Found, Row, shown, snapshot},
    error::StoreError,
    schema::Schema,
};

/// How much of a batch is kept in memory, in bytes. Single rows may be larger.
const BATCH_BYTES: usize = 4 << 20;

/// Rows of definitions that are read at a time.
const DEFINITIONS_AT_A_TIME: u32 = 1_000;

/// A database as it is when it is opened.
pub(super) struct Source {
    conn: Conn,
    /// Its address, without a password.
    pub(super) name: String,
    pub(super) schema: Arc<Schema>,
    tables: Vec<Table>,
    strays: Vec<String>,
}

/// A table with what was found in it.
#[derive(Debug)]
pub(super) struct Surveyed {
    pub(super) table: Table,
    pub(super) digest: Digest,
}

/// Some rows of a table, and where the next ones begin.
pub(super) struct Batch {
    pub(super) rows: Vec<Vec<Cell>>,
    pub(super) cursor: Option<Vec<Cell>>,
    pub(super) is_last: bool,
}

impl Source {
    /// Opens a database that no host works with.
    pub(super) async fn open(url: &str) -> Result<Self, TransferError> {
        let mut conn = snapshot(url).await?.ok_or(TransferError::NoSource)?;
        match conn.what_is_it().await? {
            Found::Current => {}
            Found::Nothing | Found::Strange => return Err(TransferError::NoSource),
            Found::Older => return Err(TransferError::OldSource),
            Found::Newer => return Err(TransferError::Newer { which: "source" }),
        }
        if let Some(source_of_source) = conn.unfinished_copy().await? {
            return Err(TransferError::UnfinishedSource { source_of_source });
        }
        let rows = conn.query(r#"SELECT max("leaseUntil") AS "until" FROM "claimants""#, []).await?;
        let until: Option<i64> = rows.first().map_or(Ok(None), |row| row.get("until"))?;
        let left_ms = until.unwrap_or_default() - conn.now_ms().await?;
        if left_ms > 0 {
            return Err(TransferError::SourceInUse { seconds: left_ms / 1_000 + 1 });
        }
        let schema = Arc::new(conn.load_schema().await?);
        let tables = Table::list(&mut conn, &schema).await?;
        let is_known = |name: &String| is_left_behind(name) || tables.iter().any(|table| table.name == *name);
        let mut strays = conn.tables().await?;
        strays.retain(|name| !is_known(name));
        Ok(Self { conn, name: shown(url), schema, tables, strays })
    }

    /// Tables that nobody knows.
    pub(super) fn strays(&self) -> impl Iterator<Item = &str> {
        self.strays.iter().map(String::as_str)
    }

    /// Reads everything once.
    pub(super) async fn survey(&mut self, tell: Tell<'_>) -> Result<Vec<Surveyed>, TransferError> {
        let mut survey = Vec::new();
        for table in self.tables.clone() {
            let digest = digest(&mut self.conn, &table).await?;
            tell(TransferEvent::Read { table: &table.name, rows: digest.rows() });
            survey.push(Surveyed { table, digest });
        }
        Ok(survey)
    }

    /// Reads the rows behind a cursor, at most so many.
    pub(super) async fn batch(
        &mut self,
        table: &Table,
        cursor: Option<&[Cell]>,
        limit: u32,
    ) -> Result<Batch, TransferError> {
        let statement = table.behind(self.conn.dialect(), cursor, limit);
        let mut batch = Batch { rows: Vec::new(), cursor: cursor.map(<[Cell]>::to_vec), is_last: true };
        let mut bytes = 0;
        let read = self.conn.each_row(&statement, |row| {
            if bytes >= BATCH_BYTES {
                batch.is_last = false;
                return Ok(ControlFlow::Break(()));
            }
            let mut cells = cells(row)?;
            bytes += cells.iter().map(size).sum::<usize>();
            batch.cursor = Some(cells.split_off(table.columns.len()));
            batch.rows.push(cells);
            Ok(ControlFlow::Continue(()))
        });
        read.await.map_err(TransferError::of(&table.name))?;
        batch.is_last &= batch.rows.len() < limit as usize;
        Ok(batch)
    }

    /// Reads all rows of a table that has few.
    pub(super) async fn all(&mut self, table: &Table) -> Result<Vec<Vec<Cell>>, TransferError> {
        let mut batch = self.batch(table, None, DEFINITIONS_AT_A_TIME).await?;
        let mut rows = std::mem::take(&mut batch.rows);
        while !batch.is_last {
            batch = self.batch(table, batch.cursor.as_deref(), DEFINITIONS_AT_A_TIME).await?;
            rows.append(&mut batch.rows);
        }
        Ok(rows)
    }

    /// The last numbers that columns have counted to by themselves, by table.
    pub(super) async fn counters(&mut self) -> Result<BTreeMap<String, i64>, TransferError> {
        Ok(self.conn.counters().await?)
    }
}

/// Reads all rows of a table.
pub(super) async fn digest(conn: &mut Conn, table: &Table) -> Result<Digest, TransferError> {
    let (statement, mut digest) = (table.all(), Digest::default());
    let read = conn.each_row(&statement, |row| {
        digest.add(cells(row)?);
        Ok(ControlFlow::Continue(()))
    });
    read.await.map_err(TransferError::of(&table.name))?;
    Ok(digest)
}

fn cells(row: &Row) -> Result<Vec<Cell>, StoreError> {
    (0..row.columns()).map(|index| row.cell(index)).collect()
}

fn size(cell: &Cell) -> usize {
    size_of::<Cell>() + if let Cell::Text(text) = cell { text.len() } else { 0 }
}
