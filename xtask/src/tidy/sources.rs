//! What single Rust files may contain.

use std::path::Path;

use super::SourceFile;

/// A file that needs more says too much; tests are free.
const MAX_LINES: usize = 500;
/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 6] = ["util", "utils", "helper", "helpers", "common", "misc"];
/// Code that is not there yet, or only for its author.
const UNFINISHED: [&str; 4] = ["todo!", "unimplemented!", "dbg!", "#[ignore"];
/// Ways to wait without knowing for what.
const SLEEPS: [&str; 3] = ["thread::sleep", "time::sleep(", "sleep_until("];
/// How code asks the machine what time it is; where hosts of one database have to agree about that; and the one place that asks.
const WALL_CLOCKS: [&str; 3] = ["SystemTime::now(", "Utc::now(", "Local::now("];
const ONE_CLOCK: [&str; 3] = ["store/src", "workflow/src", "host-demo/src"];
const CLOCK: &str = "store/src/clock.rs";
/// How code names the library below the ABI, and the folders that may: the two sides, and the test libraries that break it on
/// purpose.
const ABI_NAMES: [&str; 2] = ["abi_stable::", "extern crate abi_stable"];
const ABI_FOLDERS: [&str; 3] = ["plugin-api/src/abi", "plugin-loader/src", "tests/fixtures"];
/// How code links a plugin's crate. Two of them in one program would define the root symbol twice.
const PLUGIN_LINKS: [&str; 2] = ["use plugin_workflow_", "extern crate plugin_workflow_"];
/// This folder holds the bad examples of its own tests.
const EXAMPLES: &str = "xtask/src/tidy";

/// Complains about one file.
pub(super) fn check(file: &SourceFile) -> Vec<String> {
    if file.path.starts_with(EXAMPLES) {
        return length(file).into_iter().collect();
    }
    let mut complaints: Vec<String> = length(file).into_iter().chain(name(file)).collect();
    complaints.extend(found(file, code(file), &UNFINISHED, "has no place in finished code"));
    complaints.extend(found(file, test_code(file), &SLEEPS, "in a test: wait on a condition instead"));
    if !ABI_FOLDERS
        .iter()
        .any(|folder| file.path.starts_with(folder) || file.path == Path::new(folder).with_extension("rs"))
    {
        complaints.extend(found(file, code(file), &ABI_NAMES, "outside the ABI modules"));
    }
    if ONE_CLOCK.iter().any(|folder| file.path.starts_with(folder)) && file.path != Path::new(CLOCK) {
        complaints.extend(found(file, shipped_code(file), &WALL_CLOCKS, "is this machine's: go by the store's clock"));
    }
    if !file.path.starts_with("xtask") && !file.path.components().next().is_some_and(|top| is_plugin(&top)) {
        complaints.extend(found(file, code(file), &PLUGIN_LINKS, "links a plugin instead of loading it"));
    }
    complaints
}

fn is_plugin(top: &std::path::Component<'_>) -> bool {
    top.as_os_str().to_string_lossy().starts_with("plugin-workflow-")
}

fn length(file: &SourceFile) -> Option<String> {
    if is_test(&file.path) {
        return None;
    }
    let lines = file.text.lines().take(tests_begin(&file.text)).count();
    (lines > MAX_LINES).then(|| format!("{}: {lines} lines, at most {MAX_LINES}", file.path.display()))
}

fn name(file: &SourceFile) -> Option<String> {
    let stem = file.path.file_stem()?.to_str()?;
    let folder = file.path.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or_default();
    let stem = if stem == "mod" { folder } else { stem };
    EMPTY_NAMES.contains(&stem).then(|| format!("{}: name the concept instead", file.path.display()))
}

/// Complains about each numbered line that contains one of the words.
fn found<'a>(
    file: &'a SourceFile,
    lines: impl Iterator<Item = (usize, &'a str)>,
    words: &[&str],
    why: &str,
) -> Vec<String> {
    lines
        .filter_map(|(number, line)| {
            let word = words.iter().find(|word| contains_word(line, word))?;
            Some(format!("{}:{}: `{word}` {why}", file.path.display(), number + 1))
        })
        .collect()
}

/// Finds the word where no other name ends in it.
fn contains_word(line: &str, word: &str) -> bool {
    let part_of_name = |before: char| before.is_alphanumeric() || before == '_';
    line.match_indices(word).any(|(at, _)| !line[..at].ends_with(part_of_name))
}

