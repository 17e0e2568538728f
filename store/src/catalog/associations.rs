//! Foreign keys become associations, in both directions.
//!
//! `orders.customer_id → customers.id` is `orders.customer` and `customers.orders`. A name that is taken, by a column or by
//! another association, gets the column's name as well, and in the end a number: the same catalog leads to the same names.

use serde_json::json;

use super::{Column, ForeignKey, LeftOut, Table, collections::is_unique};
use crate::{
    Record,
    schema::{Association, AssociationKind, Collection, Field, FieldType},
};

/// A foreign key between two collections that are both there.
struct Reference {
    /// Positions among the collections.
    source: usize,
    target: usize,
    column: String,
    target_column: String,
    /// At most one row refers to another.
    is_single: bool,
}

/// Adds the associations to the collections of the tables.
pub(super) fn add(tables: &[Table], collections: &mut [Collection], left_out: &mut Vec<LeftOut>) {
    let mut references: Vec<Reference> = Vec::new();
    for table in tables {
        let place = |key: &ForeignKey| {
            let is_first =
                |column: &Column| key.columns.first().is_some_and(|name| column.name.eq_ignore_ascii_case(name));
            (table.columns.iter().position(is_first), key.target.clone())
        };
        let mut keys: Vec<&ForeignKey> = table.foreign_keys.iter().collect();
        keys.sort_by_cached_key(|key| place(key));
        for key in keys {
            match reference(tables, collections, table, key) {
                Ok(Some(found)) => {
                    let is_known = references.iter().any(|known| {
                        (known.source, known.target) == (found.source, found.target)
                            && (&known.column, &known.target_column) == (&found.column, &found.target_column)
                    });
                    if !is_known {
                        references.push(found);
                    }
                }
                Ok(None) => {}
                Err(reason) => left_out.push(LeftOut { table: table.name.clone(), column: None, reason }),
            }
        }
    }
    for reference in &references {
        belongs_to(collections, reference);
    }
    // After those: the names that follow from a table's own columns come first.
    for reference in &references {
        has(collections, reference);
    }
}

/// What a foreign key means; `None` if an end of it is not taken anyway.
fn reference(
    tables: &[Table],
    collections: &[Collection],
    table: &Table,
    key: &ForeignKey,
) -> Result<Option<Reference>, String> {
    let position = |name: &str| {
        collections
            .iter()
            .position(|collection| collection.name == name)
            // SQLite and MySQL may write the name in other letters than the table has.
            .or_else(|| collections.iter().position(|collection| collection.name.eq_ignore_ascii_case(name)))
    };
    let (Some(source), Some(target)) = (position(&table.name), position(&key.target)) else { return Ok(None) };
    let target_columns = match key.target_columns.as_slice() {
        [] => tables.iter().find(|table| table.name == collections[target].name).map_or(&[][..], |table| &table.key),
        columns => columns,
    };
    let ([column], [target_column]) = (key.columns.as_slice(), target_columns) else {
        let columns = key.columns.join(", ");
        return Err(format!("the foreign key ({columns}) to {} has several columns: it is no association", key.target));
    };
    let field = |collection: &Collection, name: &str| {
        collection.fields.iter().find(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.name.clone())
    };
    let (Some(column), Some(target_column)) =
        (field(&collections[source], column), field(&collections[target], target_column))
    else {
        return Ok(None);
    };
    let is_single = is_unique(table, &column);
    Ok(Some(Reference { source, target, column, target_column, is_single }))
}

fn belongs_to(collections: &mut [Collection], reference: &Reference) {
    let target = collections[reference.target].name.clone();
    let source = &mut collections[reference.source];
    let column = &reference.column;
    let mut names = vec![target.clone(), format!("{column}_{target}")];
    if let Some(stem) = stem(column) {
        names.insert(0, stem.to_owned());
    }
    let name = free(source, names);
    let association = Association {
        kind: AssociationKind::BelongsTo,
        target,
        foreign_key: column.clone(),
        target_key: reference.target_column.clone(),
        source_key: String::new(),
        through: None,
        other_key: None,
    };
    source.fields.push(field(name, association));
}

fn has(collections: &mut [Collection], reference: &Reference) {
    let source = collections[reference.source].name.clone();
    let column = &reference.column;
    let target_key = match collections[reference.source].key.as_slice() {
        [key] => key.clone(),
        _ => column.clone(),
    };
    let target = &mut collections[reference.target];
    let name = free(target, vec![source.clone(), format!("{source}_{column}")]);
    let association = Association {
        kind: if reference.is_single { AssociationKind::HasOne } else { AssociationKind::HasMany },
        target: source,
        foreign_key: column.clone(),
        target_key,
        source_key: reference.target_column.clone(),
        through: None,
        other_key: None,
    };
    target.fields.push(field(name, association));
}

/// What a foreign key's column is called after: `customer` of `customer_id`, `customerId` and `CustomerID`.
fn stem(column: &str) -> Option<&str> {
    let stem = ["_id", "_ID", "Id", "ID", "_uuid", "_fk"].iter().find_map(|end| column.strip_suffix(end))?;
    Some(stem.trim_end_matches('_')).filter(|stem| !stem.is_empty())
}

/// The first of the names that is not taken, or the last one with a number.
fn free(collection: &Collection, names: Vec<String>) -> String {
    let is_free = |name: &str| !collection.fields.iter().any(|field| field.name.eq_ignore_ascii_case(name));
    let last = names.last().cloned().unwrap_or_default();
    let numbered = (2_u32..).map(|number| format!("{last}_{number}"));
    names.into_iter().chain(numbered).find(|name| is_free(name)).unwrap_or(last)
}

fn field(name: String, association: Association) -> Field {
    let kind = match association.kind {
        AssociationKind::BelongsTo => "belongsTo",
        AssociationKind::HasOne => "hasOne",
        AssociationKind::HasMany => "hasMany",
        AssociationKind::BelongsToMany => "belongsToMany",
    };
    let mut options = Record::new();
    let mut note = |option: &str, value: &str| drop(options.insert(option.to_owned(), json!(value)));
    note("name", &name);
    note("type", kind);
    note("target", &association.target);
    note("foreignKey", &association.foreign_key);
    note("targetKey", &association.target_key);
    if association.kind != AssociationKind::BelongsTo {
        note("sourceKey", &association.source_key);
    }
    Field { options, ..Field::plain(name, FieldType::Association(association)) }
}
