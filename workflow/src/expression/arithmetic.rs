//! Numbers of one kind in expressions.
//!
//! Whole numbers and fractions mix; a whole result stays whole. A text that reads as a number, as decimals do, counts as
//! one where the other side is a number (or where text has no meaning: `-`, `*`, `/`, `%`). Everything else is left to CEL.

use std::{cmp::Ordering, sync::Arc};

use cel::{
    Context, DeclarationError, ExecutionError, Value,
    common::{ast::operators, value::Val},
};
use serde_json::{Number, Value as Json};

/// The names that the operators are redirected to. Nobody can write them: `@` is no part of a name in CEL.
const OWN: [(&str, &str); 12] = [
    (operators::ADD, "@add"),
    (operators::SUBSTRACT, "@subtract"),
    (operators::MULTIPLY, "@multiply"),
    (operators::DIVIDE, "@divide"),
    (operators::MODULO, "@remainder"),
    (operators::LESS, "@less"),
    (operators::LESS_EQUALS, "@less_equals"),
    (operators::GREATER, "@greater"),
    (operators::GREATER_EQUALS, "@greater_equals"),
    (operators::EQUALS, "@equals"),
    (operators::NOT_EQUALS, "@not_equals"),
    (operators::NEGATE, "@negate"),
];

/// The function that takes an operator's place.
pub(super) fn redirected(operator: &str) -> Option<&'static str> {
    OWN.iter().find(|(theirs, _)| *theirs == operator).map(|(_, own)| *own)
}

/// Adds the functions of [`OWN`].
pub(super) fn install(context: &mut Context<'_, '_>) -> Result<(), DeclarationError> {
    context.add_function("@add", |a: Value, b: Value| match mixed(&a, &b) {
        Some((a, b)) => calculate(Operation::Add, a, b),
        None => by_cel(Operation::Add, a, b),
    })?;
    for (name, operation) in [
        ("@subtract", Operation::Subtract),
        ("@multiply", Operation::Multiply),
        ("@divide", Operation::Divide),
        ("@remainder", Operation::Remainder),
    ] {
        context.add_function(name, move |a: Value, b: Value| match numeric(&a).zip(numeric(&b)) {
            Some((a, b)) => calculate(operation, a, b),
            None => by_cel(operation, a, b),
        })?;
    }
    context.add_function("@less", |a: Value, b: Value| Ok(Value::Bool(order(a, b)?.is_lt())))?;
    context.add_function("@less_equals", |a: Value, b: Value| Ok(Value::Bool(order(a, b)?.is_le())))?;
    context.add_function("@greater", |a: Value, b: Value| Ok(Value::Bool(order(a, b)?.is_gt())))?;
    context.add_function("@greater_equals", |a: Value, b: Value| Ok(Value::Bool(order(a, b)?.is_ge())))?;
    context.add_function("@equals", |a: Value, b: Value| Ok(Value::Bool(equal(&a, &b))))?;
    context.add_function("@not_equals", |a: Value, b: Value| Ok(Value::Bool(!equal(&a, &b))))?;
    context.add_function("@negate", |a: Value| match numeric(&a) {
        Some(number) => calculate(Operation::Subtract, Num::Whole(0), number),
        None => Err(ExecutionError::UnsupportedTargetType { target: a }),
    })
}

/// A number of either kind.
#[derive(Debug, Clone, Copy)]
enum Num {
    Whole(i64),
    Fraction(f64),
}

