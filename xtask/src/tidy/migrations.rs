//! Migrations are numbered 1, 2, 3 … in each folder that holds some, and folders beside each other, one for each database, have the
//! same ones.

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
    folders.into_iter().filter_map(|(folder, numbers)| complaint(folder, numbers)).chain(out_of_step(paths)).collect()
}

/// The migrations that some folder beside theirs does not have.
fn out_of_step(paths: &BTreeSet<PathBuf>) -> Vec<String> {
    let mut beside: BTreeMap<&Path, BTreeMap<&Path, BTreeSet<&Path>>> = BTreeMap::new();
    for path in paths.iter().filter(|path| number(path).is_some()) {
        let folder = path.parent().filter(|folder| folder.parent().is_some_and(|above| above.ends_with("migrations")));
        if let Some((folder, above)) = folder.and_then(|folder| folder.parent().map(|above| (folder, above))) {
            let name = path.strip_prefix(folder).unwrap_or(path);
            beside.entry(above).or_default().entry(folder).or_default().insert(name);
        }
    }
    let mut complaints = Vec::new();
    for folders in beside.into_values() {
        let all: BTreeSet<&Path> = folders.values().flatten().copied().collect();
        for (folder, names) in folders {
            complaints.extend(
                all.difference(&names).map(|name| format!("{}: {} is missing", folder.display(), name.display())),
            );
        }
    }
    complaints
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
    fn databases_are_kept_in_step() {
        let paths = |names: &[&str]| names.iter().map(|name| format!("store/migrations/{name}").into()).collect();
        let both = ["sqlite/0001_a.sql", "postgres/0001_a.sql"];
        assert_eq!(check(&paths(&both)), [""; 0]);
        let one_more = [both[0], both[1], "sqlite/0002_b.sql"];
        assert_eq!(check(&paths(&one_more)), ["store/migrations/postgres: 0002_b.sql is missing"]);
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
