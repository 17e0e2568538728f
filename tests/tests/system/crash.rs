//! What a client was told succeeded outlives the server's death.

use std::path::PathBuf;

use tests::crash::{Data, Options, run};

/// Few enough for every change; `cargo xtask crash` does more.
const KILLS: u32 = 8;
/// Each way to be cut off, and one for longer than a lease.
const CUTS: u32 = 4;

#[tokio::test]
async fn no_execution_is_lost_doubled_or_stuck_when_the_server_is_killed() {
    holds(Data::Sqlite, KILLS, 0).await;
}

#[tokio::test]
async fn nor_when_one_of_three_hosts_on_a_database_is() {
    if test_database::begin(test_database::Database::Postgres) {
        holds(Data::Postgres { hosts: 3 }, KILLS, 0).await;
    }
}

#[tokio::test]
async fn nor_when_one_of_them_is_cut_off_from_the_database() {
    if test_database::begin(test_database::Database::Postgres) {
        holds(Data::Postgres { hosts: 3 }, 0, CUTS).await;
    }
}

async fn holds(data: Data, kills: u32, cuts: u32) {
    let options = Options { program: PathBuf::from(env!("CARGO_BIN_EXE_host")), data, kills, cuts, seed: 1 };
    let report = run(&options).await.expect("the run is carried out");
    println!("{report}");
    assert!(report.acknowledged > 0, "{report}");
    report.verdict().expect("every promise is kept");
}
