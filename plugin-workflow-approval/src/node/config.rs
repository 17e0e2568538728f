//! What people configure. Where text or a number is expected, a variable may bring the other one.

use plugin_api::{PluginError, watch::fields};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::{Map, Value, json};

use crate::locales;

/// Asks people to approve, and waits for their decision.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "Approval")]
pub struct Config {
    /// Who decides: ids of users, or variables that lead to ids or users. With the mode "sequential", in this order.
    #[serde(default)]
    #[schemars(schema_with = "assignees")]
    pub assignees: Value,
    /// Names of roles: all users that have one of them decide too, after those named.
    #[serde(default)]
    #[schemars(schema_with = "roles")]
    pub roles: Vec<String>,
    /// What it is about, in a few words.
    #[serde(deserialize_with = "text")]
    #[schemars(schema_with = "title")]
    pub title: String,
    /// What it is about, in more.
    #[serde(default, deserialize_with = "text")]
    #[schemars(schema_with = "description")]
    pub description: String,
    /// The JSON Schema of the values that come with an approval, and with handing in once more; anything by default.
    #[serde(default, deserialize_with = "object")]
    #[schemars(schema_with = "form")]
    pub form: Map<String, Value>,
    /// What an assignee may do.
    #[serde(default = "usual_actions")]
    #[schemars(schema_with = "actions")]
    pub actions: Vec<Action>,
    /// Whose decisions decide: the first one, everybody's, those of a share, or everybody's one after the other.
    #[serde(default)]
    #[schemars(schema_with = "mode")]
    pub mode: Mode,
    /// With the mode "share": how many of a hundred have to approve.
    #[serde(default, deserialize_with = "amount")]
    #[schemars(schema_with = "percent")]
    pub percent: Option<f64>,
    /// With the mode "share": how many have to approve.
    #[serde(default, deserialize_with = "amount")]
    #[schemars(schema_with = "count")]
    pub count: Option<f64>,
    /// Whether a rejection ends the execution, or each outcome has a branch.
    #[serde(default)]
    #[schemars(schema_with = "outcome")]
    pub outcome: Outcome,
    /// Whether what is returned goes back to the applicant, or the workflow goes on with the branch for it.
    #[serde(default)]
    #[schemars(schema_with = "on_return")]
    pub on_return: OnReturn,
    /// Who is asked again after a return: the applicant alone, those of the approval before, or of any that led here.
    #[serde(default)]
    #[schemars(schema_with = "return_to")]
    pub return_to: ReturnTo,
    /// When the applicant may withdraw.
    #[serde(default)]
    #[schemars(schema_with = "withdraw")]
    pub withdraw: Withdraw,
}

/// What an assignee may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Say yes.
    Approve,
    /// Say no.
    Reject,
    /// Send it back.
    Return,
    /// Let somebody else answer.
    Delegate,
}

/// Whose decisions decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The first one.
    #[default]
    Any,
    /// Everybody's.
    All,
    /// Those of a share.
    Share,
    /// Everybody's, one after the other.
    Sequential,
}

/// What follows from the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The workflow goes on, or ends as rejected.
    #[default]
    Direct,
    /// Each has its branch.
    Branch,
}

/// Where a returned application goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnReturn {
    /// To the applicant, who may hand it in once more.
    #[default]
    Applicant,
    /// Into the branch for it.
    Continue,
}

/// How far back a return goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReturnTo {
    /// To the start: see [`OnReturn`].
    #[default]
    Start,
    /// To the approval before; to the start, if there is none.
    Previous,
    /// To the approval that the answer names; to the start, if it names none.
    Any,
}

/// When the applicant may withdraw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Withdraw {
    /// While nobody has decided.
    #[default]
    Undecided,
    /// As long as it is open.
    Always,
    /// Never.
    Never,
}

/// Checks what the schema cannot say, of a configuration whose variables are not resolved.
pub(super) fn check(config: &Value) -> Result<(), PluginError> {
    let given = |name: &str| match config.get(name) {
        None | Some(Value::Null) => false,
        Some(Value::Array(items)) => !items.is_empty(),
        Some(Value::String(text)) => !text.is_empty(),
        Some(_) => true,
    };
    let refused = |message: &str| Err(PluginError::invalid(message));
    if !given("assignees") && !given("roles") {
        return refused("\"assignees\" or \"roles\" is required");
    }
    let is = |name: &str, value: &str| config.get(name) == Some(&json!(value));
    if is("mode", "share") && given("percent") == given("count") {
        return refused("the mode \"share\" needs either \"percent\" or \"count\"");
    }
    let actions = config.get("actions").and_then(Value::as_array);
    if actions.is_some_and(|actions| !actions.contains(&json!("approve"))) {
        return refused("\"actions\" has to hold \"approve\"");
    }
    if is("onReturn", "continue") && !is("outcome", "branch") {
        return refused("\"onReturn\" can be \"continue\" only if \"outcome\" is \"branch\"");
    }
    Ok(())
}

fn usual_actions() -> Vec<Action> {
    vec![Action::Approve, Action::Reject, Action::Return]
}

fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Null => String::new(),
        Value::String(text) => text,
        other => other.to_string(),
    })
}

