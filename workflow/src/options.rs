//! What a workflow's `options` say about how its executions are run, retried and kept.
//!
//! Options are checked when a workflow is made or changed, and read leniently when an execution ends: what an earlier
//! version has stored must not stop the queue. Nothing here acts; the store's statements and the engine do.

use std::{collections::BTreeMap, time::Duration};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use serde_json::{Map, Value};
use store::ExecutionStatus;

/// Ten years, in milliseconds: beyond it a duration is a mistake.
const LONGEST_MS: u64 = 10 * 365 * 24 * 3_600_000;
/// Retries of one execution; more of them are a job for a schedule.
const MOST_RETRIES: u64 = 100;
/// Executions of one workflow side by side; more than any machine has use for.
const MOST_CONCURRENT: u64 = 1_000;
/// Executions nested in each other; each is listed in the row of the innermost.
const DEEPEST_STACK: u64 = 1_000;
/// Characters of a concurrency key's variable.
const KEY_CHARS: usize = 200;

/// The options of a workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowOptions {
    /// How long an execution may take from its first processing on; waiting counts. `None` for ever.
    pub timeout: Option<Duration>,
    /// Executions of the workflow that may be nested in each other.
    pub stack_limit: u64,
    /// Whether and how failed executions are run again.
    pub retry: Option<RetryPolicy>,
    /// Executions that run at the same time, of the workflow or, with a key, of each of its values. Those that wait do not
    /// count.
    pub concurrency: u64,
    /// The variable whose value says which executions keep their order: `{{$context.data.id}}`.
    pub concurrency_key: Option<String>,
    /// States in which an execution is deleted as soon as it ends.
    pub delete_on: Vec<ExecutionStatus>,
    /// How long ended executions are kept, by state; those of other states are kept for ever.
    pub keep_for: Vec<(ExecutionStatus, Duration)>,
}

/// How failed executions are run again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How many times after the first.
    pub attempts: u64,
    /// The delay before the first of them; each further one is twice as long, plus up to as much again by chance.
    pub backoff: Duration,
    /// The longest delay, before chance.
    pub max_backoff: Duration,
    /// The states in which an execution is run again.
    pub on: Vec<ExecutionStatus>,
}

impl Default for WorkflowOptions {
    fn default() -> Self {
        Self {
            timeout: None,
            stack_limit: 1,
            retry: None,
            concurrency: 1,
            concurrency_key: None,
            delete_on: Vec::new(),
            keep_for: Vec::new(),
        }
    }
}

impl WorkflowOptions {
    /// Reads options as they are stored or sent.
    ///
    /// # Errors
    ///
    /// One sentence about the first mistake, such as `"timeout" must be a whole number from 0 to 315360000000`.
    pub fn parse(options: &Value) -> Result<Self, String> {
        let mut members = Members { path: "", ..Members::new("options", options)? };
        let options = Self {
            timeout: members.duration("timeout")?.filter(|timeout| !timeout.is_zero()),
            stack_limit: members.number("stackLimit", 1..=DEEPEST_STACK)?.unwrap_or(1),
            retry: match members.take("retry") {
                None => None,
                Some(retry) => RetryPolicy::parse(&retry)?,
            },
            concurrency: members.number("concurrency", 1..=MOST_CONCURRENT)?.unwrap_or(1),
            concurrency_key: members.take("concurrencyKey").map(|key| concurrency_key(&key)).transpose()?.flatten(),
            delete_on: members.statuses("deleteExecutionOnStatus")?.unwrap_or_default(),
            keep_for: match members.take("keepExecutionsForMs") {
                None => Vec::new(),
                Some(ages) => keep_for(&ages)?,
            },
        };
        members.nothing_else()?;
        Ok(options)
    }
}

impl RetryPolicy {
    fn parse(retry: &Value) -> Result<Option<Self>, String> {
        let mut members = Members::new("retry", retry)?;
        let attempts = members.number("attempts", 0..=MOST_RETRIES)?.ok_or("\"retry.attempts\" is required")?;
        let backoff = members.duration("backoffMs")?.unwrap_or(Duration::from_secs(1));
        let max_backoff = members.duration("maxBackoffMs")?.unwrap_or(Duration::from_secs(3_600)).max(backoff);
        let on = members.statuses("on")?.unwrap_or_else(|| vec![ExecutionStatus::Error, ExecutionStatus::RetryNeeded]);
        members.nothing_else()?;
        if on.contains(&ExecutionStatus::Resolved) {
            return Err("\"retry.on\" cannot hold 1: what is resolved has not failed".to_owned());
        }
        Ok((attempts > 0).then_some(Self { attempts, backoff, max_backoff, on }))
    }

