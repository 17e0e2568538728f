//! The gate, step by step, and the test command it ends with. It stops at the first step that fails.

use std::{fmt, ops::AddAssign, process::Command};

use anyhow::Result;

use crate::{cargo, tidy};

/// Runs the whole gate.
pub(crate) fn ci() -> Result<()> {
    cargo::run(&mut cargo::command(["fmt", "--all", "--check"])?)?;
    cargo::run(&mut cargo::command(["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"])?)?;
    tidy::run()?;
    let mut doc = cargo::command(["doc", "--workspace", "--no-deps"])?;
    cargo::run(doc.env("RUSTDOCFLAGS", "--deny warnings"))?;
    deny()?;
    test()
}

/// The plugin of an author, which is no member of the workspace.
const EXAMPLE: &str = "examples/minimal-plugin/Cargo.toml";

/// Builds everything, so that programs and plugin libraries are there, then runs every test.
pub(crate) fn test() -> Result<()> {
    cargo::run(&mut cargo::command(["build", "--workspace"])?)?;
    let mut tally = Tally::default();
    let mut watching = |command: &mut Command| {
        cargo::run_watching(command, |line| {
            if let Some(counted) = Tally::read(line) {
                tally += counted;
            }
        })
    };
    let members = watching(&mut cargo::command(["test", "--workspace", "--no-fail-fast"])?);
    let mut example = cargo::command(["test", "--locked", "--manifest-path", EXAMPLE, "--target-dir"])?;
    let example = watching(example.arg(cargo::authors_target(&cargo::metadata()?)));
    println!("{tally}");
    members.and(example)
}

/// Licences, advisories and sources of the dependencies; the tool is optional because it is not part of Rust.
fn deny() -> Result<()> {
    let installed = cargo::command(["deny", "--version"])?.output().is_ok_and(|output| output.status.success());
    if installed {
        cargo::run(&mut cargo::command(["deny", "check"])?)
    } else {
        eprintln!("cargo-deny is not installed: `cargo deny check` is left out");
        Ok(())
    }
}

/// What the test programs counted, added up.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    programs: u32,
    passed: u32,
    failed: u32,
    ignored: u32,
}

impl Tally {
    /// Reads a closing line: `test result: ok. 3 passed; 0 failed; 0 ignored; …`.
    fn read(line: &str) -> Option<Self> {
        let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
        let count = |name: &str| {
            counts.split("; ").find_map(|part| part.strip_suffix(name)?.trim().parse().ok()).unwrap_or_default()
        };
        Some(Self { programs: 1, passed: count("passed"), failed: count("failed"), ignored: count("ignored") })
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.programs += other.programs;
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { programs, passed, failed, ignored } = self;
        write!(f, "all tests: {passed} passed, {failed} failed, {ignored} ignored, in {programs} test programs")
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn closing_lines_add_up() {
        let mut tally = Tally::default();
        for line in [
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s",
            "test a::passed ... ok",
            "test result: FAILED. 12 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s",
        ] {
            if let Some(counted) = Tally::read(line) {
                tally += counted;
            }
        }
        assert_eq!(tally, Tally { programs: 2, passed: 15, failed: 2, ignored: 1 });
    }
}