fn amount<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let number = match Value::deserialize(deserializer)? {
        Value::Null => return Ok(None),
        Value::Number(number) => number.as_f64(),
        Value::String(text) if text.trim().is_empty() => return Ok(None),
        Value::String(text) => text.trim().parse().ok(),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    number.map(Some).ok_or_else(|| D::Error::custom("a share must be a number"))
}

fn object<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Map<String, Value>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn assignees(_: &mut SchemaGenerator) -> Schema {
    let schema =
        json_schema!({"type": ["array", "integer", "string", "object", "null"], "default": null, "x-selector": "user"});
    fields::titled(&locales::ASSIGNEES, schema)
}

fn roles(_: &mut SchemaGenerator) -> Schema {
    let schema = json_schema!({"type": "array", "items": {"type": "string"}, "default": [], "x-selector": "role"});
    fields::titled(&locales::ROLES, schema)
}

fn title(_: &mut SchemaGenerator) -> Schema {
    fields::titled(&locales::TASK_TITLE, json_schema!({"type": "string"}))
}

fn description(_: &mut SchemaGenerator) -> Schema {
    fields::titled(&locales::TASK_DESCRIPTION, json_schema!({"type": "string", "default": ""}))
}

fn form(_: &mut SchemaGenerator) -> Schema {
    fields::titled(&locales::FORM, json_schema!({"type": ["object", "null"], "default": {}}))
}

fn actions(_: &mut SchemaGenerator) -> Schema {
    let schema = json_schema!({
        "type": "array",
        "items": {"enum": ["approve", "reject", "return", "delegate"]},
        "uniqueItems": true,
        "default": ["approve", "reject", "return"],
    });
    fields::titled(&locales::ACTIONS, schema)
}

fn mode(_: &mut SchemaGenerator) -> Schema {
    fields::titled(&locales::MODE, json_schema!({"enum": ["any", "all", "share", "sequential"], "default": "any"}))
}

fn percent(_: &mut SchemaGenerator) -> Schema {
    let schema = json_schema!({
        "type": ["number", "null"], "exclusiveMinimum": 0, "maximum": 100, "default": null, "x-visible-if": {"mode": "share"},
    });
    fields::titled(&locales::PERCENT, schema)
}

fn count(_: &mut SchemaGenerator) -> Schema {
    let schema = json_schema!({
        "type": ["integer", "null"], "minimum": 1, "default": null, "x-visible-if": {"mode": "share"},
    });
    fields::titled(&locales::COUNT, schema)
}

fn outcome(_: &mut SchemaGenerator) -> Schema {
    fields::titled(&locales::OUTCOME, json_schema!({"enum": ["direct", "branch"], "default": "direct"}))
}

fn on_return(_: &mut SchemaGenerator) -> Schema {
    fields::titled(&locales::ON_RETURN, json_schema!({"enum": ["applicant", "continue"], "default": "applicant"}))
}

fn return_to(_: &mut SchemaGenerator) -> Schema {
    fields::titled(&locales::RETURN_TO, json_schema!({"enum": ["start", "previous", "any"], "default": "start"}))
}

fn withdraw(_: &mut SchemaGenerator) -> Schema {
    fields::titled(&locales::WITHDRAW, json_schema!({"enum": ["undecided", "always", "never"], "default": "undecided"}))
}

#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "`json!` at the call reads best without a borrow")]
mod tests {
    use super::*;

    #[track_caller]
    fn checked(config: Value, want: &str) {
        let got = check(&config).err().map(|error| error.message).unwrap_or_default();
        assert_eq!(got, want, "{config}");
    }

    #[test]
    fn mistakes_are_told_in_one_sentence() {
        checked(json!({"assignees": [1]}), "");
        checked(json!({"roles": ["boss"]}), "");
        checked(json!({"assignees": "{{$context.data.boss}}"}), "");
        checked(json!({"assignees": []}), "\"assignees\" or \"roles\" is required");
        let share = "the mode \"share\" needs either \"percent\" or \"count\"";
        checked(json!({"assignees": [1], "mode": "share"}), share);
        checked(json!({"assignees": [1], "mode": "share", "percent": 1, "count": 1}), share);
        checked(json!({"assignees": [1], "actions": ["reject"]}), "\"actions\" has to hold \"approve\"");
        let goes_on = "\"onReturn\" can be \"continue\" only if \"outcome\" is \"branch\"";
        checked(json!({"assignees": [1], "onReturn": "continue"}), goes_on);
        checked(json!({"assignees": [1], "onReturn": "continue", "outcome": "branch"}), "");
    }

    #[test]
    fn variables_bring_what_they_bring() {
        let config = json!({"title": 7, "description": null, "form": null, "mode": "share", "percent": " 50 "});
        let config: Config = serde_json::from_value(config).expect("a configuration");
        assert_eq!((config.title.as_str(), config.description.as_str(), config.percent), ("7", "", Some(50.0)));
        assert!(serde_json::from_value::<Config>(json!({"title": "t", "percent": "half"})).is_err());
        assert!(serde_json::from_value::<Config>(json!({})).is_err(), "a title is needed");
    }
}
