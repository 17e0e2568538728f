//! A job of a node type: the scripted host looks people up, keeps their tasks, and asks the node what is next.

use std::{collections::BTreeMap, sync::Arc};

use plugin_api::{Ask, Ending, People, PluginError, Progress, Standing, Step, TaskAction, TaskProgress, UserId};
use plugin_loader::{NodeType, Offered};
use serde_json::{Map, Value};

use crate::inside::calling;

/// A node that an execution comes to.
#[derive(Debug, Clone)]
pub struct NodeStart {
    pub(crate) node: String,
    config: Value,
    applicant: Option<UserId>,
    roles: BTreeMap<String, Vec<UserId>>,
}

impl NodeStart {
    /// A node of this type with this configuration, whose variables are resolved, in an execution that no user has started.
    pub fn new(node: &str, config: Value) -> Self {
        Self { node: node.to_owned(), config, applicant: None, roles: BTreeMap::new() }
    }

    /// In an execution that this user has started.
    #[must_use]
    pub fn by(mut self, applicant: UserId) -> Self {
        self.applicant = Some(applicant);
        self
    }

    /// Gives users a role.
    #[must_use]
    pub fn role(mut self, name: &str, users: impl IntoIterator<Item = UserId>) -> Self {
        self.roles.entry(name.to_owned()).or_default().extend(users);
        self
    }

    /// Who is meant, each once: users first, then those who have the roles.
    fn resolve(&self, people: &People) -> Result<Vec<UserId>, PluginError> {
        let mut found = Vec::new();
        collect(&people.users, &mut found)?;
        found.extend(people.roles.iter().filter_map(|role| self.roles.get(role)).flatten());
        let mut once: Vec<UserId> = Vec::new();
        for user in found {
            if !once.contains(&user) {
                once.push(user);
            }
        }
        if once.is_empty() {
            return Err(PluginError::invalid("there is nobody to give it to: no user is named"));
        }
        Ok(once)
    }
}

/// Ids, records with an `id`, or lists of these.
fn collect(value: &Value, users: &mut Vec<UserId>) -> Result<(), PluginError> {
    let id = match value {
        Value::Null => return Ok(()),
        Value::Array(items) => return items.iter().try_for_each(|item| collect(item, users)),
        Value::Object(record) => record.get("id").and_then(Value::as_i64),
        Value::String(text) if text.trim().is_empty() => return Ok(()),
        Value::String(text) => text.trim().parse().ok(),
        Value::Number(number) => number.as_i64(),
        Value::Bool(_) => None,
    };
    users.push(UserId(id.ok_or_else(|| PluginError::invalid(format!("{value} is no id of a user")))?));
    Ok(())
}

/// What somebody says to a task.
#[derive(Debug, Clone)]
pub struct Answer {
    action: TaskAction,
    values: Map<String, Value>,
    comment: Option<String>,
}

impl Answer {
    /// With the values of the form.
    ///
    /// # Panics
    ///
    /// They are no object.
    #[must_use]
    #[track_caller]
    pub fn values(mut self, values: Value) -> Self {
        let Value::Object(values) = values else { panic!("the values of a form are an object, not {values}") };
        self.values = values;
        self
    }

    /// With a comment.
    #[must_use]
    pub fn comment(mut self, comment: &str) -> Self {
        self.comment = Some(comment.to_owned());
        self
    }
}

impl From<TaskAction> for Answer {
    fn from(action: TaskAction) -> Self {
        Self { action, values: Map::new(), comment: None }
    }
}

/// How a node has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeEnd {
    /// How its job ends.
    pub ending: Ending,
    /// Its result.
    pub result: Value,
    /// The branch that follows.
    pub branch: Option<i64>,
}

/// A job of a node type of the plugin: it has begun, people answer it, and at some time it ends. What the plugin makes of an answer
/// counts as a whole or, if it fails, not at all.
pub struct NodeJob {
    offered: Arc<Offered>,
    index: usize,
    config: Value,
    state: State,
}

#[derive(Debug, Clone)]
struct State {
    progress: Progress,
    /// What each task asks, as long as the tasks.
    asks: Vec<Ask>,
    standing: Standing,
    end: Option<NodeEnd>,
}

impl NodeJob {
    pub(crate) fn begin(offered: &Arc<Offered>, index: usize, start: &NodeStart) -> Result<Self, PluginError> {
        let node = &offered.nodes[index].node;
        let people = calling(|| {
            node.check(&start.config)?;
            node.people(&start.config)
        })?;
        let progress = Progress {
            people: start.resolve(&people)?,
            applicant: start.applicant,
            tasks: Vec::new(),
            withdraws: false,
        };
        let mut state = State { progress, asks: Vec::new(), standing: Standing::Pending, end: None };
        state.ask(node, &start.config)?;
        Ok(Self { offered: Arc::clone(offered), index, config: start.config.clone(), state })
    }

    /// The users who are asked now, in the order in which they got their tasks.
    pub fn asked(&self) -> Vec<UserId> {
        self.state.progress.tasks.iter().filter(|task| is_open(task)).map(|task| task.user).collect()
    }

    /// What a user is asked now.
    pub fn task(&self, user: UserId) -> Option<&Ask> {
        self.state.open(user).map(|index| &self.state.asks[index])
    }

