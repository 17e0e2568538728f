//! The decision: what is next, told by the configuration and by what everybody has answered so far.
//!
//! People are asked in rounds: the first begins with the node, another one whenever the applicant hands in once more. In a round
//! the applicant is asked last, when it was returned.

use plugin_api::{Ask, Ending, PluginError, Progress, Standing, Step, TaskAction, TaskProgress, UserId};
use serde_json::{Map, Value, json};

use super::{
    APPROVED, REJECTED, RETURNED,
    config::{Action, Config, Mode, ReturnTo, Withdraw},
};

/// What is next.
pub(super) fn step(config: &Config, progress: &Progress) -> Result<Step, PluginError> {
    let round = progress.tasks.iter().map(|task| task.round).max().unwrap_or(0);
    let current: Vec<&TaskProgress> = progress.tasks.iter().filter(|task| task.round == round).collect();
    let count = |action: TaskAction| current.iter().filter(|task| task.action == Some(action)).count();
    let is_returned = count(TaskAction::Return) > 0;

    if progress.withdraws {
        let is_decided = count(TaskAction::Approve) + count(TaskAction::Reject) > 0 && !is_returned;
        return match config.withdraw {
            Withdraw::Never => Err(PluginError::invalid("this application cannot be withdrawn")),
            Withdraw::Undecided if is_decided => {
                Err(PluginError::invalid("somebody has decided already: this application can no longer be withdrawn"))
            }
            Withdraw::Undecided | Withdraw::Always => Ok(withdrawn(progress)),
        };
    }
    if round == 0 {
        if progress.applicant.is_none() && config.allows(Action::Return) && config.goes_back() {
            return Err(PluginError::invalid("nobody has applied: leave \"return\" out of the actions"));
        }
        return ask(config, progress, 1);
    }
    if count(TaskAction::Withdraw) > 0 {
        return Ok(withdrawn(progress));
    }
    if count(TaskAction::Resubmit) > 0 {
        return ask(config, progress, round + 1);
    }
    if is_returned {
        return Ok(match target(config, progress, &current)? {
            Some(to) => Step::Back { to, result: result(progress, Standing::Returned) },
            None => returned(config, progress, round),
        });
    }
    let quorum = Quorum::of(config, progress.people.len())?;
    let (approvals, rejections) = (count(TaskAction::Approve), count(TaskAction::Reject));
    if approvals >= quorum.approvals {
        return Ok(end(config, progress, Standing::Approved));
    }
    if rejections >= quorum.rejections {
        return Ok(end(config, progress, Standing::Rejected));
    }
    let is_asked = current.iter().any(|task| task.action.is_none() && !task.closed);
    let next = if is_asked { None } else { progress.people.get(approvals) };
    let ask = match next {
        Some(next) if config.is_in_order() => vec![asked(config, vec![*next], round, quorum)],
        Some(_) | None => Vec::new(),
    };
    Ok(Step::Wait { standing: Standing::Pending, close: false, ask })
}

/// How many equal decisions decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Quorum {
    approvals: usize,
    /// As soon as there cannot be enough approvals.
    rejections: usize,
}

impl Quorum {
    fn of(config: &Config, people: usize) -> Result<Self, PluginError> {
        let approvals = match config.mode {
            Mode::Any => return Ok(Self { approvals: 1, rejections: 1 }),
            Mode::All | Mode::Sequential => people,
            Mode::Share => match (config.percent, config.count) {
                (Some(percent), None) if percent > 0.0 && percent <= 100.0 => {
                    ((people as f64 * percent / 100.0).ceil() as usize).clamp(1, people)
                }
                (Some(_), None) => return Err(PluginError::invalid("\"percent\" must be above 0 and at most 100")),
                (None, Some(count)) if count >= 1.0 && count.fract() == 0.0 => {
                    if count > people as f64 {
                        let message = format!("{count} approvals are asked for, and there are {people} assignees");
                        return Err(PluginError::invalid(message));
                    }
                    count as usize
                }
                (None, Some(_)) => return Err(PluginError::invalid("\"count\" must be a whole number from 1")),
                (Some(_), Some(_)) | (None, None) => {
                    let message = "the mode \"share\" needs either \"percent\" or \"count\"";
                    return Err(PluginError::invalid(message));
                }
            },
        };
        Ok(Self { approvals, rejections: if config.is_in_order() { 1 } else { people - approvals + 1 } })
    }
}

/// Asks the people, in another round.
fn ask(config: &Config, progress: &Progress, round: u32) -> Result<Step, PluginError> {
    let quorum = Quorum::of(config, progress.people.len())?;
    let mut people = progress.people.clone();
    if config.is_in_order() {
        people.truncate(1);
    }
    let ask = vec![asked(config, people, round, quorum)];
    Ok(Step::Wait { standing: Standing::Pending, close: true, ask })
}

