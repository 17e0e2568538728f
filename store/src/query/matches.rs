//! Conditions on records that are at hand: the second backend of a filter, which says of a record what SQL would say of its row.
//!
//! A value is first given its stored form, so that both backends compare the same things. As in SQL nothing can be said of a
//! missing value; every test but those that ask for it fails there. Nothing is read: associations have to be in the record.

use std::cmp::Ordering;

use rust_decimal::Decimal;
use serde_json::Value;

use super::filter::{Condition, Filter, Test};
use crate::{
    Record, codec,
    db::Cell,
    schema::{Collection, Schema},
};

impl Filter {
    /// Says whether a record of the collection is one that the filter selects. Associations that the filter looks at (see
    /// [`associations`](Self::associations)) have to be loaded; one that is not there has no records. A value that does not
    /// fit its field is no value.
    pub fn matches(&self, schema: &Schema, collection: &Collection, record: &Record) -> bool {
        holds(&self.condition, schema, collection, record)
    }

    /// The association paths that the filter looks at, dotted, each once, parents first.
    pub fn associations(&self) -> Vec<String> {
        let mut paths = Vec::new();
        collect(&self.condition, "", &mut paths);
        paths
    }
}

fn holds(condition: &Condition, schema: &Schema, collection: &Collection, record: &Record) -> bool {
    match condition {
        Condition::All(parts) => parts.iter().all(|part| holds(part, schema, collection, record)),
        Condition::Any(parts) => parts.iter().any(|part| holds(part, schema, collection, record)),
        Condition::Not(inner) => !holds(inner, schema, collection, record),
        Condition::Field { column, form, test } => {
            let order = if form.is_of_digits() { by_digits } else { Cell::partial_cmp };
            passes(test, &stored(collection, column, record), order)
        }
        Condition::Related { name, association, condition } => {
            let Ok(target) = schema.collection(&association.target) else { return false };
            let related = match record.get(name) {
                Some(Value::Array(items)) => items.as_slice(),
                Some(one) => std::slice::from_ref(one),
                None => &[],
            };
            related.iter().filter_map(Value::as_object).any(|record| holds(condition, schema, target, record))
        }
    }
}

fn collect(condition: &Condition, prefix: &str, paths: &mut Vec<String>) {
    match condition {
        Condition::All(parts) | Condition::Any(parts) => {
            parts.iter().for_each(|part| collect(part, prefix, paths));
        }
        Condition::Not(inner) => collect(inner, prefix, paths),
        Condition::Field { .. } => {}
        Condition::Related { name, condition, .. } => {
            let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            if !paths.contains(&path) {
                paths.push(path.clone());
            }
            collect(condition, &path, paths);
        }
    }
}

/// A field's value as the database would hold it.
fn stored(collection: &Collection, column: &str, record: &Record) -> Cell {
    match (collection.find_field(column), record.get(column)) {
        (Some(field), Some(value)) => codec::operand(field, value).unwrap_or(Cell::Null),
        _ => Cell::Null,
    }
}

/// Numbers that are texts of their digits, as numbers. Those that have more than a decimal has room for are compared as texts.
fn by_digits(one: &Cell, other: &Cell) -> Option<Ordering> {
    let number = |cell: &Cell| if let Cell::Text(text) = cell { Decimal::from_str_exact(text).ok() } else { None };
    match (number(one), number(other)) {
        (Some(one), Some(other)) => Some(one.cmp(&other)),
        _ => one.partial_cmp(other),
    }
}

fn passes(test: &Test, value: &Cell, order: fn(&Cell, &Cell) -> Option<Ordering>) -> bool {
    let is_null = *value == Cell::Null;
    let compared = |operand: &Cell| order(value, operand).filter(|_| !is_null);
    let text = || if let Cell::Text(text) = value { Some(text.as_str()) } else { None };
    match test {
        Test::Equal(operand) => compared(operand).is_some_and(Ordering::is_eq),
        Test::NotEqual(operand) => is_null || !compared(operand).is_some_and(Ordering::is_eq),
        Test::OneOf { values, or_null } => {
            if is_null {
                *or_null
            } else {
                values.iter().any(|operand| compared(operand).is_some_and(Ordering::is_eq))
            }
        }
        Test::Greater(operand) => compared(operand).is_some_and(Ordering::is_gt),
        Test::AtLeast(operand) => compared(operand).is_some_and(Ordering::is_ge),
        Test::Less(operand) => compared(operand).is_some_and(Ordering::is_lt),
        Test::AtMost(operand) => compared(operand).is_some_and(Ordering::is_le),
        Test::Like(pattern) => text().is_some_and(|text| like(pattern, text)),
        Test::Contains(part) => text().is_some_and(|text| fold(text).contains(&fold(part))),
        Test::StartsWith(part) => text().is_some_and(|text| fold(text).starts_with(&fold(part))),
        Test::EndsWith(part) => text().is_some_and(|text| fold(text).ends_with(&fold(part))),
        Test::IsNull => is_null,
        Test::IsEmpty(empty) => is_null || text().is_some_and(|text| Some(text) == *empty),
    }
}

/// Texts are matched whatever the case of their ASCII letters, and of no others.
fn fold(text: &str) -> String {
    text.to_ascii_lowercase()
}

/// One place of a pattern.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// `%`: any characters, or none.
    Any,
    /// `_`: one character.
    One,
    /// This one.
    Char(char),
}

/// Matches `%`, `_` and `\`, which takes the meaning from what follows it. Time is bounded by the product of the lengths.
fn like(pattern: &str, text: &str) -> bool {
    let mut places = Vec::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        places.push(match character {
            '%' => Place::Any,
            '_' => Place::One,
            '\\' => match characters.next() {
                Some(escaped) => Place::Char(escaped.to_ascii_lowercase()),
                // There is nothing it could stand for, so nothing matches.
                None => return false,
            },
            literal => Place::Char(literal.to_ascii_lowercase()),
        });
    }
    let text: Vec<char> = fold(text).chars().collect();
    let (mut at, mut place) = (0, 0);
    // Where to go on if what follows the latest `%` does not match: that place, and one character further.
    let mut retry: Option<(usize, usize)> = None;
    while at < text.len() {
        match places.get(place) {
            Some(Place::Any) => {
                retry = Some((place, at));
                place += 1;
            }
            Some(found) if *found == Place::One || *found == Place::Char(text[at]) => {
                at += 1;
                place += 1;
            }
            _ => match retry {
                Some((any, from)) => {
                    retry = Some((any, from + 1));
                    (at, place) = (from + 1, any + 1);
                }
                None => return false,
            },
        }
    }
    places[place..].iter().all(|place| *place == Place::Any)
}
