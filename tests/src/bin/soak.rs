//! Lets a server do much work with restarts in between; `cargo xtask soak` builds and calls it.
//!
//! Arguments: the server's program, the numbers of executions and of restarts, the seed.

use std::process::ExitCode;

use anyhow::{Context, Result};
use tests::soak::{Options, run};

#[tokio::main]
async fn main() -> ExitCode {
    match soak().await {
        Ok(()) => ExitCode::SUCCESS,
        // Causes in one line: a backtrace would only show this program's own calls.
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn soak() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |name: &'static str| arguments.next().with_context(|| format!("{name} is missing"));
    let options = Options {
        program: next("the server's program")?.into(),
        executions: next("the number of executions")?.parse()?,
        restarts: next("the number of restarts")?.parse()?,
        seed: next("the seed")?.parse()?,
    };
    let report = run(&options).await?;
    println!("{report}");
    report.verdict()
}
