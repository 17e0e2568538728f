//! The path of a variable: a root and the members below it.

use serde_json::Value;

/// Where a variable's value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Root {
    /// `$context`: what the trigger handed over.
    Context,
    /// `$jobsMapByNodeKey`: results of earlier nodes.
    Jobs,
    /// `$system`: what the engine knows.
    System,
    /// `$scopes`: what surrounding nodes, such as loops, hand to the nodes inside.
    Scopes,
}

/// A variable's path, such as `$context.data.tags.name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path {
    /// The first segment.
    pub(crate) root: Root,
    /// The other ones.
    pub(crate) members: Vec<String>,
}

/// Deeper paths are no variables: associations end at 16 levels, so this is out of reach for honest ones.
const MAX_MEMBERS: usize = 64;

impl Path {
    /// Reads `$root.member.member`; `None` for text that is no variable.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut segments = text.trim().split('.');
        let root = match segments.next()? {
            "$context" => Root::Context,
            "$jobsMapByNodeKey" => Root::Jobs,
            "$system" => Root::System,
            "$scopes" => Root::Scopes,
            _ => return None,
        };
        let members: Vec<String> = segments.map(str::to_owned).collect();
        let plausible = |member: &String| !member.is_empty() && !member.contains(['{', '}', '"', '\'']);
        (members.len() <= MAX_MEMBERS && members.iter().all(plausible)).then_some(Self { root, members })
    }
}

/// Follows members from a value. A list is followed in each of its items, and lists of lists are flattened; a number picks
/// one item. Items without the member are passed over. `None` if there is nothing.
pub(crate) fn follow(value: &Value, members: &[String]) -> Option<Value> {
    let Some((member, rest)) = members.split_first() else { return Some(value.clone()) };
    match value {
        Value::Object(object) => follow(object.get(member)?, rest),
        Value::Array(items) => match member.parse::<usize>() {
            Ok(index) => follow(items.get(index)?, rest),
            Err(_) => {
                let mut found = Vec::new();
                for item in items.iter().filter_map(|item| follow(item, members)) {
                    match item {
                        Value::Array(inner) => found.extend(inner),
                        other => found.push(other),
                    }
                }
                Some(Value::Array(found))
            }
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}
