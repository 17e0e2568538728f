//! Makes the schema of a configuration readable for people: forms are made of it.
//!
//! The schema comes from the types, and its words from their documentation. Here, each member that has no title gets the words of
//! its name, and the marks of code, which a form would show as they are, are left out.

use serde_json::{Map, Value};

/// Completes the schema of a node type with this name.
pub(super) fn readable(node_type: &str, mut schema: Value) -> Value {
    complete(&mut schema);
    schema["title"] = words(node_type).into();
    schema
}

fn complete(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::String(text)) = members.get_mut("description") {
                *text = plain(text);
            }
            if let Some(Value::Object(properties)) = members.get_mut("properties") {
                properties.iter_mut().for_each(|(name, property)| entitle(name, property));
            }
            if let (Some(Value::String(choice)), None) = (members.get("const"), members.get("title")) {
                let title = words(choice);
                members.insert("title".to_owned(), title.into());
            }
            // What a configuration holds may have members of any name: only schemas are followed.
            members
                .iter_mut()
                .filter(|(name, _)| !HOLD_VALUES.contains(&name.as_str()))
                .for_each(|(_, it)| complete(it));
        }
        Value::Array(several) => several.iter_mut().for_each(complete),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Keywords whose values are no schemas.
const HOLD_VALUES: [&str; 4] = ["default", "const", "enum", "examples"];

fn entitle(name: &str, property: &mut Value) {
    // Where anything goes, the schema is `true`.
    if *property == Value::Bool(true) {
        *property = Value::Object(Map::new());
    }
    if let Value::Object(members) = property {
        members.entry("title").or_insert_with(|| words(name).into());
    }
}

/// One paragraph without marks of code.
fn plain(text: &str) -> String {
    text.replace('`', "").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `maxResponseBytes`, `multi-conditions` → `Max response bytes`, `Multi conditions`. Names that are no words, such as `GET` or
/// `application/json`, stay.
fn words(name: &str) -> String {
    if !name.starts_with(|first: char| first.is_ascii_lowercase()) || name.contains(['/', '.']) {
        return name.to_owned();
    }
    let mut words = String::with_capacity(name.len() + 4);
    for character in name.chars() {
        match character {
            '-' | '_' => words.push(' '),
            _ if character.is_ascii_uppercase() => {
                words.push(' ');
                words.push(character.to_ascii_lowercase());
            }
            _ if words.is_empty() => words.push(character.to_ascii_uppercase()),
            _ => words.push(character),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nodes::{FaultPoint, NodeTypes};

    #[test]
    fn names_become_words() {
        for (name, want) in [
            ("url", "Url"),
            ("maxResponseBytes", "Max response bytes"),
            ("multi-conditions", "Multi conditions"),
            ("GET", "GET"),
            ("application/json", "application/json"),
        ] {
            assert_eq!(words(name), want);
        }
    }

    /// Names what a person would stumble over.
    fn stumbles(path: &str, schema: &Value, out: &mut Vec<String>) {
        let Value::Object(members) = schema else {
            if let Value::Array(several) = schema {
                several.iter().for_each(|one| stumbles(path, one, out));
            }
            return;
        };
        for keyword in ["title", "description"] {
            let Some(text) = members.get(keyword).and_then(Value::as_str) else { continue };
            let ends_well = keyword == "title" || text.ends_with('.');
            if text.is_empty() || !ends_well || text.contains(['`', '\n']) || text.contains("[`") || text.contains("::")
            {
                out.push(format!("{path}: {keyword} {text:?}"));
            }
        }
        for (name, property) in members.get("properties").and_then(Value::as_object).into_iter().flatten() {
            for keyword in ["title", "description"] {
                if property.get(keyword).and_then(Value::as_str).is_none() {
                    out.push(format!("{path}.{name} has no {keyword}"));
                }
            }
            stumbles(&format!("{path}.{name}"), property, out);
        }
        for (keyword, below) in members {
            if keyword != "properties" && !HOLD_VALUES.contains(&keyword.as_str()) {
                stumbles(path, below, out);
            }
        }
    }

    #[test]
    fn every_form_reads_well() {
        let mut out = Vec::new();
        for info in NodeTypes::built_in(FaultPoint::default()).unwrap().infos() {
            let description = info.config_schema.get("description").and_then(Value::as_str).unwrap_or_default();
            if description.is_empty() || description.contains("configuration of") {
                out.push(format!("{} does not say what it does", info.name));
            }
            stumbles(&info.name, &info.config_schema, &mut out);
        }
        assert!(out.is_empty(), "{}", out.join("\n"));
    }
}
