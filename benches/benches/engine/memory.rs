//! What a long queue costs in memory.

use std::fs;

use crate::rig::Rig;

const QUEUED: usize = 100_000;

/// Queues many executions and works them off; prints the memory of this process before, when all are queued, and after.
pub(crate) async fn report() {
    let rig = Rig::open().await;
    let workflow = rig.workflow(0).await;
    // Everything that is allocated once.
    rig.enqueue(&workflow, QUEUED / 100).await;
    rig.drain().await;
    let Some(before) = resident_kibibytes() else {
        println!("engine/queued: this system does not tell the memory of a process");
        return;
    };
    rig.enqueue(&workflow, QUEUED).await;
    let queued = resident_kibibytes().unwrap_or_default();
    rig.drain().await;
    let after = resident_kibibytes().unwrap_or_default();
    println!(
        "engine/queued: {before} KiB before, {queued} KiB with {QUEUED} executions queued ({:.2} times), {after} KiB when they are done",
        queued as f64 / before as f64
    );
}

fn resident_kibibytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().strip_suffix(" kB")?.parse().ok()
}
