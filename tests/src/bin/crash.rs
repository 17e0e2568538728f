//! Kills a server under load, or cuts it off from its database, again and again; `cargo xtask crash` builds and calls it.
//!
//! Arguments: the server's program, the database (`sqlite` or `postgres`), the numbers of hosts, of kills and of cuts, the seed.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use tests::crash::{Data, Options, run};

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
    let program = next("the server's program")?.into();
    let data = match (next("the database")?.as_str(), next("the number of hosts")?.parse()?) {
        ("sqlite", 1) => Data::Sqlite,
        ("postgres", hosts @ 1..) => Data::Postgres { hosts },
        (database, hosts) => bail!("{hosts} hosts on {database}: a file has one host, a server any number"),
    };
    let (kills, cuts) = (next("the number of kills")?.parse()?, next("the number of cuts")?.parse()?);
    if cuts > 0 && data == Data::Sqlite {
        bail!("a file is not at the end of a cable that could be cut");
    }
    let options = Options { program, data, kills, cuts, seed: next("the seed")?.parse()? };
    let report = run(&options).await?;
    println!("{report}");
    report.verdict()
}