    /// The delay before the retry with this number, counted from 1; `None` if there is none any more.
    pub fn delay(&self, retry: u64) -> Option<Duration> {
        let index = usize::try_from(retry.checked_sub(1)?).ok()?;
        let most = usize::try_from(self.attempts).ok()?;
        ExponentialBuilder::default()
            .with_min_delay(self.backoff)
            .with_max_delay(self.max_backoff)
            .with_factor(2.0)
            .with_max_times(most)
            .with_jitter()
            .build()
            .nth(index)
    }
}

/// Members of an object that are still to be read.
struct Members<'n> {
    path: &'n str,
    of: Map<String, Value>,
}

impl<'n> Members<'n> {
    fn new(path: &'n str, value: &Value) -> Result<Self, String> {
        match value {
            Value::Null => Ok(Self { path, of: Map::new() }),
            Value::Object(members) => Ok(Self { path, of: members.clone() }),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                Err(format!("\"{path}\" must be an object"))
            }
        }
    }

    /// `null` is the same as nothing.
    fn take(&mut self, name: &str) -> Option<Value> {
        self.of.shift_remove(name).filter(|value| !value.is_null())
    }

    fn named(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    fn number(&mut self, name: &str, range: std::ops::RangeInclusive<u64>) -> Result<Option<u64>, String> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let number = value.as_u64().filter(|number| range.contains(number));
        number.map(Some).ok_or_else(|| {
            format!("\"{}\" must be a whole number from {} to {}", self.named(name), range.start(), range.end())
        })
    }

    fn duration(&mut self, name: &str) -> Result<Option<Duration>, String> {
        Ok(self.number(name, 0..=LONGEST_MS)?.map(Duration::from_millis))
    }

    fn statuses(&mut self, name: &str) -> Result<Option<Vec<ExecutionStatus>>, String> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let refusal = || format!("\"{}\" must be a list of final states, from 1 to -6", self.named(name));
        let codes = value.as_array().ok_or_else(refusal)?;
        codes
            .iter()
            .map(|code| code.as_i64().and_then(final_status).ok_or_else(refusal))
            .collect::<Result<_, _>>()
            .map(Some)
    }

    fn nothing_else(self) -> Result<(), String> {
        match self.of.keys().next() {
            None => Ok(()),
            Some(name) => Err(format!("\"{}\" is no option", self.named(name))),
        }
    }
}

fn final_status(code: i64) -> Option<ExecutionStatus> {
    ExecutionStatus::from_code(Some(code)).filter(|status| status.is_final())
}

fn concurrency_key(key: &Value) -> Result<Option<String>, String> {
    let refusal = || "\"concurrencyKey\" must be a variable of the context, such as {{$context.data.id}}".to_owned();
    let text = key.as_str().ok_or_else(refusal)?;
    if text.is_empty() {
        return Ok(None);
    }
    let known = text.len() <= KEY_CHARS && store::executions::context_members(text).is_some();
    if known { Ok(Some(text.to_owned())) } else { Err(refusal()) }
}

fn keep_for(ages: &Value) -> Result<Vec<(ExecutionStatus, Duration)>, String> {
    let mut members = Members::new("keepExecutionsForMs", ages)?;
    let mut keep: BTreeMap<i64, (ExecutionStatus, Duration)> = BTreeMap::new();
    let names: Vec<String> = members.of.keys().cloned().collect();
    for name in names {
        let status = name.parse().ok().and_then(|code| Some((code, final_status(code)?)));
        let (code, status) = status.ok_or_else(|| format!("\"keepExecutionsForMs\" has no state {name}"))?;
        if let Some(age) = members.duration(&name)? {
            keep.insert(code, (status, age));
        }
    }
    Ok(keep.into_values().collect())
}

