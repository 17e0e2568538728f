//! Comparisons of the basic condition, in groups.

use std::cmp::Ordering;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// One comparison, or a group of them.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Calculation {
    /// Several, joined.
    Group {
        /// How many must hold, and which.
        group: Group,
    },
    /// A comparison.
    Comparison {
        /// What to compare by.
        calculator: Calculator,
        /// The left and the right side.
        operands: [Value; 2],
    },
}

/// Calculations that are joined.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Group {
    /// Whether all or one of them must hold.
    #[serde(rename = "type", default)]
    join: Join,
    /// What is joined.
    #[serde(default)]
    calculations: Vec<Calculation>,
}

#[derive(Deserialize, JsonSchema, Default)]
#[serde(rename_all = "lowercase")]
enum Join {
    /// All must hold.
    #[default]
    And,
    /// One must hold.
    Or,
}

/// What two values are compared by.
#[derive(Debug, Deserialize, JsonSchema, Clone, Copy)]
#[serde(rename_all = "camelCase")]
pub(super) enum Calculator {
    Equal,
    NotEqual,
    Gt,
    Gte,
    Lt,
    Lte,
    Includes,
    NotIncludes,
    StartsWith,
    NotStartsWith,
    EndsWith,
    NotEndsWith,
}

impl Calculation {
    /// Says whether it holds.
    pub(super) fn holds(&self) -> bool {
        match self {
            Self::Group { group } => match group.join {
                Join::And => group.calculations.iter().all(Self::holds),
                Join::Or => group.calculations.iter().any(Self::holds),
            },
            Self::Comparison { calculator, operands: [a, b] } => calculator.holds(a, b),
        }
    }
}

impl Calculator {
    fn holds(self, a: &Value, b: &Value) -> bool {
        match self {
            Self::Equal => equal(a, b),
            Self::NotEqual => !equal(a, b),
            Self::Gt => order(a, b).is_some_and(Ordering::is_gt),
            Self::Gte => order(a, b).is_some_and(Ordering::is_ge),
            Self::Lt => order(a, b).is_some_and(Ordering::is_lt),
            Self::Lte => order(a, b).is_some_and(Ordering::is_le),
            Self::Includes => includes(a, b),
            Self::NotIncludes => !includes(a, b),
            Self::StartsWith => texts(a, b).is_some_and(|(a, b)| a.starts_with(&b)),
            Self::NotStartsWith => !texts(a, b).is_some_and(|(a, b)| a.starts_with(&b)),
            Self::EndsWith => texts(a, b).is_some_and(|(a, b)| a.ends_with(&b)),
            Self::NotEndsWith => !texts(a, b).is_some_and(|(a, b)| a.ends_with(&b)),
        }
    }
}

/// A number, or a text that reads as one.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Both as numbers, if at least one is a number: two texts are compared as texts.
fn numbers(a: &Value, b: &Value) -> Option<(f64, f64)> {
    if a.is_number() || b.is_number() { number(a).zip(number(b)) } else { None }
}

fn equal(a: &Value, b: &Value) -> bool {
    match (a.as_i64().zip(b.as_i64()), numbers(a, b)) {
        (Some((a, b)), _) => a == b,
        (None, Some((a, b))) => a == b,
        (None, None) => a == b,
    }
}

/// The order of numbers, or of texts (moments are texts that sort as time); other values have none.
fn order(a: &Value, b: &Value) -> Option<Ordering> {
    if let Some((a, b)) = a.as_i64().zip(b.as_i64()) {
        return Some(a.cmp(&b));
    }
    if let Some((a, b)) = numbers(a, b) {
        return a.partial_cmp(&b);
    }
    match (a, b) {
        // Decimals are texts: two of them are in the order of their numbers.
        (Value::String(left), Value::String(right)) => match number(a).zip(number(b)) {
            Some((left, right)) => left.partial_cmp(&right),
            None => Some(left.cmp(right)),
        },
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

fn includes(a: &Value, b: &Value) -> bool {
    match a {
        Value::Array(items) => items.iter().any(|item| equal(item, b)),
        _ => texts(a, b).is_some_and(|(a, b)| a.contains(&b)),
    }
}

fn texts(a: &Value, b: &Value) -> Option<(String, String)> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    text(a).zip(text(b))
}

#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "`json!` at the call reads best without a borrow")]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(calculator: &str, a: Value, b: Value, want: bool) {
        let calculation: Calculation =
            serde_json::from_value(json!({"calculator": calculator, "operands": [a, b]})).unwrap();
        assert_eq!(calculation.holds(), want, "{a} {calculator} {b}");
    }

    #[test]
    fn calculators() {
        for (calculator, a, b, want) in [
            ("equal", json!(1), json!(1.0), true),
            ("equal", json!("1"), json!(1), true),
            ("equal", json!("1"), json!("1.0"), false),
            ("equal", json!(null), json!(null), true),
            ("equal", json!(null), json!(0), false),
            ("equal", json!([1]), json!([1]), true),
            ("equal", json!(9_007_199_254_740_993i64), json!(9_007_199_254_740_992i64), false),
            ("gt", json!("700.00"), json!(500), true),
            ("gt", json!("700.00"), json!("1000.00"), false),
            ("gt", json!(500), json!(500), false),
            ("gte", json!(500), json!(500), true),
            ("lt", json!(499.5), json!(500), true),
            ("lte", json!("abc"), json!(500), false),
            ("gt", json!(null), json!(-1), false),
            ("lt", json!(null), json!(1), false),
            ("lt", json!("2024-05-01T10:00:00.000Z"), json!("2024-05-02T00:00:00.000Z"), true),
            ("gt", json!("b"), json!("a"), true),
            ("gt", json!(true), json!(false), true),
            ("includes", json!("workflow"), json!("flow"), true),
            ("includes", json!(["a", "b"]), json!("b"), true),
            ("includes", json!(["a", "b"]), json!("c"), false),
            ("includes", json!([1, 2]), json!("2"), true),
            ("includes", json!(1234), json!(23), true),
            ("includes", json!(null), json!("x"), false),
            ("startsWith", json!("workflow"), json!("work"), true),
            ("startsWith", json!(null), json!(""), false),
            ("endsWith", json!("workflow"), json!("flow"), true),
            ("endsWith", json!("workflow"), json!("work"), false),
        ] {
            check(calculator, a.clone(), b.clone(), want);
            let opposite = match calculator {
                "equal" => "notEqual",
                "includes" => "notIncludes",
                "startsWith" => "notStartsWith",
                "endsWith" => "notEndsWith",
                _ => continue,
            };
            check(opposite, a, b, !want);
        }
    }

    #[test]
    fn groups_nest() {
        let group = |join: &str, calculations: Value| json!({"group": {"type": join, "calculations": calculations}});
        let (yes, no) =
            (json!({"calculator": "equal", "operands": [1, 1]}), json!({"calculator": "equal", "operands": [1, 2]}));
        for (calculation, want) in [
            (group("and", json!([])), true),
            (group("or", json!([])), false),
            (group("and", json!([yes, no])), false),
            (group("or", json!([no, yes])), true),
            (group("and", json!([yes, group("or", json!([no, yes]))])), true),
            (group("or", json!([no, group("and", json!([yes, no]))])), false),
        ] {
            let parsed: Calculation = serde_json::from_value(calculation.clone()).unwrap();
            assert_eq!(parsed.holds(), want, "{calculation}");
        }
    }
}
