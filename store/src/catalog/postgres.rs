//! The catalog of a PostgreSQL schema.

use std::collections::HashMap;

use serde_json::Value;

use super::{
    Column, ForeignKey, Structure, Table,
    postgres_types::{Declared, kind},
};
use crate::{
    db::{Conn, Row},
    error::StoreError,
    schema::Generated,
};

/// Tables, partitioned and foreign ones, views and materialized views; not the partitions of a table.
const TABLES: &str = r#"
    SELECT c.oid::bigint AS "oid", c.relname::text AS "name", c.relkind IN ('v', 'm') AS "isView"
    FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
    ORDER BY c.relname"#;

/// Columns with the type under a domain, and what a list is one of.
const COLUMNS: &str = r#"
    SELECT a.attrelid::bigint AS "table", a.attname::text AS "name", a.attnotnull AS "required",
           has_column_privilege(a.attrelid, a.attnum, 'SELECT') AS "readable",
           a.attidentity::text AS "identity", a.attgenerated::text AS "generated",
           pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS "default",
           b.typname::text AS "type", bn.nspname = 'pg_catalog' AS "known", b.typtype::text AS "kind",
           pg_catalog.format_type(b.oid, -1) AS "cast",
           pg_catalog.format_type(a.atttypid, a.atttypmod) AS "shown",
           (CASE t.typtype WHEN 'd' THEN t.typtypmod ELSE a.atttypmod END)::bigint AS "modifier",
           e.typname::text AS "member",
           (SELECT json_agg(l.enumlabel ORDER BY l.enumsortorder)::text FROM pg_catalog.pg_enum AS l
            WHERE l.enumtypid = b.oid) AS "labels"
    FROM pg_catalog.pg_attribute AS a
    JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
    JOIN pg_catalog.pg_type AS b ON b.oid = CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END
    JOIN pg_catalog.pg_namespace AS bn ON bn.oid = b.typnamespace
    LEFT JOIN pg_catalog.pg_type AS e ON e.oid = b.typelem AND b.typcategory = 'A'
    LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE n.nspname = $1 AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    ORDER BY a.attrelid, a.attnum"#;

/// Keys of whole columns, over all rows.
const KEYS: &str = r#"
    SELECT i.indrelid::bigint AS "table", i.indisprimary AS "primary",
           (SELECT json_agg(a.attname ORDER BY k.place)::text
            FROM unnest(i.indkey::smallint[]) WITH ORDINALITY AS k(number, place)
            JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.number
            WHERE k.place <= i.indnkeyatts) AS "columns"
    FROM pg_catalog.pg_index AS i
    JOIN pg_catalog.pg_class AS c ON c.oid = i.indrelid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
    ORDER BY i.indrelid, i.indexrelid"#;

/// Foreign keys within the schema.
const FOREIGN_KEYS: &str = r#"
    SELECT f.conrelid::bigint AS "table", t.relname::text AS "target",
           (SELECT json_agg(a.attname ORDER BY k.place)::text FROM unnest(f.conkey) WITH ORDINALITY AS k(number, place)
            JOIN pg_catalog.pg_attribute AS a ON a.attrelid = f.conrelid AND a.attnum = k.number) AS "columns",
           (SELECT json_agg(a.attname ORDER BY k.place)::text FROM unnest(f.confkey) WITH ORDINALITY AS k(number, place)
            JOIN pg_catalog.pg_attribute AS a ON a.attrelid = f.confrelid AND a.attnum = k.number) AS "targetColumns"
    FROM pg_catalog.pg_constraint AS f
    JOIN pg_catalog.pg_class AS t ON t.oid = f.confrelid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = f.connamespace
    WHERE n.nspname = $1 AND f.contype = 'f' AND t.relnamespace = f.connamespace
    ORDER BY f.conrelid, f.conkey, f.conname"#;

pub(super) async fn structure(conn: &mut Conn, schema: &str) -> Result<Structure, StoreError> {
    let mut structure = Structure::default();
    let mut places: HashMap<i64, usize> = HashMap::new();
    for row in conn.ask(TABLES, [schema.into()]).await? {
        places.insert(row.get("oid")?, structure.tables.len());
        structure.tables.push(Table { name: row.get("name")?, is_view: row.get("isView")?, ..Table::default() });
    }
    let place = |row: &Row| -> Result<Option<usize>, StoreError> { Ok(places.get(&row.get("table")?).copied()) };
    for row in &conn.ask(COLUMNS, [schema.into()]).await? {
        if let Some(place) = place(row)? {
            structure.tables[place].columns.push(column(row)?);
        }
    }
    for row in &conn.ask(KEYS, [schema.into()]).await? {
        let Some(place) = place(row)? else { continue };
        let columns = names(row, "columns")?;
        if row.get("primary")? {
            structure.tables[place].key = columns;
        } else if !columns.is_empty() {
            structure.tables[place].unique.push(columns);
        }
    }
    for row in &conn.ask(FOREIGN_KEYS, [schema.into()]).await? {
        if let Some(place) = place(row)? {
            structure.tables[place].foreign_keys.push(ForeignKey {
                columns: names(row, "columns")?,
                target: row.get("target")?,
                target_columns: names(row, "targetColumns")?,
            });
        }
    }
    Ok(structure)
}

fn column(row: &Row) -> Result<Column, StoreError> {
    let default: Option<String> = row.get("default")?;
    let identity: String = row.get("identity")?;
    let generated = match row.get::<String>("generated")?.as_str() {
        "" if !identity.is_empty() => Some(Generated::Sequence),
        "" if default.as_deref().is_some_and(|default| default.starts_with("nextval(")) => Some(Generated::Sequence),
        "" => None,
        _ => Some(Generated::Computed),
    };
    let declared = Declared {
        name: row.get("type")?,
        is_known: row.get("known")?,
        kind: row.get("kind")?,
        cast: row.get("cast")?,
        shown: row.get("shown")?,
        modifier: row.get("modifier")?,
        member: row.get("member")?,
        labels: names(row, "labels")?,
    };
    Ok(Column {
        name: row.get("name")?,
        kind: if row.get("readable")? { kind(&declared) } else { Err("the user may not read it".to_owned()) },
        required: row.get("required")?,
        has_default: default.is_some(),
        generated,
    })
}

/// A list of names that was asked for as JSON.
fn names(row: &Row, column: &str) -> Result<Vec<String>, StoreError> {
    Ok(match row.json(column)? {
        Value::Array(names) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    })
}