impl Num {
    fn fraction(self) -> f64 {
        match self {
            Self::Whole(whole) => whole as f64,
            Self::Fraction(fraction) => fraction,
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Operation {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Subtract => "sub",
            Self::Multiply => "mul",
            Self::Divide => "div",
            Self::Remainder => "rem",
        }
    }
}

fn number(value: &Value) -> Option<Num> {
    match value {
        Value::Int(whole) => Some(Num::Whole(*whole)),
        Value::UInt(whole) => Some(i64::try_from(*whole).map_or(Num::Fraction(*whole as f64), Num::Whole)),
        Value::Float(fraction) => Some(Num::Fraction(*fraction)),
        _ => None,
    }
}

fn numeric(value: &Value) -> Option<Num> {
    match value {
        Value::String(text) => {
            let text = text.trim();
            match text.parse() {
                Ok(whole) => Some(Num::Whole(whole)),
                Err(_) => text.parse().ok().filter(|fraction: &f64| fraction.is_finite()).map(Num::Fraction),
            }
        }
        other => number(other),
    }
}

/// Both as numbers, if at least one is a number and the other one reads as a number.
fn mixed(a: &Value, b: &Value) -> Option<(Num, Num)> {
    match (number(a), number(b)) {
        (None, None) => None,
        (a_number, b_number) => a_number.or_else(|| numeric(a)).zip(b_number.or_else(|| numeric(b))),
    }
}

fn calculate(operation: Operation, a: Num, b: Num) -> Result<Value, ExecutionError> {
    if matches!(operation, Operation::Divide | Operation::Remainder) && b.fraction() == 0.0 {
        return Err(ExecutionError::DivisionByZero(Value::Float(a.fraction())));
    }
    let whole = match (a, b) {
        (Num::Whole(a), Num::Whole(b)) => match operation {
            Operation::Add => a.checked_add(b),
            Operation::Subtract => a.checked_sub(b),
            Operation::Multiply => a.checked_mul(b),
            Operation::Divide => a.checked_rem(b).filter(|rest| *rest == 0).and_then(|_| a.checked_div(b)),
            Operation::Remainder => a.checked_rem(b),
        },
        (Num::Whole(_) | Num::Fraction(_), Num::Whole(_) | Num::Fraction(_)) => None,
    };
    Ok(whole.map(Value::Int).unwrap_or_else(|| {
        let (a, b) = (a.fraction(), b.fraction());
        Value::Float(match operation {
            Operation::Add => a + b,
            Operation::Subtract => a - b,
            Operation::Multiply => a * b,
            Operation::Divide => a / b,
            Operation::Remainder => a % b,
        })
    }))
}

fn order(a: Value, b: Value) -> Result<Ordering, ExecutionError> {
    let ordering = match mixed(&a, &b) {
        Some((Num::Whole(a), Num::Whole(b))) => Some(a.cmp(&b)),
        Some((a, b)) => a.fraction().partial_cmp(&b.fraction()),
        None => a.partial_cmp(&b),
    };
    ordering.ok_or(ExecutionError::ValuesNotComparable(a, b))
}

fn equal(a: &Value, b: &Value) -> bool {
    match mixed(a, b) {
        Some((Num::Whole(a), Num::Whole(b))) => a == b,
        Some((a, b)) => a.fraction() == b.fraction(),
        None => a == b,
    }
}

/// Lets CEL's own operator do it: texts, lists, moments.
fn by_cel(operation: Operation, a: Value, b: Value) -> Result<Value, ExecutionError> {
    let left: Box<dyn Val> = a.clone().try_into()?;
    let right: Box<dyn Val> = b.clone().try_into()?;
    let result = match operation {
        Operation::Add => left.as_adder().map(|left| left.add(right.as_ref())),
        Operation::Subtract => left.as_subtractor().map(|left| left.sub(right.as_ref())),
        Operation::Multiply | Operation::Divide | Operation::Remainder => None,
    };
    match result {
        Some(result) => Value::try_from(result?.as_ref()),
        None => Err(ExecutionError::UnsupportedBinaryOperator(operation.name(), a, b)),
    }
}

/// Takes JSON into CEL.
pub(super) fn from_json(json: Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(truth),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::Int(whole),
            None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::String(Arc::new(text)),
        Json::Array(items) => Value::List(Arc::new(items.into_iter().map(from_json).collect())),
        Json::Object(members) => {
            let members: std::collections::HashMap<String, Value> =
                members.into_iter().map(|(name, value)| (name, from_json(value))).collect();
            Value::Map(members.into())
        }
    }
}

/// Takes a result back to JSON. A fraction that is whole and exact becomes a whole number; infinity and types without a
/// JSON form are `None`.
pub(super) fn to_json(value: &Value) -> Option<Json> {
    /// 2^53: the largest range in which every whole number has its own fraction.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    Some(match value {
        Value::Null => Json::Null,
        Value::Bool(truth) => Json::Bool(*truth),
        Value::Int(whole) => Json::from(*whole),
        Value::UInt(whole) => Json::from(*whole),
        Value::Float(fraction) if fraction.fract() == 0.0 && fraction.abs() <= EXACT => Json::from(*fraction as i64),
        Value::Float(fraction) => Json::Number(Number::from_f64(*fraction)?),
        Value::String(text) => Json::String(text.to_string()),
        Value::List(items) => Json::Array(items.iter().map(to_json).collect::<Option<_>>()?),
        Value::Map(map) => {
            let mut members: Vec<(String, Json)> =
                map.map.iter().map(|(name, value)| Some((name.to_string(), to_json(value)?))).collect::<Option<_>>()?;
            members.sort_by(|(a, _), (b, _)| a.cmp(b));
            Json::Object(members.into_iter().collect())
        }
        Value::Timestamp(moment) => Json::String(moment.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)),
        _ => return None,
    })
}
