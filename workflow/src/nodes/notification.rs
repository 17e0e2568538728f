//! `notification`: tells people something, inside the application and by mail.
//!
//! Mail goes out first; then what is told inside is stored together with the job. So a job that says that people were told is
//! right, and a run that is repeated after a crash sends its mail again under the same message ids.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use store::{JobStatus, Record, WriteOptions};

use super::{
    Effect, NodeError, NodeResult, NodeType, Run,
    lenient::Text,
    people::{self, Person, Users},
};
use crate::{
    expression::Expressions,
    outside::mail::{Letter, MailError},
};

/// Tells people. The job's result is `{"inApp", "mailed", "withoutAddress"}`: lists of ids of users.
pub(super) struct Notification;

/// Tells users something, inside the application or by mail.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Config {
    /// Who is told: ids of users, or variables that lead to ids or users.
    #[serde(default)]
    #[schemars(title = "Receivers")]
    receivers: Users,
    /// Names of roles: all users that have one of them are told too.
    #[serde(default)]
    #[schemars(title = "Roles")]
    roles: Vec<String>,
    /// In a few words; the subject of a mail.
    #[schemars(title = "Title")]
    title: Text,
    /// In more.
    #[serde(default)]
    #[schemars(title = "Content")]
    content: Text,
    /// The ways on which they are told.
    #[serde(default = "in_app")]
    #[schemars(title = "Channels", length(min = 1))]
    channels: Vec<Channel>,
    /// Goes on if mail cannot be sent.
    #[serde(default)]
    #[schemars(title = "Go on without mail")]
    ignore_fail: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
enum Channel {
    InApp,
    Email,
}

fn in_app() -> Vec<Channel> {
    vec![Channel::InApp]
}

/// What became of the mail.
#[derive(Default)]
struct Mailed {
    to: Vec<i64>,
    without_address: Vec<i64>,
    failure: Option<String>,
}

impl NodeType for Notification {
    const NAME: &'static str = "notification";

    type Config = Config;

    fn check(config: &Value, _: &Expressions) -> Result<(), String> {
        if people::are_named(config, "receivers") {
            Ok(())
        } else {
            Err("\"receivers\" or \"roles\" is required".to_owned())
        }
    }

    /// Unless it may send mail.
    fn runs_within(config: &Value) -> bool {
        match config.get("channels") {
            None => true,
            Some(Value::Array(channels)) => channels.iter().all(|channel| channel == "in-app"),
            Some(_) => false,
        }
    }

    async fn run(config: Config, run: &Run<'_>) -> Result<Effect, NodeError> {
        let people = people::find(&mut *run.reader.read().await?, &config.receivers, &config.roles).await?;
        let mailed = if config.channels.contains(&Channel::Email) {
            config.mail(&people, run).await?
        } else {
            Mailed::default()
        };
        if let (Some(failure), false) = (&mailed.failure, config.ignore_fail) {
            let result = json!({"message": failure, "mailed": mailed.to});
            return Ok(Effect::Done(NodeResult::ended(JobStatus::Failed, result)));
        }
        let in_app = if config.channels.contains(&Channel::InApp) { people } else { Vec::new() };
        Ok(Effect::write(move |tx| {
            Box::pin(async move {
                let notifications = tx.schema().collection("notifications")?.clone();
                for person in &in_app {
                    let mut values = Record::new();
                    values.insert("userId".into(), person.id.0.into());
                    values.insert("title".into(), config.title.0.clone().into());
                    values.insert("content".into(), config.content.0.clone().into());
                    tx.create(&notifications, values, &WriteOptions::default()).await?;
                }
                let told: Vec<i64> = in_app.iter().map(|person| person.id.0).collect();
                let mut result = json!({"inApp": told, "mailed": mailed.to, "withoutAddress": mailed.without_address});
                if let Some(failure) = mailed.failure {
                    result["message"] = failure.into();
                }
                Ok(NodeResult::resolved(result))
            })
        }))
    }
}

impl Config {
    /// Sends a message of their own to each who has an address, until one cannot be sent because of the server.
    async fn mail(&self, people: &[Person], run: &Run<'_>) -> Result<Mailed, NodeError> {
        let mut mailed = Mailed::default();
        let Some(server) = &run.outside.mail else {
            let missing = "mail cannot be sent: the server was started without --smtp-url";
            if self.ignore_fail {
                return Ok(Mailed { failure: Some(missing.into()), ..mailed });
            }
            return Err(NodeError::Refused(missing.into()));
        };
        for person in people {
            let Some(address) = &person.email else {
                mailed.without_address.push(person.id.0);
                continue;
            };
            let id = format!("{}-u{}", run.idempotency_key(), person.id);
            let letter = Letter { to: address, subject: &self.title.0, text: &self.content.0, id: &id };
            match server.send(&letter).await {
                Ok(()) => mailed.to.push(person.id.0),
                // What a user has written as theirs is no address; others can still be told.
                Err(MailError::Address { .. }) => mailed.without_address.push(person.id.0),
                Err(error @ (MailError::Server(_) | MailError::Message(_) | MailError::Refused(_))) => {
                    mailed.failure = Some(error.to_string());
                    break;
                }
            }
        }
        Ok(mailed)
    }
}