/// The lines that are not comments, numbered from 0.
fn code(file: &SourceFile) -> impl Iterator<Item = (usize, &str)> {
    file.text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// The lines of code before the tests.
fn shipped_code(file: &SourceFile) -> impl Iterator<Item = (usize, &str)> {
    let end = if is_test(&file.path) { 0 } else { tests_begin(&file.text) };
    code(file).take_while(move |(number, _)| *number < end)
}

/// The lines of code that are tests.
fn test_code(file: &SourceFile) -> impl Iterator<Item = (usize, &str)> {
    let begin = if is_test(&file.path) { 0 } else { tests_begin(&file.text) };
    code(file).skip_while(move |(number, _)| *number < begin)
}

fn is_test(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "tests") || path.file_name().is_some_and(|name| name == "tests.rs")
}

/// The number of the line that opens the tests of a file: by custom they stand at its end.
fn tests_begin(text: &str) -> usize {
    text.lines().position(|line| line.trim() == "#[cfg(test)]").unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::{SourceFile, check};

    #[track_caller]
    fn one(path: &str, text: &str, complaint: &str) {
        let complaints = check(&SourceFile::new(path, text));
        assert_eq!(complaints, [complaint], "{text}");
    }

    #[track_caller]
    fn fine(path: &str, text: &str) {
        assert_eq!(check(&SourceFile::new(path, text)), [""; 0], "{text}");
    }

    #[test]
    fn long_files() {
        let long = "//\n".repeat(501);
        one("store/src/a.rs", &long, "store/src/a.rs: 501 lines, at most 500");
        fine("store/src/a.rs", &"//\n".repeat(500));
        fine("store/tests/a.rs", &long);
        fine("store/src/a/tests.rs", &long);
        fine("store/src/a.rs", &format!("#[cfg(test)]\nmod tests {{\n{long}}}"));
    }

    #[test]
    fn names_that_say_nothing() {
        one("store/src/utils.rs", "", "store/src/utils.rs: name the concept instead");
        one("store/src/common/mod.rs", "", "store/src/common/mod.rs: name the concept instead");
        fine("store/src/rows.rs", "");
    }

    #[test]
    fn unfinished_code() {
        one("store/src/a.rs", "fn a() {\n    todo!()\n}", "store/src/a.rs:2: `todo!` has no place in finished code");
        one("store/src/a.rs", "#[ignore = \"slow\"]", "store/src/a.rs:1: `#[ignore` has no place in finished code");
        fine("store/src/a.rs", "// todo! is a macro\nmy_todo!()");
    }

    #[test]
    fn sleeping_tests() {
        let why = "in a test: wait on a condition instead";
        let sleep = "std::thread::sleep(second)";
        one("tests/tests/a.rs", sleep, &format!("tests/tests/a.rs:1: `thread::sleep` {why}"));
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    tokio::time::sleep(second).await\n}";
        one("store/src/a.rs", text, &format!("store/src/a.rs:4: `time::sleep(` {why}"));
        fine("workflow/src/delay.rs", "tokio::time::sleep(second).await");
    }

    #[test]
    fn clocks_besides_the_stores() {
        let text = "let now = chrono::Utc::now();";
        let why = "`Utc::now(` is this machine's: go by the store's clock";
        one("workflow/src/engine.rs", text, &format!("workflow/src/engine.rs:1: {why}"));
        fine("store/src/clock.rs", text);
        fine("plugin-workflow-schedule-trigger/src/trigger.rs", text);
        fine("host-demo/src/http.rs", &format!("#[cfg(test)]\nmod tests {{\n{text}\n}}"));
        fine("workflow/tests/engine/clock.rs", text);
    }

    #[test]
    fn the_abi_library_outside_its_modules() {
        let text = "use abi_stable::std_types::RString;";
        one("host-demo/src/http.rs", text, "host-demo/src/http.rs:1: `abi_stable::` outside the ABI modules");
        fine("plugin-api/src/abi/root.rs", text);
        fine("plugin-api/src/abi.rs", text);
        fine("plugin-loader/src/library.rs", text);
        fine("store/src/a.rs", "//! Knows nothing of abi_stable::anything.");
    }

    #[test]
    fn plugins_that_are_linked() {
        let text = "use plugin_workflow_action_trigger::config::Config;";
        one(
            "tests/tests/a.rs",
            text,
            "tests/tests/a.rs:1: `use plugin_workflow_` links a plugin instead of loading it",
        );
        fine("plugin-workflow-action-trigger/tests/a.rs", text);
        fine("tests/tests/a.rs", "\"plugin_workflow_action_trigger\"");
    }
}
