//! Runs the benchmarks and sets beside each other what belongs together: figures of one run, as ratios.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::cargo;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only benchmarks whose name contains this
    filter: Option<String>,
    /// Fewer samples, for a first impression
    #[arg(long)]
    quick: bool,
    /// Measure several hosts on a PostgreSQL server instead: that of `DATABASE_URL`, or one that is started
    #[arg(long)]
    postgres: bool,
}

/// A measurement beside its limit, both as criterion's folders name them.
struct Ratio {
    what: &'static str,
    measured: &'static str,
    limit: &'static str,
    limit_is: &'static str,
    /// The least share of the limit's rate that the project promises, if it promises anything.
    promised_percent: Option<f64>,
}

const fn beside_bare(what: &'static str, measured: &'static str, limit: &'static str, promised: Option<f64>) -> Ratio {
    Ratio { what, measured, limit, limit_is: "bare", promised_percent: promised }
}

const RATIOS: [Ratio; 15] = [
    beside_bare(
        "bound create over HTTP, asynchronous workflow",
        "requests_async/http",
        "requests_async/bare",
        Some(40.0),
    ),
    beside_bare("bound create over HTTP, synchronous workflow", "requests_sync/http", "requests_sync/bare", Some(40.0)),
    beside_bare("queue worked off, 0 nodes", "engine_drain_0/engine", "engine_drain_0/bare", Some(50.0)),
    beside_bare("queue worked off, 2 nodes", "engine_drain_2/engine", "engine_drain_2/bare", Some(50.0)),
    beside_bare("queue worked off, 20 nodes", "engine_drain_20/engine", "engine_drain_20/bare", Some(50.0)),
    beside_bare("synchronous executions, 0 nodes", "engine_sync_0/engine", "engine_sync_0/bare", Some(40.0)),
    beside_bare("synchronous executions, 2 nodes", "engine_sync_2/engine", "engine_sync_2/bare", Some(40.0)),
    beside_bare("synchronous executions, 20 nodes", "engine_sync_20/engine", "engine_sync_20/bare", Some(40.0)),
    beside_bare("queues of 16 workflows worked off, 2 nodes, 1 host", "hosts_drain/hosts_1", "hosts_drain/bare", None),
    beside_bare("queues of 16 workflows worked off, 2 nodes, 2 hosts", "hosts_drain/hosts_2", "hosts_drain/bare", None),
    beside_bare("bound creates over HTTP, 16 workflows, 1 host", "hosts_requests/hosts_1", "hosts_requests/bare", None),
    beside_bare(
        "bound creates over HTTP, 16 workflows, 2 hosts",
        "hosts_requests/hosts_2",
        "hosts_requests/bare",
        None,
    ),
    flat("claims with 10,000 executions queued", "hosts_claims/10000"),
    flat("claims with 100,000 executions queued", "hosts_claims/100000"),
    flat("claims with 1,000,000 executions queued", "hosts_claims/1000000"),
];

const fn flat(what: &'static str, measured: &'static str) -> Ratio {
    Ratio { what, measured, limit: "hosts_claims/100", limit_is: "with 100 queued", promised_percent: Some(70.0) }
}

/// A cost in nanoseconds, beside what would be there without it.
struct Cost {
    what: &'static str,
    measured: &'static str,
    limit: &'static str,
    limit_is: &'static str,
    /// The most that the project promises, if it promises anything.
    promised_ns: Option<f64>,
}

const fn unasked(what: &'static str, measured: &'static str) -> Cost {
    let (limit, limit_is) = ("plugins_unasked/0", "without plugins");
    Cost { what, measured, limit, limit_is, promised_ns: Some(100.0) }
}

const fn asked(what: &'static str, measured: &'static str, limit: &'static str) -> Cost {
    Cost { what, measured, limit, limit_is: "as many empty calls", promised_ns: None }
}

const COSTS: [Cost; 6] = [
    unasked("an action that nobody waits for, 1 plugin", "plugins_unasked/1"),
    unasked("an action that nobody waits for, 4 plugins", "plugins_unasked/4"),
    unasked("an action that nobody waits for, 16 plugins", "plugins_unasked/16"),
    asked("an action that 1 plugin is asked about", "plugins_asked/1", "plugins_empty_call/1"),
    asked("an action that 4 plugins are asked about", "plugins_asked/4", "plugins_empty_call/4"),
    asked("an action that 16 plugins are asked about", "plugins_asked/16", "plugins_empty_call/16"),
];

