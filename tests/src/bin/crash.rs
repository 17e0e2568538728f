//! Kills a server under load, again and again; `cargo xtask crash` builds and calls it.
//!
//! Arguments: the server's program, the number of kills, the seed.

use std::process::ExitCode;

use anyhow::{Context, Result};
use tests::crash::{Options, run};

#[tokio::main]
async fn main() -> ExitCode {
    match crash().await {
        Ok(()) => ExitCode::SUCCESS,
        // Causes in one line: a backtrace would only show this program's own calls.
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn crash() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |name: &'static str| arguments.next().with_context(|| format!("{name} is missing"));
    let options = Options {
        program: next("the server's program")?.into(),
        kills: next("the number of kills")?.parse()?,
        seed: next("the seed")?.parse()?,
    };
    let report = run(&options).await?;
    println!("{report}");
    report.verdict()
}
