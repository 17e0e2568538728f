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
}

/// A measurement beside its limit, both as criterion's folders name them.
struct Ratio {
    what: &'static str,
    measured: &'static str,
    limit: &'static str,
    /// The least share of the limit's rate that the project promises.
    promised_percent: f64,
}

const RATIOS: [Ratio; 8] = [
    Ratio {
        what: "bound create over HTTP, asynchronous workflow",
        measured: "requests_async/http",
        limit: "requests_async/bare",
        promised_percent: 40.0,
    },
    Ratio {
        what: "bound create over HTTP, synchronous workflow",
        measured: "requests_sync/http",
        limit: "requests_sync/bare",
        promised_percent: 40.0,
    },
    Ratio {
        what: "queue worked off, 0 nodes",
        measured: "engine_drain_0/engine",
        limit: "engine_drain_0/bare",
        promised_percent: 50.0,
    },
    Ratio {
        what: "queue worked off, 2 nodes",
        measured: "engine_drain_2/engine",
        limit: "engine_drain_2/bare",
        promised_percent: 50.0,
    },
    Ratio {
        what: "queue worked off, 20 nodes",
        measured: "engine_drain_20/engine",
        limit: "engine_drain_20/bare",
        promised_percent: 50.0,
    },
    Ratio {
        what: "synchronous executions, 0 nodes",
        measured: "engine_sync_0/engine",
        limit: "engine_sync_0/bare",
        promised_percent: 40.0,
    },
    Ratio {
        what: "synchronous executions, 2 nodes",
        measured: "engine_sync_2/engine",
        limit: "engine_sync_2/bare",
        promised_percent: 40.0,
    },
    Ratio {
        what: "synchronous executions, 20 nodes",
        measured: "engine_sync_20/engine",
        limit: "engine_sync_20/bare",
        promised_percent: 40.0,
    },
];

pub(crate) fn run(options: Options) -> Result<()> {
    let measurements = cargo::metadata()?.target_directory.join("criterion").into_std_path_buf();
    // What an earlier run left behind would be compared with this one.
    for ratio in &RATIOS {
        for name in [ratio.measured, ratio.limit] {
            let _ = fs::remove_dir_all(measurements.join(name).join("new"));
        }
    }
    let mut command = cargo::command(["bench", "--package", "benches", "--benches", "--"])?;
    command.args(options.quick.then_some("--quick")).args(options.filter);
    cargo::run(&mut command)?;
    for ratio in &RATIOS {
        if let (Some(measured), Some(limit)) = (rate(&measurements, ratio.measured)?, rate(&measurements, ratio.limit)?)
        {
            println!("{}", ratio.line(measured, limit));
        }
    }
    Ok(())
}

impl Ratio {
    fn line(&self, measured: f64, limit: f64) -> String {
        let percent = measured / limit * 100.0;
        let verdict = if percent >= self.promised_percent { "at least" } else { "BELOW" };
        format!(
            "{}: {measured:.0} a second of {limit:.0} bare = {percent:.0} %, {verdict} the promised {:.0} %",
            self.what, self.promised_percent
        )
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
    fn what_was_not_measured_has_no_rate() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert_eq!(rate(folder.path(), "nothing").expect("no error"), None);
        let estimates = folder.path().join("one/new");
        fs::create_dir_all(&estimates).expect("a folder");
        fs::write(estimates.join("estimates.json"), r#"{"mean": {"point_estimate": 2000.0}}"#).expect("a file");
        assert_eq!(rate(folder.path(), "one").expect("no error"), Some(500_000.0));
    }
}
