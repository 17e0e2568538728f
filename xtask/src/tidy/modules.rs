//! Finds Rust files that no module declares: they look like code, and are never compiled.

use std::{
    collections::{BTreeSet, HashMap},
    path::{Component, Path, PathBuf},
};

use cargo_metadata::{Metadata, TargetKind};

use super::SourceFile;

/// A root of a module tree: the file that cargo gives to the compiler.
pub(super) fn roots(metadata: &Metadata) -> Vec<PathBuf> {
    let targets = metadata.workspace_packages().into_iter().flat_map(|package| &package.targets);
    let files = targets.filter_map(|target| target.src_path.strip_prefix(&metadata.workspace_root).ok());
    files.map(|file| file.as_std_path().to_owned()).collect()
}

/// Complains about packages with more than one integration-test program: each links everything once more.
pub(super) fn check_test_programs(metadata: &Metadata) -> Vec<String> {
    let packages = metadata.workspace_packages().into_iter();
    packages
        .filter_map(|package| {
            let tests = package.targets.iter().filter(|target| target.kind.contains(&TargetKind::Test));
            too_many_test_programs(&package.name, tests.count())
        })
        .collect()
}

fn too_many_test_programs(package: &str, programs: usize) -> Option<String> {
    (programs > 1).then(|| format!("{package}: {programs} integration-test programs, at most one"))
}

/// Complains about the files that cannot be reached from a root.
pub(super) fn check(files: &[SourceFile], roots: &[PathBuf]) -> Vec<String> {
    let texts: HashMap<&Path, &str> = files.iter().map(|file| (file.path.as_path(), file.text.as_str())).collect();
    let mut reached = BTreeSet::new();
    for root in roots {
        let folder = root.parent().unwrap_or(Path::new("")).to_owned();
        reach(root, &folder, &texts, &mut reached);
    }
    let forgotten = files.iter().filter(|file| !reached.contains(&file.path));
    forgotten.map(|file| format!("{}: no module declares this file", file.path.display())).collect()
}

/// Marks a file and the files of the modules it declares, which lie in `folder` unless they say otherwise.
fn reach(file: &Path, folder: &Path, texts: &HashMap<&Path, &str>, reached: &mut BTreeSet<PathBuf>) {
    let Some(text) = texts.get(file) else { return };
    if !reached.insert(file.to_owned()) {
        return;
    }
    for Declaration { name, path } in declarations(text) {
        if let Some(path) = path {
            let file = normal(&file.parent().unwrap_or(Path::new("")).join(path));
            let folder = file.parent().unwrap_or(Path::new("")).to_owned();
            reach(&file, &folder, texts, reached);
        } else {
            let own_folder = folder.join(&name);
            reach(&folder.join(format!("{name}.rs")), &own_folder, texts, reached);
            reach(&own_folder.join("mod.rs"), &own_folder, texts, reached);
        }
    }
}

/// A `mod name;`, perhaps below a `#[path = "…"]`.
struct Declaration {
    name: String,
    path: Option<String>,
}

fn declarations(text: &str) -> Vec<Declaration> {
    let mut path = None;
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("#[path = \"") {
            path = rest.strip_suffix("\"]").map(str::to_owned);
        } else if let Some(name) = declared(line) {
            found.push(Declaration { name: name.to_owned(), path: path.take() });
        }
    }
    found
}

/// Reads `mod name;`, `pub mod name;`, `pub(crate) mod name;`.
fn declared(line: &str) -> Option<&str> {
    let line = line.strip_prefix("pub").map_or(line, |rest| {
        let visibility_ends = rest.strip_prefix('(').and_then(|rest| rest.split_once(')')).map(|(_, rest)| rest);
        visibility_ends.unwrap_or(rest).trim_start()
    });
    line.strip_prefix("mod ")?.strip_suffix(';').map(|name| name.trim_start_matches("r#"))
}

/// Resolves `.` and `..` by their names.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                normal.pop();
            }
            Component::CurDir => {}
            Component::Normal(_) | Component::RootDir | Component::Prefix(_) => normal.push(part),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{SourceFile, check, too_many_test_programs};

    fn forgotten(files: &[(&str, &str)], roots: &[&str]) -> Vec<String> {
        let files: Vec<_> = files.iter().map(|(path, text)| SourceFile::new(path, text)).collect();
        check(&files, &roots.iter().map(PathBuf::from).collect::<Vec<_>>())
    }

    #[test]
    fn declared_files_are_fine() {
        let files = [
            ("a/src/lib.rs", "pub mod one;\npub(crate) mod two;\n#[path = \"odd/place.rs\"]\nmod three;"),
            ("a/src/one.rs", "#[cfg(test)]\nmod tests;"),
            ("a/src/one/tests.rs", ""),
            ("a/src/two/mod.rs", "mod inner;"),
            ("a/src/two/inner.rs", ""),
            ("a/src/odd/place.rs", ""),
            ("a/tests/main.rs", "mod bindings;"),
            ("a/tests/bindings.rs", ""),
        ];
        assert_eq!(forgotten(&files, &["a/src/lib.rs", "a/tests/main.rs"]), [""; 0]);
    }

    #[test]
    fn a_forgotten_test_is_found() {
        let files = [("a/tests/main.rs", "mod one;\n// mod two;"), ("a/tests/one.rs", ""), ("a/tests/two.rs", "")];
        assert_eq!(forgotten(&files, &["a/tests/main.rs"]), ["a/tests/two.rs: no module declares this file"]);
    }

    #[test]
    fn a_file_below_the_wrong_module_is_found() {
        let files = [("a/src/lib.rs", "mod one;"), ("a/src/one.rs", "mod deep;"), ("a/src/deep.rs", "")];
        assert_eq!(forgotten(&files, &["a/src/lib.rs"]), ["a/src/deep.rs: no module declares this file"]);
    }

    #[test]
    fn one_test_program_a_package() {
        assert_eq!(too_many_test_programs("a", 1), None);
        assert!(too_many_test_programs("a", 2).is_some());
    }
}