fn asked(config: &Config, users: Vec<UserId>, round: u32, quorum: Quorum) -> Ask {
    let action = |action: &Action| match action {
        Action::Approve => TaskAction::Approve,
        Action::Reject => TaskAction::Reject,
        Action::Return => TaskAction::Return,
        Action::Delegate => TaskAction::Delegate,
    };
    Ask {
        users,
        round,
        title: config.title.clone(),
        description: config.description.clone(),
        form: config.form.clone(),
        actions: config.actions.iter().map(action).collect(),
        approvals: u32::try_from(quorum.approvals).unwrap_or(u32::MAX),
        rejections: u32::try_from(quorum.rejections).unwrap_or(u32::MAX),
    }
}

/// The earlier approval that a return goes back to; `None` for the start.
fn target(config: &Config, progress: &Progress, current: &[&TaskProgress]) -> Result<Option<String>, PluginError> {
    let named = current.iter().find(|task| task.action == Some(TaskAction::Return)).and_then(|it| it.return_to.clone());
    let before: Vec<&str> = progress.earlier.iter().map(|node| node.key.as_str()).collect();
    let possible = match config.return_to {
        ReturnTo::Start => &[],
        ReturnTo::Previous => &before[before.len().saturating_sub(1)..],
        ReturnTo::Any => &before[..],
    };
    match named {
        Some(named) if possible.contains(&named.as_str()) => Ok(Some(named)),
        Some(named) => {
            let message = format!("\"returnTo\" must be one of {}, not {}", json!(possible), json!(named));
            Err(PluginError::invalid(message))
        }
        None if config.return_to == ReturnTo::Previous => Ok(possible.first().map(|&key| key.to_owned())),
        None => Ok(None),
    }
}

/// Sends it back to the start, as configured.
fn returned(config: &Config, progress: &Progress, round: u32) -> Step {
    let applicant = progress.applicant.filter(|_| config.goes_back());
    let Some(applicant) = applicant else { return end(config, progress, Standing::Returned) };
    let mut actions = vec![TaskAction::Resubmit];
    if config.withdraw != Withdraw::Never {
        actions.push(TaskAction::Withdraw);
    }
    let ask = Ask { actions, ..asked(config, vec![applicant], round, Quorum { approvals: 0, rejections: 0 }) };
    Step::Wait { standing: Standing::Returned, close: true, ask: vec![ask] }
}

fn end(config: &Config, progress: &Progress, standing: Standing) -> Step {
    let branch = match standing {
        Standing::Approved => APPROVED,
        Standing::Returned | Standing::Pending => RETURNED,
        Standing::Rejected | Standing::Withdrawn => REJECTED,
    };
    let ending = match (config.branches(), standing) {
        (true, _) | (false, Standing::Approved) => Ending::Resolved,
        (false, _) => Ending::Rejected,
    };
    let result = result(progress, standing);
    Step::End { standing, ending, result, branch: config.branches().then_some(branch) }
}

/// Whatever the branches: nobody wants it any more.
fn withdrawn(progress: &Progress) -> Step {
    let standing = Standing::Withdrawn;
    Step::End { standing, ending: Ending::Canceled, result: result(progress, standing), branch: None }
}

/// What later nodes see: `{"outcome", "values", "submission", "decisions"}`. The values of those who approved in the last round, later ones
/// over earlier ones; those that the applicant handed in once more; and every answer, in the order in which they were given.
fn result(progress: &Progress, standing: Standing) -> Value {
    let mut answered: Vec<&TaskProgress> = progress.tasks.iter().filter(|task| task.action.is_some()).collect();
    answered.sort_by(|one, other| one.decided_at.cmp(&other.decided_at));
    let last = answered.iter().map(|task| task.round).max().unwrap_or(0);
    let merged = |of: &dyn Fn(&TaskProgress) -> bool| -> Map<String, Value> {
        answered.iter().filter(|task| of(task)).flat_map(|task| task.values.clone()).collect()
    };
    let values = merged(&|task| task.action == Some(TaskAction::Approve) && task.round == last);
    let submission = merged(&|task| task.action == Some(TaskAction::Resubmit));
    let decisions: Vec<Value> = answered
        .iter()
        .map(|task| {
            json!({
                "userId": task.user, "action": task.action, "round": task.round, "values": task.values,
                "comment": task.comment, "decidedAt": task.decided_at,
            })
        })
        .collect();
    json!({"outcome": standing, "values": values, "submission": submission, "decisions": decisions})
}

#[cfg(test)]
mod tests;