pub(crate) fn run(options: Options) -> Result<()> {
    let measurements = cargo::metadata()?.target_directory.join("criterion").into_std_path_buf();
    // What an earlier run left behind would be compared with this one.
    let ratios = RATIOS.iter().flat_map(|ratio| [ratio.measured, ratio.limit]);
    for name in ratios.chain(COSTS.iter().flat_map(|cost| [cost.measured, cost.limit])) {
        let _ = fs::remove_dir_all(measurements.join(name).join("new"));
    }
    let mut command = cargo::command(["bench", "--package", "benches"])?;
    let programs: &[&str] = if options.postgres { &["hosts"] } else { &["plugins", "engine", "requests"] };
    command
        .args(programs.iter().flat_map(|program| ["--bench", *program]))
        .arg("--")
        .args(options.quick.then_some("--quick"))
        .args(options.filter);
    cargo::run(&mut command)?;
    for ratio in &RATIOS {
        if let (Some(measured), Some(limit)) = (rate(&measurements, ratio.measured)?, rate(&measurements, ratio.limit)?)
        {
            println!("{}", ratio.line(measured, limit));
        }
    }
    for cost in &COSTS {
        if let (Some(measured), Some(limit)) = (rate(&measurements, cost.measured)?, rate(&measurements, cost.limit)?) {
            println!("{}", cost.line(1e9 / measured, 1e9 / limit));
        }
    }
    Ok(())
}

impl Cost {
    fn line(&self, ns: f64, limit_ns: f64) -> String {
        let beside = format!("{}: {ns:.1} ns, {limit_ns:.1} ns {}", self.what, self.limit_is);
        match self.promised_ns {
            Some(promised) if ns < promised => format!("{beside}, below the promised {promised:.0} ns"),
            Some(promised) => format!("{beside}, ABOVE the promised {promised:.0} ns"),
            None => beside,
        }
    }
}

impl Ratio {
    fn line(&self, measured: f64, limit: f64) -> String {
        let percent = measured / limit * 100.0;
        let beside = format!("{}: {measured:.0} a second of {limit:.0} {} = {percent:.0} %", self.what, self.limit_is);
        match self.promised_percent {
            Some(promised) if percent >= promised => format!("{beside}, at least the promised {promised:.0} %"),
            Some(promised) => format!("{beside}, BELOW the promised {promised:.0} %"),
            None => beside,
        }
    }
}

/// Iterations per second of a benchmark; `None` if it was not run.
fn rate(measurements: &Path, name: &str) -> Result<Option<f64>> {
    let path = measurements.join(name).join("new/estimates.json");
    if !path.exists() {
        return Ok(None);
    }
    let estimates: Value = serde_json::from_str(&fs::read_to_string(&path)?)?;
    let ns = estimates["mean"]["point_estimate"].as_f64().with_context(|| format!("{} has no mean", path.display()))?;
    Ok(Some(1e9 / ns))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_below_its_promise_says_so() {
        let line = |measured| RATIOS[0].line(measured, 1_000.0);
        assert!(
            line(400.0).ends_with("400 a second of 1000 bare = 40 %, at least the promised 40 %"),
            "{}",
            line(400.0)
        );
        assert!(line(390.0).ends_with("= 39 %, BELOW the promised 40 %"), "{}", line(390.0));
    }

    #[test]
    fn a_cost_above_its_promise_says_so() {
        let line = |ns| COSTS[2].line(ns, 40.0);
        let said =
            "an action that nobody waits for, 16 plugins: 45.0 ns, 40.0 ns without plugins, below the promised 100 ns";
        assert_eq!(line(45.0), said);
        assert!(line(100.0).ends_with("ABOVE the promised 100 ns"), "{}", line(100.0));
        assert_eq!(
            COSTS[3].line(90.0, 1.5),
            "an action that 1 plugin is asked about: 90.0 ns, 1.5 ns as many empty calls"
        );
    }

    #[test]
    fn what_was_not_measured_has_no_rate() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert_eq!(rate(folder.path(), "nothing").expect("no error"), None);
        let estimates = folder.path().join("one/new");
        fs::create_dir_all(&estimates).expect("a folder");
        fs::write(estimates.join("estimates.json"), r#"{"mean": {"point_estimate": 2000.0}}"#).expect("a file");
        assert_eq!(rate(folder.path(), "one").expect("no error"), Some(500_000.0));
    }
}
