//! The catalog of a SQLite file.

use super::{Column, ForeignKey, Structure, Table, sqlite_types::kind};
use crate::{
    db::{Conn, Row},
    error::StoreError,
    schema::Generated,
};

/// What `hidden` says of a column: a part of a virtual table's inside, and computed.
const INSIDE: i64 = 1;
const COMPUTED: [i64; 2] = [2, 3];

pub(super) async fn structure(conn: &mut Conn) -> Result<Structure, StoreError> {
    let sql = "SELECT name, type, wr FROM pragma_table_list \
               WHERE schema = 'main' AND type IN ('table', 'view', 'virtual') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
               ORDER BY name";
    let mut structure = Structure::default();
    for row in conn.ask(sql, []).await? {
        let name: String = row.get("name")?;
        let table = Table { is_view: row.get::<String>("type")? == "view", ..Table::default() };
        match whole(conn, Table { name: name.clone(), ..table }, row.get("wr")?).await {
            Ok(table) => structure.tables.push(table),
            // A view of what is not there any more, a module that is not part of this program.
            Err(error) if !error.is_transient() => structure.leave_out(&name, reason(&error)),
            Err(error) => return Err(error),
        }
    }
    Ok(structure)
}

async fn whole(conn: &mut Conn, mut table: Table, has_no_rowid: bool) -> Result<Table, StoreError> {
    let name = || [table.name.as_str().into()];
    let columns = conn.ask("SELECT * FROM pragma_table_xinfo(?) ORDER BY cid", name()).await?;
    let indexes = "SELECT l.name AS \"index\", i.name AS \"column\" FROM pragma_index_list(?) AS l \
                   JOIN pragma_index_info(l.name) AS i \
                   WHERE l.\"unique\" = 1 AND l.partial = 0 AND l.origin <> 'pk' ORDER BY l.seq, i.seqno";
    let indexes = conn.ask(indexes, name()).await?;
    let keys = "SELECT id, \"table\", \"from\", \"to\" FROM pragma_foreign_key_list(?) ORDER BY id, seq";
    let keys = conn.ask(keys, name()).await?;

    let mut key: Vec<(i64, String)> = Vec::new();
    for row in &columns {
        if let position @ 1.. = row.get::<i64>("pk")? {
            key.push((position, row.get("name")?));
        }
    }
    key.sort();
    table.key = key.into_iter().map(|(_, name)| name).collect();
    for row in &columns {
        if row.get::<i64>("hidden")? != INSIDE {
            let column = column(row, &table, has_no_rowid)?;
            table.columns.push(column);
        }
    }
    table.unique = unique(&indexes)?;
    table.foreign_keys = foreign_keys(&keys)?;
    Ok(table)
}

fn column(row: &Row, table: &Table, has_no_rowid: bool) -> Result<Column, StoreError> {
    let name: String = row.get("name")?;
    let declared: String = row.get("type")?;
    let is_key_alone = table.key.as_slice() == [name.clone()];
    let counts = is_key_alone && !has_no_rowid && declared.eq_ignore_ascii_case("INTEGER");
    let generated = match row.get::<i64>("hidden")? {
        hidden if COMPUTED.contains(&hidden) => Some(Generated::Computed),
        _ if counts => Some(Generated::Sequence),
        _ => None,
    };
    Ok(Column {
        kind: kind(&declared),
        required: row.get("notnull")?,
        has_default: row.get::<Option<String>>("dflt_value")?.is_some(),
        generated,
        name,
    })
}

/// The columns of each index; one over an expression has no name for it and is none of columns.
fn unique(rows: &[Row]) -> Result<Vec<Vec<String>>, StoreError> {
    let mut indexes: Vec<(String, Vec<Option<String>>)> = Vec::new();
    for row in rows {
        let (index, column): (String, Option<String>) = (row.get("index")?, row.get("column")?);
        match indexes.last_mut() {
            Some((last, columns)) if *last == index => columns.push(column),
            _ => indexes.push((index, vec![column])),
        }
    }
    Ok(indexes.into_iter().filter_map(|(_, columns)| columns.into_iter().collect()).collect())
}

fn foreign_keys(rows: &[Row]) -> Result<Vec<ForeignKey>, StoreError> {
    let mut keys: Vec<(i64, ForeignKey)> = Vec::new();
    for row in rows {
        let (id, from, to): (i64, String, Option<String>) = (row.get("id")?, row.get("from")?, row.get("to")?);
        match keys.last_mut() {
            Some((last, key)) if *last == id => {
                key.columns.push(from);
                key.target_columns.extend(to);
            }
            _ => {
                let target = row.get("table")?;
                keys.push((id, ForeignKey { columns: vec![from], target, target_columns: to.into_iter().collect() }));
            }
        }
    }
    Ok(keys.into_iter().map(|(_, key)| key).collect())
}

fn reason(error: &StoreError) -> String {
    match error {
        StoreError::Database(cause) => format!("it cannot be read: {cause}"),
        other => format!("it cannot be read: {other}"),
    }
}
