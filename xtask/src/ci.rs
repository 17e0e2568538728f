//! The gate, step by step, and the test command it ends with. It stops at the first step that fails.

use std::{fmt, ops::AddAssign, process::Command};

use anyhow::Result;
use clap::Args;

use crate::{cargo, tidy};

/// What the tests need.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Fail without a PostgreSQL server, instead of leaving its tests out
    #[arg(long)]
    require_postgres: bool,
    /// Fail without a MySQL or MariaDB server, likewise
    #[arg(long)]
    require_mysql: bool,
}

/// What a test program says when it has no PostgreSQL server.
const POSTGRES_LEFT_OUT: &str = "PostgreSQL is left out";
/// What it says when it has no MySQL or MariaDB server.
const MYSQL_LEFT_OUT: &str = "MySQL is left out";

/// Runs the whole gate.
pub(crate) fn ci(options: &Options) -> Result<()> {
    cargo::run(&mut cargo::command(["fmt", "--all", "--check"])?)?;
    cargo::run(&mut cargo::command(["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"])?)?;
    tidy::run()?;
    let mut doc = cargo::command(["doc", "--workspace", "--no-deps"])?;
    cargo::run(doc.env("RUSTDOCFLAGS", "--deny warnings"))?;
    deny()?;
    test(options)
}

/// The plugin of an author, which is no member of the workspace.
const EXAMPLE: &str = "examples/minimal-plugin/Cargo.toml";

/// Builds everything, so that programs and plugin libraries are there, then runs every test, and those of the server a second
/// time on PostgreSQL.
pub(crate) fn test(options: &Options) -> Result<()> {
    cargo::run(&mut cargo::command(["build", "--workspace"])?)?;
    let mut seen = Seen::default();
    let mut members = cargo::command(["test", "--workspace", "--no-fail-fast"])?;
    if options.require_postgres {
        members.env("REQUIRE_POSTGRES", "1");
    }
    if options.require_mysql {
        members.env("REQUIRE_MYSQL", "1");
    }
    let mut outcome = seen.run(&mut members);
    if !seen.postgres_left_out {
        let mut server =
            cargo::command(["test", "--workspace", "--test", "http", "--test", "system", "--no-fail-fast"])?;
        outcome = outcome.and(seen.run(server.env("TEST_DATABASE", "postgres")));
    }
    let mut example = cargo::command(["test", "--locked", "--manifest-path", EXAMPLE, "--target-dir"])?;
    let example = seen.run(example.arg(cargo::authors_target(&cargo::metadata()?)));
    println!("{}", seen.tally);
    println!("databases: {}", seen.databases());
    outcome.and(example)
}

/// What the tests have said.
#[derive(Debug, Default)]
struct Seen {
    tally: Tally,
    /// There were none on PostgreSQL.
    postgres_left_out: bool,
    /// There were none on MySQL.
    mysql_left_out: bool,
}

impl Seen {
    fn run(&mut self, command: &mut Command) -> Result<()> {
        cargo::run_watching(command, |line| self.take(line))
    }

    /// What the tests ran on.
    fn databases(&self) -> String {
        let mut said = "SQLite".to_owned();
        for (name, left_out) in [("PostgreSQL", self.postgres_left_out), ("MySQL", self.mysql_left_out)] {
            said.push_str(if left_out { ", not " } else { ", " });
            said.push_str(name);
        }
        said
    }

    fn take(&mut self, line: &str) {
        self.postgres_left_out |= line.contains(POSTGRES_LEFT_OUT);
        self.mysql_left_out |= line.contains(MYSQL_LEFT_OUT);
        if let Some(counted) = Tally::read(line) {
            self.tally += counted;
        }
    }
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
    use super::{Seen, Tally};

    #[test]
    fn what_is_left_out_is_told() {
        let mut seen = Seen::default();
        assert_eq!(seen.databases(), "SQLite, PostgreSQL, MySQL");
        seen.take("MySQL is left out: there is no MariaDB on this machine, and no MYSQL_URL");
        assert_eq!(seen.databases(), "SQLite, PostgreSQL, not MySQL");
    }

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