    /// All tasks so far, as the plugin sees them.
    pub fn tasks(&self) -> &[TaskProgress] {
        &self.state.progress.tasks
    }

    /// What the application has come to.
    pub fn standing(&self) -> Standing {
        self.state.standing
    }

    /// How it has ended, if it has.
    pub fn end(&self) -> Option<&NodeEnd> {
        self.state.end.as_ref()
    }

    /// Lets a user answer: `job.answer(ann, TaskAction::Approve)`, or an [`Answer`] with values and a comment.
    ///
    /// # Errors
    ///
    /// The user has no open task, it cannot be answered so, or the plugin does not take the answer. Nothing has changed then.
    pub fn answer(&mut self, user: UserId, answer: impl Into<Answer>) -> Result<(), PluginError> {
        let answer = answer.into();
        let mut next = self.state.clone();
        let index = next.task_with(user, answer.action)?;
        if answer.action == TaskAction::Delegate {
            return Err(PluginError::invalid("a task is delegated to somebody"));
        }
        let order = next.progress.tasks.iter().filter(|task| task.decided_at.is_some()).count();
        let task = &mut next.progress.tasks[index];
        task.action = Some(answer.action);
        task.values = answer.values;
        task.comment = answer.comment;
        // One a minute.
        task.decided_at = Some(format!("2000-01-01T{:02}:{:02}:00.000Z", order / 60 % 24, order % 60));
        next.ask(self.node(), &self.config)?;
        self.state = next;
        Ok(())
    }

    /// Lets a user give their task to another one. The plugin is not asked.
    ///
    /// # Errors
    ///
    /// The user has no open task that can be delegated, or the other one is asked already.
    pub fn delegate(&mut self, user: UserId, to: UserId) -> Result<(), PluginError> {
        let index = self.state.task_with(user, TaskAction::Delegate)?;
        let round = self.state.progress.tasks[index].round;
        if self.state.progress.tasks.iter().any(|task| task.user == to && task.round == round) {
            return Err(PluginError::invalid(format!("the user {} is asked already", to.0)));
        }
        self.state.progress.tasks[index].user = to;
        Ok(())
    }

    /// Lets the applicant take the application back.
    ///
    /// # Errors
    ///
    /// There is no applicant, it is over, or the plugin does not let it end. Nothing has changed then.
    pub fn withdraw(&mut self) -> Result<(), PluginError> {
        if self.state.progress.applicant.is_none() {
            return Err(PluginError::invalid("nobody has applied"));
        }
        let mut next = self.state.clone();
        next.check_open()?;
        next.progress.withdraws = true;
        next.ask(self.node(), &self.config)?;
        if next.end.is_none() {
            return Err(PluginError::fault("the node goes on asking for what was withdrawn"));
        }
        self.state = next;
        Ok(())
    }

    fn node(&self) -> &NodeType {
        &self.offered.nodes[self.index].node
    }
}

impl State {
    fn open(&self, user: UserId) -> Option<usize> {
        self.progress.tasks.iter().position(|task| task.user == user && is_open(task))
    }

    fn check_open(&self) -> Result<(), PluginError> {
        if self.end.is_some() { Err(PluginError::invalid("the node has ended")) } else { Ok(()) }
    }

    fn task_with(&self, user: UserId, action: TaskAction) -> Result<usize, PluginError> {
        self.check_open()?;
        let index = self.open(user);
        let index = index.ok_or_else(|| PluginError::invalid(format!("the user {} has no open task", user.0)))?;
        let actions = &self.asks[index].actions;
        if actions.contains(&action) {
            Ok(index)
        } else {
            Err(PluginError::invalid(format!("\"action\" must be one of {actions:?}")))
        }
    }

    /// Asks the node what is next, and does it.
    fn ask(&mut self, node: &NodeType, config: &Value) -> Result<(), PluginError> {
        match calling(|| node.step(config, &self.progress))? {
            Step::Wait { standing, close, ask } => {
                self.standing = standing;
                if close {
                    self.close();
                }
                ask.into_iter().try_for_each(|ask| self.give(&ask))?;
                if !self.progress.tasks.iter().any(is_open) {
                    return Err(PluginError::fault("the node waits, and nobody is asked"));
                }
            }
            Step::End { standing, ending, result, branch } => {
                if !result.is_object() {
                    return Err(PluginError::fault("the node ends with a result that is no object"));
                }
                self.standing = standing;
                self.close();
                self.end = Some(NodeEnd { ending, result, branch });
            }
        }
        Ok(())
    }

    fn give(&mut self, ask: &Ask) -> Result<(), PluginError> {
        if ask.actions.is_empty() {
            return Err(PluginError::fault("the node gives a task that cannot be answered"));
        }
        for &user in &ask.users {
            self.progress.tasks.push(TaskProgress {
                user,
                round: ask.round,
                action: None,
                closed: false,
                values: Map::new(),
                comment: None,
                decided_at: None,
            });
            self.asks.push(ask.clone());
        }
        Ok(())
    }

    fn close(&mut self) {
        for task in self.progress.tasks.iter_mut().filter(|task| is_open(task)) {
            task.closed = true;
        }
    }
}

fn is_open(task: &TaskProgress) -> bool {
    task.action.is_none() && !task.closed
}
