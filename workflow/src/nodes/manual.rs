//! `manual`: asks people, and waits for what they decide.
//!
//! The node stores one task for each assignee, together with its pending job. What the assignees decide, and when that is
//! enough, is the business of [`crate::tasks`]; here is only what is asked, and what an answer does to the job.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use store::{JobStatus, NewTasks, Quorum};

use super::{
    Effect, NodeError, NodeResult, NodeType, Run,
    lenient::{Amount, Text},
    people::{self, Users},
    records::Values,
};
use crate::{
    expression::Expressions,
    tasks::{Form, Verdict},
};

/// Gives a task to people. The job's result is what they decided, with the values they filled in.
pub(super) struct Manual;

/// Asks people, and waits for what they decide.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Config {
    /// Who decides: ids of users, or variables that lead to ids or users.
    #[serde(default)]
    #[schemars(title = "Assignees")]
    assignees: Users,
    /// Names of roles: all users that have one of them decide too.
    #[serde(default)]
    #[schemars(title = "Roles")]
    roles: Vec<String>,
    /// What it is about, in a few words.
    #[schemars(title = "Title")]
    title: Text,
    /// What it is about, in more.
    #[serde(default)]
    #[schemars(title = "Description")]
    description: Text,
    /// The JSON Schema of the values that come with an approval; anything by default.
    #[serde(default)]
    #[schemars(title = "Form")]
    form: Values,
    /// What an assignee may do.
    #[serde(default = "both_actions")]
    #[schemars(title = "Actions", length(min = 1))]
    actions: Vec<Action>,
    /// Whose decisions decide: the first one, everybody's, or those of a share.
    #[serde(default)]
    #[schemars(title = "Who decides")]
    mode: Mode,
    /// With the mode "share": how many of a hundred have to approve.
    #[serde(default)]
    #[schemars(title = "Share in percent")]
    percent: Option<Amount>,
    /// With the mode "share": how many have to approve.
    #[serde(default)]
    #[schemars(title = "Share as a number")]
    count: Option<Amount>,
    /// Whether a rejection ends the execution as rejected, or lets it go on.
    #[serde(default)]
    #[schemars(title = "After a rejection")]
    #[expect(dead_code, reason = "matters when it is decided, and is read from the stored configuration then")]
    on_reject: OnReject,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Action {
    Approve,
    Reject,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Mode {
    #[default]
    Any,
    All,
    Share,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum OnReject {
    #[default]
    End,
    Continue,
}

fn both_actions() -> Vec<Action> {
    vec![Action::Approve, Action::Reject]
}

impl NodeType for Manual {
    const NAME: &'static str = "manual";
    const AT_ONCE: bool = true;
    const STANDS_ALONE: bool = false;

    type Config = Config;

    fn check(config: &Value, _: &Expressions) -> Result<(), String> {
        if !people::are_named(config, "assignees") {
            return Err("\"assignees\" or \"roles\" is required".to_owned());
        }
        let is_given = |name: &str| config.get(name).is_some_and(|value| !value.is_null());
        let (shared, given) = (config.get("mode") == Some(&json!("share")), [is_given("percent"), is_given("count")]);
        if shared && given.iter().filter(|given| **given).count() != 1 {
            return Err("the mode \"share\" needs either \"percent\" or \"count\"".to_owned());
        }
        let actions = config.get("actions").and_then(Value::as_array);
        if actions.is_some_and(|actions| !actions.contains(&json!("approve"))) {
            return Err("\"actions\" has to hold \"approve\"".to_owned());
        }
        match config.get("form") {
            Some(form) => Form::check_schema(form),
            None => Ok(()),
        }
    }

    async fn run(config: Config, run: &Run<'_>) -> Result<Effect, NodeError> {
        let form = Value::Object(config.form.0.clone());
        Form::read(&form).map_err(NodeError::Refused)?;
        let (execution_id, node_id, workflow_id) = (run.execution, run.node.id, run.node.workflow_id);
        Ok(Effect::write_for_job(move |tx, job_id| {
            Box::pin(async move {
                let people = people::find(tx, &config.assignees, &config.roles).await?;
                let assignees: Vec<_> = people.into_iter().map(|person| person.id).collect();
                let result = json!({"assignees": assignees});
                let quorum = config.quorum(assignees.len())?;
                tx.create_tasks(NewTasks {
                    workflow_id,
                    execution_id,
                    node_id,
                    job_id,
                    assignees,
                    title: config.title.0,
                    description: config.description.0,
                    form,
                    actions: config.actions.iter().map(|action| action.name().to_owned()).collect(),
                    quorum,
                    round: 1,
                })
                .await?;
                Ok(NodeResult::ended(JobStatus::Pending, result))
            })
        }))
    }

    fn decided(config: &Value, verdict: &Verdict) -> NodeResult {
        let on_reject = config.get("onReject").and_then(|value| OnReject::deserialize(value).ok()).unwrap_or_default();
        let status = match on_reject {
            OnReject::End => verdict.decision.job_status(),
            OnReject::Continue => JobStatus::Resolved,
        };
        NodeResult::ended(status, verdict.result())
    }
}

impl Action {
    fn name(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
        }
    }
}

impl Config {
    /// How many decisions decide, among so many assignees. Rejections decide as soon as there cannot be enough approvals.
    fn quorum(&self, assignees: usize) -> Result<Quorum, NodeError> {
        let all = u32::try_from(assignees).unwrap_or(u32::MAX);
        let approvals = match self.mode {
            Mode::Any => return Ok(Quorum { approvals: 1, rejections: 1 }),
            Mode::All => all,
            Mode::Share => match (self.percent, self.count) {
                (Some(Amount(percent)), None) if percent > 0.0 && percent <= 100.0 => {
                    (f64::from(all) * percent / 100.0).ceil().max(1.0) as u32
                }
                (Some(_), None) => {
                    return Err(NodeError::Refused("\"percent\" must be above 0 and at most 100".into()));
                }
                (None, Some(Amount(count))) if count >= 1.0 && count.fract() == 0.0 => {
                    if count > f64::from(all) {
                        return Err(NodeError::Refused(format!(
                            "{count} approvals are asked for, and there are {all} assignees"
                        )));
                    }
                    count as u32
                }
                (None, Some(_)) => return Err(NodeError::Refused("\"count\" must be a whole number from 1".into())),
                (Some(_), Some(_)) | (None, None) => {
                    return Err(NodeError::Refused("the mode \"share\" needs either \"percent\" or \"count\"".into()));
                }
            },
        };
        Ok(Quorum { approvals, rejections: all - approvals + 1 })
    }
}

#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "`json!` at the call reads best without a borrow")]
mod tests {
    use super::*;

    #[track_caller]
    fn check(config: Value, assignees: usize, want: Result<(u32, u32), &str>) {
        let mut whole = json!({"title": "t"});
        whole.as_object_mut().unwrap().extend(config.as_object().unwrap().clone());
        let config: Config = serde_json::from_value(whole.clone()).unwrap();
        let got = config.quorum(assignees).map(|quorum| (quorum.approvals, quorum.rejections));
        assert_eq!(got.map_err(|error| error.to_string()), want.map_err(str::to_owned), "{whole}, {assignees}");
    }

    #[test]
    fn quorums() {
        check(json!({}), 3, Ok((1, 1)));
        check(json!({"mode": "all"}), 3, Ok((3, 1)));
        check(json!({"mode": "share", "percent": 50}), 3, Ok((2, 2)));
        check(json!({"mode": "share", "percent": "0.1"}), 3, Ok((1, 3)));
        check(json!({"mode": "share", "percent": 100}), 3, Ok((3, 1)));
        check(json!({"mode": "share", "count": 2}), 5, Ok((2, 4)));
        check(json!({"mode": "share", "count": 2}), 1, Err("2 approvals are asked for, and there are 1 assignees"));
        check(json!({"mode": "share", "count": 1.5}), 3, Err("\"count\" must be a whole number from 1"));
        check(json!({"mode": "share", "percent": 101}), 3, Err("\"percent\" must be above 0 and at most 100"));
    }
}
