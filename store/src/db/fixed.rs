//! Fixed statements: written once where both databases understand them, twice where they do not.

use std::{
    collections::HashMap,
    sync::{LazyLock, RwLock},
};

use super::Dialect;

/// A fixed statement. Values are bound to `?` in order, or to `?1`, `?2` … by number.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fixed {
    /// The same text for both.
    Both(&'static str),
    /// A text for each.
    Each { sqlite: &'static str, postgres: &'static str },
}

impl From<&'static str> for Fixed {
    fn from(text: &'static str) -> Self {
        Self::Both(text)
    }
}

/// A statement of two texts. Takes a macro that answers with the text for `sqlite` and for `postgres`.
macro_rules! each {
    ($text:ident) => {
        $crate::db::Fixed::Each { sqlite: $text!(sqlite), postgres: $text!(postgres) }
    };
}
pub(crate) use each;

/// The numbers in a list that is bound as JSON text, for `IN`.
macro_rules! listed {
    (sqlite) => {
        r#"(SELECT "value" FROM json_each(?))"#
    };
    (postgres) => {
        "(SELECT json_array_elements_text(?::json)::bigint)"
    };
}
pub(crate) use listed;

/// The texts in a list that is bound as JSON text, for `IN`.
macro_rules! listed_texts {
    (sqlite) => {
        r#"(SELECT "value" FROM json_each(?))"#
    };
    (postgres) => {
        "(SELECT json_array_elements_text(?::json))"
    };
}
pub(crate) use listed_texts;

/// What becomes of the rows that a statement reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Rows {
    /// Nothing.
    Read,
    /// Nobody else changes them before the transaction ends.
    Held,
}

impl Fixed {
    /// The text as the database takes it.
    pub(super) fn text(self, dialect: Dialect, rows: Rows) -> &'static str {
        let text = match (self, dialect) {
            (Self::Both(text), _) => text,
            // Fixed statements are for the main database, which is never the third.
            (Self::Each { sqlite, .. }, Dialect::Sqlite | Dialect::Mysql) => sqlite,
            (Self::Each { postgres, .. }, Dialect::Postgres) => postgres,
        };
        match dialect {
            // There is one writer.
            Dialect::Sqlite | Dialect::Mysql => text,
            Dialect::Postgres => numbered_once(text, rows),
        }
    }
}

/// Numbered texts, by where the originals are and how long.
type Numbered = HashMap<(usize, usize, Rows), &'static str>;

/// The numbered texts so far. There are as many as statements in the program.
static NUMBERED: LazyLock<RwLock<Numbered>> = LazyLock::new(RwLock::default);

fn numbered_once(text: &'static str, rows: Rows) -> &'static str {
    let key = (text.as_ptr().addr(), text.len(), rows);
    if let Some(known) = NUMBERED.read().ok().and_then(|known| known.get(&key).copied()) {
        return known;
    }
    let mut made = numbered(text);
    if rows == Rows::Held {
        made.push_str(" FOR NO KEY UPDATE");
    }
    let made: &'static str = Box::leak(made.into_boxed_str());
    match NUMBERED.write() {
        Ok(mut known) => known.entry(key).or_insert(made),
        Err(_poisoned) => made,
    }
}

/// Turns `?` and `?2` into `$1` and `$2`, but not within quotation marks.
fn numbered(text: &str) -> String {
    let mut made = String::with_capacity(text.len() + 16);
    let (mut quote, mut number) = (None, 0);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (None, '?') => {
                made.push('$');
                if !characters.peek().is_some_and(char::is_ascii_digit) {
                    number += 1;
                    made.push_str(&number.to_string());
                }
                continue;
            }
            (None, '\'' | '"') => quote = Some(character),
            (Some(open), close) if open == close => quote = None,
            _ => {}
        }
        made.push(character);
    }
    made
}

#[cfg(test)]
mod tests {
    use super::numbered;

    #[test]
    fn placeholders_are_numbered_outside_of_quotation_marks() {
        for (text, want) in [
            ("SELECT 1", "SELECT 1"),
            ("a = ? AND b IN (?, ?)", "a = $1 AND b IN ($2, $3)"),
            ("a = ?2 AND b = ?1", "a = $2 AND b = $1"),
            (r#"'?' = ? AND "?" = ?"#, r#"'?' = $1 AND "?" = $2"#),
            ("'it''s ?' = ?", "'it''s ?' = $1"),
        ] {
            assert_eq!(numbered(text), want);
        }
    }
}
