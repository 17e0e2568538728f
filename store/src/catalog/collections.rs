//! Tables become collections, columns fields. What a collection or a field looks like to those who ask for it is written down in
//! the same words as one that is made here.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Column, Kind, LeftOut, Structure, Table, associations};
use crate::{
    Record,
    db::{ConnectOptions, Dialect},
    own_table,
    schema::{Collection, Field, FieldType, Generated, Origin, Schema},
};

/// The schema of what a catalog says, and what is left out of it.
pub(super) fn schema(dialect: Dialect, structure: Structure, options: &ConnectOptions) -> (Schema, Vec<LeftOut>) {
    let Structure { mut tables, mut left_out } = structure;
    let is_asked_for =
        |name: &str| options.tables.as_ref().is_none_or(|tables| tables.iter().any(|table| table == name));
    tables.retain(|table| !own_table::is_own(&table.name) && is_asked_for(&table.name));
    left_out.retain(|left| is_asked_for(&left.table));
    for name in options.tables.iter().flatten() {
        let is_there =
            tables.iter().any(|table| table.name == *name) || left_out.iter().any(|left| left.table == *name);
        if !is_there {
            left_out.push(LeftOut { table: name.clone(), column: None, reason: "there is no such table".to_owned() });
        }
    }
    // What is called how must not depend on the order in which the catalog has it.
    tables.sort_by(|one, other| one.name.cmp(&other.name));
    let mut collections = Vec::with_capacity(tables.len());
    for table in &tables {
        match collection(table, &mut left_out) {
            Ok(collection) => collections.push(collection),
            Err(reason) => left_out.push(LeftOut { table: table.name.clone(), column: None, reason }),
        }
    }
    associations::add(&tables, &mut collections, &mut left_out);
    (Schema::further(dialect, collections), left_out)
}

fn collection(table: &Table, left_out: &mut Vec<LeftOut>) -> Result<Collection, String> {
    check_name(&table.name, &['.', ':', '/', '!'])?;
    let mut fields = Vec::with_capacity(table.columns.len());
    for column in &table.columns {
        let kind = check_name(&column.name, &['.', '$']).and_then(|()| column.kind.as_ref().map_err(Clone::clone));
        match kind {
            Ok(kind) => fields.push(field(table, column, kind)),
            Err(reason) => {
                left_out.push(LeftOut { table: table.name.clone(), column: Some(column.name.clone()), reason });
            }
        }
    }
    if fields.is_empty() {
        return Err("it has no column that could be a field".to_owned());
    }
    let key = key(table, &fields);
    let mut options = Record::new();
    options.insert("name".to_owned(), json!(table.name));
    options.insert("filterTargetKey".to_owned(), if let [one] = key.as_slice() { json!(one) } else { json!(key) });
    if table.is_view {
        options.insert("view".to_owned(), json!(true));
    }
    Ok(Collection { name: table.name.clone(), title: None, origin: Origin::Further, key, fields, options })
}

/// What identifies a row: the primary key, else the first key of columns that have a value in each row.
fn key(table: &Table, fields: &[Field]) -> Vec<String> {
    let is_field = |name: &String| fields.iter().any(|field| field.name == *name);
    let has_value = |name: &String| table.columns.iter().any(|column| column.name == *name && column.required);
    if !table.key.is_empty() {
        return if table.key.iter().all(is_field) { table.key.clone() } else { Vec::new() };
    }
    let other = table.unique.iter().find(|key| key.iter().all(|name| is_field(name) && has_value(name)));
    other.cloned().unwrap_or_default()
}

fn field(table: &Table, column: &Column, kind: &Kind) -> Field {
    let is_key = table.key.contains(&column.name);
    let is_unique = is_unique(table, &column.name);
    let generated = column.generated;
    let is_required = (column.required || is_key) && !column.has_default && generated.is_none();
    let mut options = Record::new();
    let mut note = |option: &str, value: Value| drop(options.insert(option.to_owned(), value));
    note("name", json!(column.name));
    note("type", json!(type_name(&kind.field_type)));
    match &kind.field_type {
        FieldType::String { max_chars, choices } => {
            note("length", json!(max_chars));
            if let Some(choices) = choices {
                note("enum", json!(choices));
            }
        }
        FieldType::Decimal { scale } => note("scale", json!(scale)),
        _ => {}
    }
    if is_key {
        note("primaryKey", json!(true));
    }
    match generated {
        Some(Generated::Sequence) => note("autoIncrement", json!(true)),
        Some(_) => note("computed", json!(true)),
        None if is_required => note("allowNull", json!(false)),
        None => {}
    }
    if is_unique {
        note("unique", json!(true));
    }
    Field {
        required: is_required,
        unique: is_unique,
        generated,
        native: Some(Arc::new(kind.native.clone())),
        options,
        ..Field::plain(&column.name, kind.field_type.clone())
    }
}

/// Says whether no two rows share a value of the column.
pub(super) fn is_unique(table: &Table, column: &str) -> bool {
    let is_alone = |key: &Vec<String>| key.len() == 1 && key[0] == column;
    is_alone(&table.key) || table.unique.iter().any(is_alone)
}

/// Names are parts of paths: in addresses, in filters, in configurations.
fn check_name(name: &str, separators: &[char]) -> Result<(), String> {
    match name.chars().find(|c| c.is_control() || separators.contains(c)) {
        Some(separator) => Err(format!("{separator:?} in a name has a meaning of its own here")),
        None if name.trim() != name || name.is_empty() => Err("a name cannot begin or end with a space".to_owned()),
        None => Ok(()),
    }
}

fn type_name(field_type: &FieldType) -> &'static str {
    match field_type {
        FieldType::String { choices: Some(_), .. } => "select",
        FieldType::String { choices: None, .. } => "string",
        FieldType::Text => "text",
        FieldType::Integer => "integer",
        FieldType::BigInt => "bigInt",
        FieldType::Double => "double",
        FieldType::Decimal { .. } => "decimal",
        FieldType::Boolean => "boolean",
        FieldType::DateTime => "datetime",
        FieldType::Date => "dateOnly",
        FieldType::Time => "time",
        FieldType::Json => "json",
        FieldType::Uuid => "uuid",
        FieldType::Array { .. } => "array",
        FieldType::Password => "password",
        FieldType::Association(_) => "association",
    }
}
