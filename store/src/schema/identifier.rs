//! Names of collections and fields, which become parts of SQL statements.

use crate::error::StoreError;

/// The longest name; PostgreSQL cuts identifiers after this.
const MAX_BYTES: usize = 63;

/// Checks a name: a letter, then letters, digits and underscores. Names that start with `_` or `sqlite_` are the
/// database's own.
pub(crate) fn check(what: &str, name: &str) -> Result<(), StoreError> {
    let begins_with_letter = name.starts_with(|c: char| c.is_ascii_alphabetic());
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let reserved = name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("sqlite_"));
    if begins_with_letter && plain && name.len() <= MAX_BYTES && !reserved {
        return Ok(());
    }
    let shown: String = name.chars().take(MAX_BYTES).filter(|c| !c.is_control()).collect();
    Err(StoreError::invalid(
        "INVALID_NAME",
        format!(
            "\"{shown}\" cannot be the name of a {what}: a letter, then at most 62 letters, digits and underscores"
        ),
    ))
}

/// Says whether two names are the same to the database, which does not tell capitals from small letters.
pub(crate) fn clash(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn names_are_checked() {
        let longest = "a".repeat(63);
        let too_long = "a".repeat(64);
        for good in ["a", "posts", "c1f_posts_tags", "createdById", longest.as_str()] {
            assert!(check("field", good).is_ok(), "{good}");
        }
        for bad in ["", "1a", "_a", "a b", "a\"b", "a.b", "a;", "é", "a\0", "SQLite_master", "a-b", too_long.as_str()]
        {
            assert!(check("field", bad).is_err(), "{bad:?}");
        }
    }
}
