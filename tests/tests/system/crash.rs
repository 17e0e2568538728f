//! What a client was told succeeded outlives the server's death.

use std::path::PathBuf;

use tests::crash::{Data, Options, run};

/// Few enough for every change; `cargo xtask crash` does more.
const KILLS: u32 = 8;

#[tokio::test]
async fn no_execution_is_lost_doubled_or_stuck_when_the_server_is_killed() {
    holds(Data::Sqlite).await;
}

#[tokio::test]
async fn nor_when_one_of_three_hosts_on_a_database_is() {
    if test_database::begin(test_database::Database::Postgres) {
        holds(Data::Postgres { hosts: 3 }).await;
    }
}

async fn holds(data: Data) {
    let options = Options { program: PathBuf::from(env!("CARGO_BIN_EXE_host")), data, kills: KILLS, seed: 1 };
    let report = run(&options).await.expect("the run is carried out");
    println!("{report}");
    assert_eq!(report.kills, KILLS);
    assert!(report.acknowledged > 0, "{report}");
    report.verdict().expect("every promise is kept");
}
