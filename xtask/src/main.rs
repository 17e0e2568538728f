//! The project's tasks: one command each for demo, tests, the gate, benchmarks, conformance and long runs.
//!
//! Every task runs the same cargo that a person would run by hand, echoed as it goes, and talks to the server over
//! HTTP only. Nothing here is linked with the server: a task that needs one starts the built program.

mod api;
mod bench;
mod cargo;
mod ci;
mod conformance;
mod crash;
mod demo;
mod new_plugin;
mod server;
mod soak;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Project tasks")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build everything and run every test
    Test(ci::Options),
    /// The whole gate: formatting, clippy, tidy, docs, then the tests
    Ci(ci::Options),
    /// Check what the compiler does not: dependency arrows, file sizes, forgotten files, dead links
    Tidy,
    /// Start a server on fresh data with the reimbursement example, and print calls to try
    Demo(demo::Options),
    /// Make a trigger plugin that compiles and has tests
    NewPlugin(new_plugin::Options),
    /// Run the black-box HTTP suite against a fresh server
    Conformance(conformance::Options),
    /// Run the benchmarks
    Bench(bench::Options),
    /// Kill a server under load, again and again; nothing may be lost, doubled or stuck
    Crash(crash::Options),
    /// Run very many executions with restarts and cancellations, and watch memory and files
    Soak(soak::Options),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Cli::parse().task).await {
        Ok(()) => ExitCode::SUCCESS,
        // Causes in one line: a backtrace would only show this program's own calls.
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(task: Task) -> anyhow::Result<()> {
    match task {
        Task::Test(options) => ci::test(&options),
        Task::Ci(options) => ci::ci(&options),
        Task::Tidy => tidy::run(),
        Task::Demo(options) => demo::run(options).await,
        Task::NewPlugin(options) => new_plugin::run(&options),
        Task::Conformance(options) => conformance::run(options).await,
        Task::Bench(options) => bench::run(options),
        Task::Crash(options) => crash::run(&options),
        Task::Soak(options) => soak::run(&options),
    }
}
