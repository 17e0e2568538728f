//! Concurrency keys: which executions of a workflow keep their order.

/// The members below the context that a concurrency key names: `data`, `id` for `{{$context.data.id}}`. `None` if it names
/// nothing in a context.
pub fn context_members(key: &str) -> Option<Vec<&str>> {
    let path = key.trim().strip_prefix("{{").map_or(Some(key.trim()), |inner| inner.strip_suffix("}}"))?;
    let members: Vec<&str> = path.trim().strip_prefix("$context.")?.split('.').collect();
    let plain = |member: &&str| !member.is_empty() && !member.contains(['{', '}', '"', '\'', ' ', '$']);
    members.iter().all(plain).then_some(members)
}

#[cfg(test)]
mod tests {
    use super::context_members;

    #[test]
    fn keys_name_members_of_the_context() {
        for (key, want) in [
            ("{{$context.data.id}}", Some(vec!["data", "id"])),
            ("$context.data.title", Some(vec!["data", "title"])),
            ("{{ $context.data.tags.0.name }}", Some(vec!["data", "tags", "0", "name"])),
            ("{{$context.data", None),
            ("{{$system.now}}", None),
            ("{{$context.a}} {{$context.b}}", None),
            ("$context.", None),
        ] {
            assert_eq!(context_members(key), want, "{key}");
        }
    }
}