#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "`json!` at the call reads best without a borrow")]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn refused(options: Value, want: &str) {
        assert_eq!(WorkflowOptions::parse(&options).unwrap_err(), want, "{options}");
    }

    #[test]
    fn nothing_said_is_the_default() {
        for options in [json!(null), json!({}), json!({"timeout": 0, "retry": null, "concurrency": null})] {
            assert_eq!(WorkflowOptions::parse(&options), Ok(WorkflowOptions::default()), "{options}");
        }
        assert_eq!(WorkflowOptions::parse(&json!({"retry": {"attempts": 0}})), Ok(WorkflowOptions::default()));
    }

    #[test]
    fn everything_said_is_read() {
        let options = WorkflowOptions::parse(&json!({
            "timeout": 1_500, "stackLimit": 2, "concurrency": 4, "concurrencyKey": "{{$context.data.id}}",
            "retry": {"attempts": 3, "backoffMs": 100, "maxBackoffMs": 1_000, "on": [-1, -2]},
            "deleteExecutionOnStatus": [1], "keepExecutionsForMs": {"1": 1_000, "-2": 86_400_000},
        }));
        let want = WorkflowOptions {
            timeout: Some(Duration::from_millis(1_500)),
            stack_limit: 2,
            retry: Some(RetryPolicy {
                attempts: 3,
                backoff: Duration::from_millis(100),
                max_backoff: Duration::from_secs(1),
                on: vec![ExecutionStatus::Failed, ExecutionStatus::Error],
            }),
            concurrency: 4,
            concurrency_key: Some("{{$context.data.id}}".to_owned()),
            delete_on: vec![ExecutionStatus::Resolved],
            keep_for: vec![
                (ExecutionStatus::Error, Duration::from_secs(86_400)),
                (ExecutionStatus::Resolved, Duration::from_secs(1)),
            ],
        };
        assert_eq!(options, Ok(want));
    }

    #[test]
    fn mistakes_are_told_in_one_sentence() {
        refused(json!([]), "\"options\" must be an object");
        refused(json!({"timeout": -1}), "\"timeout\" must be a whole number from 0 to 315360000000");
        refused(json!({"timeout": "1"}), "\"timeout\" must be a whole number from 0 to 315360000000");
        refused(json!({"stackLimit": 0}), "\"stackLimit\" must be a whole number from 1 to 1000");
        refused(json!({"concurrency": 0.5}), "\"concurrency\" must be a whole number from 1 to 1000");
        refused(json!({"retries": 1}), "\"retries\" is no option");
        refused(json!({"retry": 3}), "\"retry\" must be an object");
        refused(json!({"retry": {}}), "\"retry.attempts\" is required");
        refused(json!({"retry": {"attempts": 101}}), "\"retry.attempts\" must be a whole number from 0 to 100");
        refused(json!({"retry": {"attempts": 1, "x": 1}}), "\"retry.x\" is no option");
        refused(
            json!({"retry": {"attempts": 1, "on": [0]}}),
            "\"retry.on\" must be a list of final states, from 1 to -6",
        );
        refused(
            json!({"retry": {"attempts": 1, "on": [1]}}),
            "\"retry.on\" cannot hold 1: what is resolved has not failed",
        );
        refused(
            json!({"deleteExecutionOnStatus": 1}),
            "\"deleteExecutionOnStatus\" must be a list of final states, from 1 to -6",
        );
        refused(json!({"keepExecutionsForMs": {"0": 1}}), "\"keepExecutionsForMs\" has no state 0");
        for key in [json!(1), json!("data.id"), json!("{{$jobsMapByNodeKey.a}}"), json!("{{$context}}")] {
            refused(
                json!({"concurrencyKey": key}),
                "\"concurrencyKey\" must be a variable of the context, such as {{$context.data.id}}",
            );
        }
    }

    #[test]
    fn delays_grow_up_to_a_limit_and_end() {
        let policy = RetryPolicy {
            attempts: 5,
            backoff: Duration::from_millis(100),
            max_backoff: Duration::from_millis(400),
            on: vec![ExecutionStatus::Error],
        };
        for (retry, least) in [(1, 100), (2, 200), (3, 400), (4, 400), (5, 400)] {
            let delay = policy.delay(retry).expect("a delay").as_millis();
            assert!((least..=2 * least).contains(&delay), "retry {retry} after {delay} ms");
        }
        assert_eq!((policy.delay(0), policy.delay(6)), (None, None));
    }
}
