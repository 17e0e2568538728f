//! The catalog of a MySQL or MariaDB database.

use std::collections::{HashMap, HashSet};

use super::{
    Column, ForeignKey, Structure, Table,
    mysql_types::{Declared, kind},
};
use crate::{
    db::{Conn, Row},
    error::StoreError,
    schema::Generated,
};

const TABLES: &str = "
    SELECT TABLE_NAME AS `name`, TABLE_TYPE AS `type` FROM information_schema.TABLES
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE IN ('BASE TABLE', 'VIEW', 'SYSTEM VERSIONED') ORDER BY TABLE_NAME";

const COLUMNS: &str = "
    SELECT TABLE_NAME AS `table`, COLUMN_NAME AS `name`, DATA_TYPE AS `type`, COLUMN_TYPE AS `shown`,
           IS_NULLABLE = 'NO' AS `required`, COLUMN_DEFAULT IS NOT NULL AS `hasDefault`, EXTRA AS `extra`,
           CAST(CHARACTER_MAXIMUM_LENGTH AS SIGNED) AS `length`, CAST(NUMERIC_PRECISION AS SIGNED) AS `precision`,
           CAST(NUMERIC_SCALE AS SIGNED) AS `scale`
    FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME, ORDINAL_POSITION";

const KEYS: &str = "
    SELECT TABLE_NAME AS `table`, INDEX_NAME AS `name`, COLUMN_NAME AS `column`, SUB_PART IS NOT NULL AS `isPart`
    FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() AND NON_UNIQUE = 0
    ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX";

const FOREIGN_KEYS: &str = "
    SELECT TABLE_NAME AS `table`, CONSTRAINT_NAME AS `name`, COLUMN_NAME AS `column`,
           REFERENCED_TABLE_NAME AS `target`, REFERENCED_COLUMN_NAME AS `targetColumn`
    FROM information_schema.KEY_COLUMN_USAGE
    WHERE TABLE_SCHEMA = DATABASE() AND REFERENCED_TABLE_SCHEMA = DATABASE()
    ORDER BY TABLE_NAME, COLUMN_NAME, CONSTRAINT_NAME, ORDINAL_POSITION";

/// In MariaDB, JSON is text that is checked; `json_valid(`column`)` is the check.
const JSON_CHECKS: &str = "
    SELECT TABLE_NAME AS `table`, CHECK_CLAUSE AS `clause` FROM information_schema.CHECK_CONSTRAINTS
    WHERE CONSTRAINT_SCHEMA = DATABASE() AND CHECK_CLAUSE LIKE 'json_valid(%)'";

pub(super) async fn structure(conn: &mut Conn) -> Result<Structure, StoreError> {
    let checked = checked_json(conn).await?;
    let mut structure = Structure::default();
    let mut places: HashMap<String, usize> = HashMap::new();
    for row in conn.ask(TABLES, []).await? {
        let name: String = row.get("name")?;
        places.insert(name.clone(), structure.tables.len());
        let is_view = row.get::<String>("type")? == "VIEW";
        structure.tables.push(Table { name, is_view, ..Table::default() });
    }
    let place =
        |row: &Row| -> Result<Option<usize>, StoreError> { Ok(places.get(&row.get::<String>("table")?).copied()) };
    for row in &conn.ask(COLUMNS, []).await? {
        if let Some(place) = place(row)? {
            structure.tables[place].columns.push(column(row, &checked)?);
        }
    }
    for ((place, name), columns) in grouped(&conn.ask(KEYS, []).await?, place, |row| {
        let is_part: bool = row.get("isPart")?;
        Ok(row.get::<Option<String>>("column")?.filter(|_| !is_part))
    })? {
        // One over a part of a column or over an expression is none of columns.
        match columns.into_iter().collect::<Option<Vec<String>>>() {
            Some(columns) if name == "PRIMARY" => structure.tables[place].key = columns,
            Some(columns) => structure.tables[place].unique.push(columns),
            None => {}
        }
    }
    let foreign_keys = grouped(&conn.ask(FOREIGN_KEYS, []).await?, place, |row| {
        Ok((row.get::<String>("column")?, row.get::<String>("target")?, row.get::<String>("targetColumn")?))
    })?;
    for ((place, _), parts) in foreign_keys {
        let mut key = ForeignKey { columns: Vec::new(), target: String::new(), target_columns: Vec::new() };
        for (column, target, target_column) in parts {
            key.columns.push(column);
            key.target = target;
            key.target_columns.push(target_column);
        }
        structure.tables[place].foreign_keys.push(key);
    }
    for table in &mut structure.tables {
        // What the database makes up for a key, other than a number that it counts, could not be asked for afterwards.
        for column in table.columns.iter_mut().filter(|column| table.key.contains(&column.name)) {
            column.has_default = false;
        }
    }
    Ok(structure)
}

/// The columns of MariaDB that hold JSON, by table.
async fn checked_json(conn: &mut Conn) -> Result<HashSet<(String, String)>, StoreError> {
    let version = conn.ask("SELECT VERSION() AS `version`", []).await?;
    let version: String = version.first().map_or(Ok(String::new()), |row| row.get("version"))?;
    let mut checked = HashSet::new();
    if version.contains("MariaDB") {
        for row in conn.ask(JSON_CHECKS, []).await? {
            let clause: String = row.get("clause")?;
            if let Some(column) = clause.strip_prefix("json_valid(`").and_then(|rest| rest.strip_suffix("`)")) {
                checked.insert((row.get("table")?, column.replace("``", "`")));
            }
        }
    }
    Ok(checked)
}

fn column(row: &Row, checked: &HashSet<(String, String)>) -> Result<Column, StoreError> {
    let name: String = row.get("name")?;
    let extra = row.get::<String>("extra")?.to_ascii_lowercase();
    let generated = match extra.as_str() {
        extra if extra.contains("auto_increment") => Some(Generated::Sequence),
        extra if ["virtual generated", "stored generated", "persistent"].iter().any(|word| extra.contains(word)) => {
            Some(Generated::Computed)
        }
        _ => None,
    };
    let declared = Declared {
        name: row.get::<String>("type")?.to_ascii_lowercase(),
        shown: row.get("shown")?,
        is_checked_json: checked.contains(&(row.get("table")?, name.clone())),
        length: row.get("length")?,
        precision: row.get("precision")?,
        scale: row.get("scale")?,
    };
    Ok(Column {
        kind: kind(&declared),
        required: row.get("required")?,
        has_default: row.get("hasDefault")?,
        generated,
        name,
    })
}

/// Parts of a key, by the table's place and the key's name.
type PartsOfKey<T> = ((usize, String), Vec<T>);

/// Something of each row, by the table's place and the name of the key that it is a part of, in the order of the rows.
fn grouped<T>(
    rows: &[Row],
    place: impl Fn(&Row) -> Result<Option<usize>, StoreError>,
    part: impl Fn(&Row) -> Result<T, StoreError>,
) -> Result<Vec<PartsOfKey<T>>, StoreError> {
    let mut groups: Vec<PartsOfKey<T>> = Vec::new();
    for row in rows {
        let Some(place) = place(row)? else { continue };
        let key = (place, row.get("name")?);
        let part = part(row)?;
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, parts)) => parts.push(part),
            None => groups.push((key, vec![part])),
        }
    }
    Ok(groups)
}
