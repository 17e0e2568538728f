//! Where the rows go: a database without data, which says of itself how far the copy has come.

use std::{collections::BTreeMap, sync::Arc};

use sea_query::{DeleteStatement, Expr, Query};
use serde_json::Value;

use super::{
    Tell, TransferError, TransferEvent,
    source::{self, Source, Surveyed},
    tables::{DEFINITIONS, OWN, Table, is_left_behind},
};
use crate::{
    db::{Cell, Conn, Faults, Found, Row, Store, Tx, snapshot},
    error::StoreError,
};

/// A database that another one is copied into.
pub(super) struct Target {
    store: Store,
    url: String,
}

/// How far the copy of a table has come.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Progress {
    /// How many rows are there.
    pub(super) copied: u64,
    /// Where the next ones begin.
    pub(super) cursor: Option<Vec<Cell>>,
    /// Whether all are there.
    pub(super) done: bool,
}

/// Looks at the target without changing it.
///
/// # Errors
///
/// It is none.
pub(super) async fn look(url: &str) -> Result<(), TransferError> {
    let Some(mut conn) = snapshot(url).await? else { return Ok(()) };
    match conn.what_is_it().await? {
        Found::Nothing => Ok(()),
        Found::Strange => {
            let mut tables = conn.tables().await?;
            tables.truncate(5);
            Err(TransferError::StrangeTarget { tables })
        }
        Found::Newer => Err(TransferError::Newer { which: "target" }),
        Found::Current if conn.copy_of().await?.is_some() => Ok(()),
        Found::Current | Found::Older => conn.check_empty().await,
    }
}

impl Target {
    /// Opens the database and brings it up to date.
    pub(super) async fn open(url: &str, faults: Option<Arc<dyn Faults>>) -> Result<Self, TransferError> {
        Ok(Self { store: Store::open_to_copy(url, faults).await?, url: url.to_owned() })
    }

    pub(super) async fn close(&self) {
        self.store.close().await;
    }

    /// Begins a copy of what the survey has found, with the definitions of the collections and their tables; or finds out how far the
    /// one that was begun has come. `None` if it is complete.
    pub(super) async fn begin(
        &self,
        source: &mut Source,
        survey: &[Surveyed],
    ) -> Result<Option<BTreeMap<String, Progress>>, TransferError> {
        let mut definitions = Vec::new();
        for surveyed in survey.iter().filter(|surveyed| surveyed.table.defines()) {
            definitions.push((surveyed.table.clone(), source.all(&surveyed.table).await?));
        }
        let (name, schema) = (source.name.clone(), Arc::clone(&source.schema));
        let found: Vec<Planned> = survey.iter().map(Planned::from).collect();
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    if let Some(copy) = tx.copy_of().await? {
                        return tx.go_on(copy, &found).await;
                    }
                    tx.check_empty().await?;
                    tx.plan(&name, &found).await?;
                    tx.hold_schema().await?;
                    tx.make_tables(&schema).await?;
                    for (table, rows) in definitions {
                        let stored = tx.put_rows(&table.name, &table.columns, rows).await;
                        stored.map_err(TransferError::of(&table.name))?;
                    }
                    let schema = Arc::new(tx.load_schema().await?);
                    tx.set_schema(schema);
                    Ok(Some(tx.progress().await?))
                })
            })
            .await
    }

    /// Stores rows, with how far the copy has come by that, if it still is where it was.
    pub(super) async fn put(
        &self,
        table: &Table,
        before: &Progress,
        after: Progress,
        rows: Vec<Vec<Cell>>,
    ) -> Result<(), TransferError> {
        let (table, copied) = (table.clone(), before.copied);
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    tx.advance(&table.name, copied, &after).await?;
                    let stored = tx.put_rows(&table.name, &table.columns, rows).await;
                    stored.map_err(TransferError::of(&table.name))
                })
            })
            .await
    }

    /// Removes the rows of a table whose copy cannot be gone on with.
    pub(super) async fn begin_anew(&self, table: &Table) -> Result<Progress, TransferError> {
        let name = table.name.clone();
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let delete = DeleteStatement::new().from_table(name.clone()).take();
                    tx.execute(&delete).await?;
                    tx.run(
                        r#"UPDATE "_transferTables" SET "copied" = 0, "cursor" = NULL WHERE "name" = ?"#,
                        [name.into()],
                    )
                    .await?;
                    Ok(Progress::default())
                })
            })
            .await
    }

    /// Lets whatever counts by itself go on above what was counted in the source.
    pub(super) async fn count_on(&self, counters: BTreeMap<String, i64>) -> Result<(), TransferError> {
        self.store.write(move |tx| Box::pin(async move { Ok(tx.count_on(&counters).await?) })).await
    }

    /// Reads everything back. Answers the tables that are not what they are in the source.
    pub(super) async fn verify(&self, survey: &[Surveyed], tell: Tell<'_>) -> Result<Vec<String>, TransferError> {
        let mut conn = snapshot(&self.url).await?.ok_or(StoreError::Closed)?;
        let mut different = Vec::new();
        for Surveyed { table, digest } in survey {
            let found = source::digest(&mut conn, table).await?;
            let (there, here) = (digest.hex(), found.hex());
            tell(TransferEvent::Verified {
                table: &table.name,
                source: (digest.rows(), &there),
                target: (found.rows(), &here),
            });
            if found != *digest {
                different.push(table.name.clone());
            }
        }
        Ok(different)
    }

    /// Says that the target is complete: from now on it is a host's.
    pub(super) async fn complete(&self) -> Result<(), TransferError> {
        self.store
            .write(|tx| {
                Box::pin(async move {
                    tx.run(r#"UPDATE "_transfer" SET "completedAt" = ?"#, [tx.moment().into()]).await?;
                    Ok(())
                })
            })
            .await
    }
}

