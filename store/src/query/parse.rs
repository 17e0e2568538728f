//! Filters from the wire.
//!
//! Names and operators may be nested (`{"a": {"b": {"$gt": 1}}}`), dotted (`{"a.b.$gt": 1}`) or both.

use serde_json::Value;

use super::{
    MAX_DEPTH,
    filter::{Condition, Filter, Form, Test},
};
use crate::{
    Record, codec,
    db::{Cell, dialect},
    error::StoreError,
    schema::{Association, Collection, Field, FieldType, Schema},
};

/// The operands of one filter: a list this long is still a readable statement and a fast one.
const MAX_OPERANDS: usize = 1_000;

pub(super) fn filter(schema: &Schema, collection: &Collection, filter: &Value) -> Result<Condition, StoreError> {
    let mut parser = Parser { schema, operands: 0 };
    match filter {
        Value::Null => Ok(Condition::default()),
        Value::Object(members) => parser.object(collection, members, 0),
        _ => Err(StoreError::invalid("INVALID_VALUE", "a filter has to be an object")),
    }
}

struct Parser<'s> {
    schema: &'s Schema,
    operands: usize,
}

impl Parser<'_> {
    fn object(&mut self, collection: &Collection, members: &Record, depth: usize) -> Result<Condition, StoreError> {
        if depth >= MAX_DEPTH {
            return Err(too_large());
        }
        let mut conditions = Vec::with_capacity(members.len());
        for (name, value) in members {
            let path: Vec<&str> = name.split('.').collect();
            conditions.push(self.member(collection, &path, value, depth)?);
        }
        Ok(match conditions.len() {
            1 => conditions.remove(0),
            _ => Condition::All(conditions),
        })
    }

    fn member(
        &mut self,
        collection: &Collection,
        path: &[&str],
        value: &Value,
        depth: usize,
    ) -> Result<Condition, StoreError> {
        let Some((&head, rest)) = path.split_first().filter(|_| depth + path.len() <= MAX_DEPTH) else {
            return Err(too_large());
        };
        match (head, rest) {
            ("$and", []) => Ok(Condition::All(self.branches(collection, value, depth)?)),
            ("$or", []) => Ok(Condition::Any(self.branches(collection, value, depth)?)),
            ("$not", []) => match value {
                Value::Object(members) => Ok(not(self.object(collection, members, depth + 1)?)),
                _ => Err(StoreError::invalid("INVALID_VALUE", "$not takes an object")),
            },
            _ if head.starts_with('$') => Err(unknown_operator(head)),
            _ => {
                let field = collection.field(head)?;
                match &field.field_type {
                    FieldType::Association(association) => {
                        self.related(&field.name, association, rest, value, depth + 1)
                    }
                    _ => {
                        let field = collection.readable_scalar(head)?;
                        match rest {
                            [] => self.scalar(field, value, depth + 1),
                            [operator] if operator.starts_with('$') => self.operator(field, operator, value, depth + 1),
                            _ => Err(StoreError::invalid(
                                "UNKNOWN_FIELD",
                                format!("{}.{head} is no association", collection.name),
                            )),
                        }
                    }
                }
            }
        }
    }

    /// The operands of `$and` and `$or`: a list of filters, or one.
    fn branches(&mut self, collection: &Collection, value: &Value, depth: usize) -> Result<Vec<Condition>, StoreError> {
        let branches: Vec<&Value> = match value {
            Value::Array(branches) => branches.iter().collect(),
            // The bracket form of a query string numbers its branches.
            Value::Object(members) if !members.is_empty() && members.keys().all(|key| key.parse::<u32>().is_ok()) => {
                members.values().collect()
            }
            Value::Object(_) => vec![value],
            _ => return Err(StoreError::invalid("INVALID_VALUE", "$and and $or take a list of filters")),
        };
        branches
            .into_iter()
            .map(|branch| match branch {
                Value::Object(members) => self.object(collection, members, depth + 1),
                _ => Err(StoreError::invalid("INVALID_VALUE", "$and and $or take a list of filters")),
            })
            .collect()
    }

    fn related(
        &mut self,
        name: &str,
        association: &Association,
        rest: &[&str],
        value: &Value,
        depth: usize,
    ) -> Result<Condition, StoreError> {
        if depth >= MAX_DEPTH {
            return Err(too_large());
        }
        let target = self.schema.collection(&association.target)?;
        let some = |condition: Condition| Condition::Related {
            name: name.to_owned(),
            association: association.clone(),
            condition: Box::new(condition),
        };
        match (rest, value) {
            ([operator @ ("$exists" | "$notEmpty" | "$empty")], value) => {
                let exists = truth(operator, value)? != (*operator == "$empty");
                let any = some(Condition::default());
                Ok(if exists { any } else { not(any) })
            }
            ([operator @ ("$eq" | "$in")], value) => {
                self.related(name, association, &[], value, depth + 1).map_err(|error| match error {
                    StoreError::Invalid { message, .. } => {
                        StoreError::invalid("INVALID_VALUE", format!("{operator}: {message}"))
                    }
                    other => other,
                })
            }
            ([operator @ ("$ne" | "$notIn")], value) => {
                let positive = if *operator == "$ne" { "$eq" } else { "$in" };
                Ok(not(self.related(name, association, &[positive], value, depth + 1)?))
            }
            ([], Value::Null) => Ok(not(some(Condition::default()))),
            ([], Value::Object(members)) => {
                let (about, within): (Vec<_>, Vec<_>) = members.iter().partition(|(name, _)| {
                    matches!(name.as_str(), "$exists" | "$notEmpty" | "$empty" | "$eq" | "$ne" | "$in" | "$notIn")
                });
                let mut conditions = Vec::new();
                for (operator, value) in about {
                    conditions.push(self.related(name, association, &[operator], value, depth + 1)?);
                }
                if !within.is_empty() || conditions.is_empty() {
                    let within: Record =
                        within.into_iter().map(|(name, value)| (name.clone(), value.clone())).collect();
                    conditions.push(some(self.object(target, &within, depth + 1)?));
                }
                Ok(Condition::All(conditions))
            }
            ([], key) => {
                self.count(key.as_array().map_or(1, Vec::len))?;
                Ok(some(Filter::by_key(target, key)?.condition))
            }
            (rest, value) => Ok(some(self.member(target, rest, value, depth + 1)?)),
        }
    }

    fn scalar(&mut self, field: &Field, value: &Value, depth: usize) -> Result<Condition, StoreError> {
        match value {
            Value::Object(operators) => {
                if depth >= MAX_DEPTH {
                    return Err(too_large());
                }
                let conditions: Vec<Condition> = operators
                    .iter()
                    .map(|(operator, value)| self.operator(field, operator, value, depth + 1))
                    .collect::<Result<_, _>>()?;
                Ok(Condition::All(conditions))
            }
            Value::Array(_) => self.operator(field, "$in", value, depth + 1),
            _ => self.operator(field, "$eq", value, depth + 1),
        }
    }

    fn operator(
        &mut self,
        field: &Field,
        operator: &str,
        value: &Value,
        depth: usize,
    ) -> Result<Condition, StoreError> {
        let holds = |test: Test| Condition::Field { column: field.name.clone(), form: Form::of(field), test };
        let compared = |parser: &mut Self| -> Result<Cell, StoreError> {
            parser.count(1)?;
            match codec::operand(field, value)? {
                Cell::Null => Err(StoreError::invalid_value(&field.name, format_args!("{operator} needs a value"))),
                cell => Ok(cell),
            }
        };
        Ok(match operator {
            "$eq" => match self.operand(field, value)? {
                Cell::Null => holds(Test::IsNull),
                cell => holds(Test::Equal(cell)),
            },
            "$ne" => match self.operand(field, value)? {
                Cell::Null => not(holds(Test::IsNull)),
                cell => holds(Test::NotEqual(cell)),
            },
            "$in" => holds(self.one_of(field, value)?),
            "$notIn" => not(holds(self.one_of(field, value)?)),
            "$gt" => holds(Test::Greater(compared(self)?)),
            "$gte" => holds(Test::AtLeast(compared(self)?)),
            "$lt" => holds(Test::Less(compared(self)?)),
            "$lte" => holds(Test::AtMost(compared(self)?)),
            "$like" => holds(Test::Like(self.pattern(field, value)?)),
            "$notLike" => not(holds(Test::Like(self.pattern(field, value)?))),
            "$includes" => holds(self.includes(field, value)?),
            "$notIncludes" => not(holds(self.includes(field, value)?)),
            "$startsWith" => holds(Test::StartsWith(self.pattern(field, value)?)),
            "$endsWith" => holds(Test::EndsWith(self.pattern(field, value)?)),
            "$empty" | "$notEmpty" => {
                let empty = truth(operator, value)? == (operator == "$empty");
                let is_empty = holds(Test::IsEmpty(match field.field_type {
                    FieldType::String { .. } | FieldType::Text => Some(""),
                    FieldType::Array { .. } | FieldType::Json => Some("[]"),
                    _ => None,
                }));
                if empty { is_empty } else { not(is_empty) }
            }
            "$exists" => {
                let is_null = holds(Test::IsNull);
                if truth(operator, value)? { not(is_null) } else { is_null }
            }
            "$not" => not(self.scalar(field, value, depth)?),
            _ => return Err(unknown_operator(operator)),
        })
    }

    fn operand(&mut self, field: &Field, value: &Value) -> Result<Cell, StoreError> {
        self.count(1)?;
        codec::operand(field, value)
    }

    fn one_of(&mut self, field: &Field, value: &Value) -> Result<Test, StoreError> {
        let items: Vec<&Value> = match value {
            Value::Array(items) => items.iter().collect(),
            Value::Object(members) if members.keys().all(|key| key.parse::<u32>().is_ok()) => {
                members.values().collect()
            }
            scalar => vec![scalar],
        };
        self.count(items.len())?;
        let cells: Vec<Cell> = items.into_iter().map(|item| codec::operand(field, item)).collect::<Result<_, _>>()?;
        let (nulls, values): (Vec<Cell>, Vec<Cell>) = cells.into_iter().partition(|cell| *cell == Cell::Null);
        Ok(Test::OneOf { values, or_null: !nulls.is_empty() })
    }

    /// Part of a text, or a member of a list.
    fn includes(&mut self, field: &Field, value: &Value) -> Result<Test, StoreError> {
        let text = self.pattern(field, value)?;
        Ok(Test::Contains(match field.field_type {
            // Lists are stored as JSON, so a member is there with its quotation marks.
            FieldType::Array { .. } => Value::String(text).to_string(),
            _ => text,
        }))
    }

    fn pattern(&mut self, field: &Field, value: &Value) -> Result<String, StoreError> {
        self.count(1)?;
        let is_text = matches!(
            field.field_type,
            FieldType::String { .. }
                | FieldType::Text
                | FieldType::Uuid
                | FieldType::Date
                | FieldType::DateTime
                | FieldType::Time
                | FieldType::Json
                | FieldType::Array { .. }
        );
        let text = match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        match text {
            Some(text) if is_text && text.chars().count() <= dialect::PATTERN_CHARS && !text.contains('\0') => Ok(text),
            Some(_) if !is_text => Err(StoreError::invalid_value(&field.name, "only texts can be searched")),
            Some(_) | None => Err(StoreError::invalid_value(
                &field.name,
                format_args!("a text of at most {} characters is expected", dialect::PATTERN_CHARS),
            )),
        }
    }

    fn count(&mut self, operands: usize) -> Result<(), StoreError> {
        self.operands = self.operands.saturating_add(operands);
        if self.operands > MAX_OPERANDS { Err(too_large()) } else { Ok(()) }
    }
}

fn not(condition: Condition) -> Condition {
    Condition::Not(Box::new(condition))
}

/// The operand of an operator that asks whether something is there; none means yes.
fn truth(operator: &str, value: &Value) -> Result<bool, StoreError> {
    match value {
        Value::Null => Ok(true),
        value => codec::boolean(value)
            .ok_or_else(|| StoreError::invalid("INVALID_VALUE", format!("{operator} takes true or false"))),
    }
}

fn unknown_operator(operator: &str) -> StoreError {
    let shown: String = operator.chars().take(32).collect();
    StoreError::invalid("UNKNOWN_OPERATOR", format!("unknown operator {shown}"))
}

fn too_large() -> StoreError {
    StoreError::invalid(
        "FILTER_TOO_LARGE",
        format!("a filter has at most {MAX_DEPTH} levels and {MAX_OPERANDS} operands"),
    )
}
