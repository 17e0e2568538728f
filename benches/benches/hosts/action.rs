//! What one action leaves to the database, for arithmetic about larger loads.

use benches::server::{Mode, Rig, Workflow};
use sqlx::{Connection as _, PgConnection, Row as _};
use store::Store;
use test_database::TestDatabase;
use tokio::time::{Duration, sleep};

use crate::{NODES, WORKFLOWS, fleet::worked_off};

/// Actions that are counted.
const ACTIONS: u64 = 1_000;
/// After so long without a change the server has counted everything: a session that is idle says after ten seconds at the latest what it
/// has done.
const COUNTED: Duration = Duration::from_secs(11);

/// What the server has counted: rows inserted and updated, transactions, bytes of log, bytes of the database.
const COUNTS: &str = r#"SELECT "tup_inserted", "tup_updated", "xact_commit", (pg_current_wal_insert_lsn() - '0/0')::bigint,
      pg_database_size("datid") FROM pg_stat_database WHERE "datname" = current_database()"#;

/// Creates records with a workflow of some nodes bound, and prints what each of them has cost.
pub(crate) async fn report() {
    let database = TestDatabase::new();
    let rig = Rig::start(1, Some(database.url())).await;
    let store = Store::open(database.url()).await.expect("the database opens");
    let mut workflows: Vec<Workflow> = Vec::with_capacity(WORKFLOWS);
    for _ in 0..WORKFLOWS {
        workflows.push(rig.workflow(Mode::Async, NODES).await);
    }
    // Everything that happens once.
    rig.creates(&workflows, 100).await;
    worked_off(&store).await;
    let mut connection = PgConnection::connect(database.url()).await.expect("the database opens");
    let before = counted(&mut connection).await;
    rig.creates(&workflows, ACTIONS).await;
    worked_off(&store).await;
    let after = counted(&mut connection).await;
    let [inserted, updated, transactions, log, size] =
        std::array::from_fn(|index| (after[index] - before[index]) as f64 / ACTIONS as f64);
    println!(
        "hosts/action: with {NODES} nodes, {inserted:.1} rows inserted, {updated:.1} updated, {transactions:.1} transactions, \
         {:.1} kB of log, {:.1} kB of database",
        log / 1e3,
        size / 1e3
    );
    connection.close().await.expect("the connection ends");
    store.close().await;
    rig.stop().await;
}

async fn counted(connection: &mut PgConnection) -> [i64; 5] {
    let mut last = [0; 5];
    loop {
        let row = sqlx::query(COUNTS).fetch_one(&mut *connection).await.expect("the counts");
        let now = std::array::from_fn(|index| row.get(index));
        // Hosts ask the database now and then: rows tell that all is counted.
        if now[..2] == last[..2] {
            return now;
        }
        last = now;
        sleep(COUNTED).await;
    }
}