/// What is to be in a table.
#[derive(Debug)]
struct Planned {
    name: String,
    rows: i64,
    digest: String,
    /// Whether it is stored when the copy is begun.
    at_once: bool,
}

impl From<&Surveyed> for Planned {
    fn from(surveyed: &Surveyed) -> Self {
        let Surveyed { table, digest } = surveyed;
        // The columns are part of what was found.
        let digest_of_all = format!("{} {}", digest.hex(), table.columns.join(" "));
        let rows = i64::try_from(digest.rows()).unwrap_or(i64::MAX);
        Self { name: table.name.clone(), rows, digest: digest_of_all, at_once: table.defines() }
    }
}

/// The copy that a database is, or is to be.
struct CopyOf {
    source: String,
    is_complete: bool,
}

impl Conn {
    /// What the database is an unfinished copy of, if it is one.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub(crate) async fn unfinished_copy(&mut self) -> Result<Option<String>, StoreError> {
        Ok(self.copy_of().await?.filter(|copy| !copy.is_complete).map(|copy| copy.source))
    }

    async fn copy_of(&mut self) -> Result<Option<CopyOf>, StoreError> {
        let rows = self.query(r#"SELECT "source", "completedAt" FROM "_transfer""#, []).await?;
        let copy = |row: &Row| -> Result<CopyOf, StoreError> {
            let completed: Option<String> = row.get("completedAt")?;
            Ok(CopyOf { source: row.get("source")?, is_complete: completed.is_some() })
        };
        rows.first().map(copy).transpose()
    }

    /// Checks that no table of a host has rows.
    async fn check_empty(&mut self) -> Result<(), TransferError> {
        let mut tables = self.tables().await?;
        tables.retain(|name| !is_left_behind(name));
        let own = |name: &String| DEFINITIONS.iter().chain(&OWN).any(|(own, _)| own == name);
        let mut full = Vec::new();
        for name in tables {
            let first = Query::select().expr(Expr::val(1)).from(name.clone()).limit(1).take();
            // What is none of a host's own was made by somebody.
            if !own(&name) || self.fetch_optional(&first).await?.is_some() {
                full.push(name);
            }
        }
        if full.is_empty() { Ok(()) } else { Err(TransferError::TargetHasData { tables: full }) }
    }

    async fn progress(&mut self) -> Result<BTreeMap<String, Progress>, StoreError> {
        let rows = self.query(r#"SELECT "name", "copied", "cursor", "done" FROM "_transferTables""#, []).await?;
        let mut progress = BTreeMap::new();
        for row in &rows {
            let cursor = match row.json("cursor")? {
                Value::Array(values) => Some(values.into_iter().map(cell).collect::<Result<_, _>>()?),
                _ => None,
            };
            let copied = row.get::<i64>("copied")?.unsigned_abs();
            progress.insert(row.get("name")?, Progress { copied, cursor, done: row.get("done")? });
        }
        Ok(progress)
    }
}

impl Tx {
    /// Writes down what is to be copied.
    async fn plan(&mut self, source: &str, tables: &[Planned]) -> Result<(), StoreError> {
        self.run(
            r#"INSERT INTO "_transfer" ("source", "startedAt") VALUES (?, ?)"#,
            [source.into(), self.moment().into()],
        )
        .await?;
        for Planned { name, rows, digest, at_once } in tables {
            let copied = if *at_once { *rows } else { 0 };
            self.run(
                r#"INSERT INTO "_transferTables" ("name", "rows", "digest", "copied", "done") VALUES (?, ?, ?, ?, ?)"#,
                [
                    name.as_str().into(),
                    (*rows).into(),
                    digest.as_str().into(),
                    copied.into(),
                    i64::from(*at_once).into(),
                ],
            )
            .await?;
        }
        Ok(())
    }

    /// Goes on with a copy of the same source. `None` if it is complete.
    async fn go_on(
        &mut self,
        copy: CopyOf,
        tables: &[Planned],
    ) -> Result<Option<BTreeMap<String, Progress>>, TransferError> {
        let rows = self.query(r#"SELECT "name", "rows", "digest" FROM "_transferTables""#, []).await?;
        let mut planned: BTreeMap<String, (i64, String)> = BTreeMap::new();
        for row in &rows {
            planned.insert(row.get("name")?, (row.get("rows")?, row.get("digest")?));
        }
        let mut others = Vec::new();
        for Planned { name, rows, digest, .. } in tables {
            if planned.remove(name).as_ref() != Some(&(*rows, digest.clone())) {
                others.push(name.clone());
            }
        }
        others.extend(planned.into_keys());
        match (others.is_empty(), copy.is_complete) {
            (true, true) => Ok(None),
            (true, false) => Ok(Some(self.progress().await?)),
            (false, true) => Err(TransferError::TargetHasData { tables: vec![format!("all of {}", copy.source)] }),
            (false, false) => Err(TransferError::OtherSource { begun_from: copy.source, tables: others }),
        }
    }

    async fn advance(&mut self, table: &str, before: u64, after: &Progress) -> Result<(), TransferError> {
        let number = |rows: u64| i64::try_from(rows).unwrap_or(i64::MAX);
        let cursor =
            after.cursor.clone().map(|cursor| cursor.into_iter().map(Value::from).collect::<Value>().to_string());
        let changed = self
            .run(
                r#"UPDATE "_transferTables" SET "copied" = ?, "cursor" = ?, "done" = ?
                   WHERE "name" = ? AND "copied" = ? AND "done" = 0"#,
                [
                    number(after.copied).into(),
                    cursor.into(),
                    i64::from(after.done).into(),
                    table.into(),
                    number(before).into(),
                ],
            )
            .await?;
        if changed == 1 { Ok(()) } else { Err(TransferError::Rival) }
    }
}

/// A cursor's cell as it was written down.
fn cell(value: Value) -> Result<Cell, StoreError> {
    match value {
        Value::String(text) => Ok(Cell::Text(text)),
        Value::Number(number) if number.is_i64() => Ok(Cell::Integer(number.as_i64().unwrap_or_default())),
        other => Err(StoreError::Corrupt { what: format!("a cursor of a copy: {other}") }),
    }
}
