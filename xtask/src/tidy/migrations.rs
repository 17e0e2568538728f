//! Migrations are numbered 1, 2, 3 … in each folder that holds some.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

/// Complains about gaps, repeats and files without a number.
pub(super) fn check(paths: &BTreeSet<PathBuf>) -> Vec<String> {
    let mut folders: BTreeMap<&Path, Vec<Option<u32>>> = BTreeMap::new();
    let migrations = paths.iter().filter(|path| {
        path.extension().is_some_and(|extension| extension == "sql")
            && path.components().any(|part| part.as_os_str() == "migrations")
    });
    for path in migrations {
        folders.entry(path.parent().unwrap_or(Path::new(""))).or_default().push(number(path));
    }
    folders.into_iter().filter_map(|(folder, numbers)| complaint(folder, numbers)).collect()
}

/// Reads the number that the file name begins with.
fn number(path: &Path) -> Option<u32> {
    path.file_name()?.to_str()?.split_once('_')?.0.parse().ok()
}

fn complaint(folder: &Path, mut numbers: Vec<Option<u32>>) -> Option<String> {
    numbers.sort_unstable();
    let wrong = numbers.iter().zip(1..).find(|(number, expected)| **number != Some(*expected));
    wrong.map(|(_, expected)| format!("{}: migration {expected} is missing or not alone", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::check;

    fn complaints(names: &[&str]) -> Vec<String> {
        check(&names.iter().map(|name| format!("store/migrations/sqlite/{name}").into()).collect())
    }

    #[test]
    fn numbers_follow_each_other() {
        assert_eq!(complaints(&["0001_first.sql", "0002_second.sql", "README.md"]), [""; 0]);
    }

    #[test]
    fn gaps_repeats_and_missing_numbers_are_found() {
        let wrong = |expected: u32| format!("store/migrations/sqlite: migration {expected} is missing or not alone");
        assert_eq!(complaints(&["0001_a.sql", "0003_c.sql"]), [wrong(2)]);
        assert_eq!(complaints(&["0001_a.sql", "0002_b.sql", "0002_c.sql"]), [wrong(3)]);
        assert_eq!(complaints(&["0002_b.sql"]), [wrong(1)]);
        assert_eq!(complaints(&["0001_a.sql", "later.sql"]), [wrong(1)]);
    }
}
