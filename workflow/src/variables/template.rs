//! Finding variables in text, and putting their values in.

use serde_json::Value;

use super::{Path, Scope};

/// A piece of a text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part<'t> {
    /// Stays as it is.
    Text(&'t str),
    /// Stands for a value.
    Variable(Path),
}

/// Cuts a text into its variables and what is between them.
pub(crate) fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    // `rest[..scanned]` is known to hold no variable.
    let (mut rest, mut scanned) = (text, 0);
    while let Some(open) = rest[scanned..].find("{{").map(|at| scanned + at) {
        let Some(close) = rest[open..].find("}}").map(|at| open + at) else { break };
        match Path::parse(&rest[open + 2..close]) {
            Some(path) => {
                if open > 0 {
                    parts.push(Part::Text(&rest[..open]));
                }
                parts.push(Part::Variable(path));
                (rest, scanned) = (&rest[close + 2..], 0);
            }
            None => scanned = open + 1,
        }
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest));
    }
    parts
}

/// Says whether a value is a text with a variable in it.
pub(crate) fn holds_variable(value: &Value) -> bool {
    value.as_str().is_some_and(|text| parts(text).iter().any(|part| matches!(part, Part::Variable(_))))
}

/// Puts values in place of the variables of a configuration. A text that is one variable takes its value with its type
/// (`null` if there is none); among other text a value is written out, objects as JSON and nothing as an empty text.
pub(crate) fn resolve(config: &Value, scope: &Scope) -> Value {
    match config {
        Value::String(text) => resolve_text(text, scope),
        Value::Array(items) => items.iter().map(|item| resolve(item, scope)).collect(),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(name, value)| (name.clone(), resolve(value, scope))).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => config.clone(),
    }
}

fn resolve_text(text: &str, scope: &Scope) -> Value {
    let parts = parts(text);
    if let [Part::Variable(path)] = parts.as_slice() {
        return scope.lookup(path).unwrap_or(Value::Null);
    }
    let mut written = String::with_capacity(text.len());
    for part in parts {
        match part {
            Part::Text(text) => written.push_str(text),
            Part::Variable(path) => match scope.lookup(&path) {
                None | Some(Value::Null) => {}
                Some(Value::String(text)) => written.push_str(&text),
                Some(other) => written.push_str(&other.to_string()),
            },
        }
    }
    Value::String(written)
}

#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "`json!` at the call reads best without a borrow")]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    fn scope() -> Scope {
        let context = json!({
            "data": {
                "id": 7, "title": "a \"quoted\" title", "read": 700.5, "published": false, "code": null,
                "category": {"title": "news"},
                "tags": [{"name": "x", "posts": [{"id": 1}, {"id": 2}]}, {"name": "y", "posts": [{"id": 3}]}, {}],
                "sneaky": "{{$context.user.id}}",
                "größe": 5,
            },
            "user": {"id": 1},
        });
        let mut scope = Scope::new(context, 1_700_000_000_123);
        scope.add_job("k3y", Arc::new(json!({"title": "from a job"})));
        scope
    }

    #[track_caller]
    fn check(config: Value, want: Value) {
        assert_eq!(resolve(&config, &scope()), want, "{config}");
    }

    #[test]
    fn a_whole_text_keeps_the_type() {
        check(json!("{{$context.data.id}}"), json!(7));
        check(json!("{{ $context.data.read }}"), json!(700.5));
        check(json!("{{$context.data.published}}"), json!(false));
        check(json!("{{$context.data.code}}"), json!(null));
        check(json!("{{$context.data.missing.deeper}}"), json!(null));
        check(json!("{{$context.data.category}}"), json!({"title": "news"}));
        check(json!("{{$context.data.größe}}"), json!(5));
        check(json!("{{$jobsMapByNodeKey.k3y.title}}"), json!("from a job"));
        check(json!("{{$jobsMapByNodeKey.other.title}}"), json!(null));
        check(json!("{{$scopes.loop.item}}"), json!(null));
        check(json!("{{$system.now}}"), json!("2023-11-14T22:13:20.123Z"));
        check(json!("{{$system.secret}}"), json!(null));
    }

    #[test]
    fn among_text_it_is_written_out() {
        check(json!("no: {{$context.data.title}}!"), json!("no: a \"quoted\" title!"));
        check(json!("{{$context.data.id}}{{$context.user.id}}"), json!("71"));
        check(json!(" {{$context.data.id}}"), json!(" 7"));
        check(json!("<{{$context.data.code}}|{{$context.data.missing}}>"), json!("<|>"));
        check(json!("is {{$context.data.category}}"), json!("is {\"title\":\"news\"}"));
        check(json!("{{{$context.data.id}}}"), json!("{7}"));
    }

    #[test]
    fn lists_flatten_along_a_path() {
        check(json!("{{$context.data.tags.name}}"), json!(["x", "y"]));
        check(json!("{{$context.data.tags.posts.id}}"), json!([1, 2, 3]));
        check(json!("{{$context.data.tags.1.name}}"), json!("y"));
        check(json!("{{$context.data.tags.9.name}}"), json!(null));
    }

    #[test]
    fn configurations_are_walked_and_values_are_not() {
        check(
            json!({"a": ["{{$context.data.id}}", 1], "b": {"c": "{{$context.user.id}}"}}),
            json!({"a": [7, 1], "b": {"c": 1}}),
        );
        check(json!("{{$context.data.sneaky}}"), json!("{{$context.user.id}}"));
        check(json!("x{{$context.data.sneaky}}"), json!("x{{$context.user.id}}"));
    }

    #[test]
    fn text_that_is_no_variable_stays() {
        for text in [
            "",
            "{{",
            "}}",
            "{{}}",
            "{{name}}",
            "{{$other.x}}",
            "{{$context..x}}",
            "{{$contextual.x}}",
            "{{ {{",
            "{{$context.data.id",
        ] {
            check(json!(text), json!(text));
        }
        check(json!("{{name}} {{$context.data.id}}"), json!("{{name}} 7"));
        check(json!("{{ {{$context.data.id}}"), json!("{{ 7"));
    }
}
