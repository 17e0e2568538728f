//! What a long queue costs in memory.

use std::fs;

use crate::rig::Rig;

/// Queues of these lengths are compared.
const QUEUED: [usize; 2] = [1_000, 100_000];

/// Queues executions and works them off, few and many; prints the memory of this process before, with each queue, and after.
pub(crate) async fn report() {
    let rig = Rig::open().await;
    let workflow = rig.workflow(0).await;
    // Everything that is allocated once.
    rig.enqueue(&workflow, QUEUED[0]).await;
    rig.drain().await;
    let Some(before) = resident_kibibytes() else {
        println!("engine/queued: this system does not tell the memory of a process");
        return;
    };
    println!("engine/queued: {before} KiB of memory before");
    for queued in QUEUED {
        rig.enqueue(&workflow, queued).await;
        let with = resident_kibibytes().unwrap_or_default();
        rig.drain().await;
        let after = resident_kibibytes().unwrap_or_default();
        println!(
            "engine/queued: {with} KiB with {queued} executions queued ({:.2} times), {after} KiB when they are done",
            with as f64 / before as f64
        );
    }
}

fn resident_kibibytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().strip_suffix(" kB")?.parse().ok()
}
