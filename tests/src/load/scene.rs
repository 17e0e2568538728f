//! The collections and workflows that the load uses.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::Caller;
use crate::ledger::{Order, Promise};

/// What a workflow of the load is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// In the background, many nodes of many types.
    Long,
    /// In the background, waits for a moment.
    Delayed,
    /// In the background, without nodes.
    Empty,
    /// Before the answer.
    First,
    /// Before the answer, after other nodes.
    Second,
    /// Before the answer, which it turns into a refusal.
    Refusing,
    /// In the background, waits until somebody cancels it.
    Parked,
    /// In the background, waits until its time is over.
    Late,
    /// In the background, and soon forgotten.
    Fleeting,
}

impl Kind {
    /// Those that end by themselves.
    pub(crate) const ALONE: [Self; 6] =
        [Self::Long, Self::Delayed, Self::Empty, Self::First, Self::Second, Self::Refusing];

    /// Those, and what has to be cancelled, runs out of time or is deleted.
    pub(crate) const ALL: [Self; 9] = [
        Self::Long,
        Self::Delayed,
        Self::Empty,
        Self::First,
        Self::Second,
        Self::Refusing,
        Self::Parked,
        Self::Late,
        Self::Fleeting,
    ];

    pub(crate) fn is_sync(self) -> bool {
        matches!(self, Self::First | Self::Second | Self::Refusing)
    }

    /// The state in which its executions end.
    fn end(self) -> i64 {
        match self {
            Self::Long | Self::Delayed | Self::Empty | Self::First | Self::Second | Self::Fleeting => 1,
            Self::Refusing => -1,
            Self::Parked | Self::Late => -3,
        }
    }

    /// What the order of its executions decides: what waits holds nobody up.
    fn order(self) -> Order {
        match self {
            Self::Long | Self::Empty | Self::Fleeting => Order::Whole,
            Self::Delayed | Self::Parked | Self::Late => Order::Begin,
            Self::First | Self::Second | Self::Refusing => Order::Any,
        }
    }

    /// What it says about its executions.
    fn options(self) -> Value {
        match self {
            Self::Late => json!({"timeout": 300}),
            Self::Fleeting => json!({"keepExecutionsForMs": {"1": 1_000}}),
            Self::Long | Self::Delayed | Self::Empty | Self::First | Self::Second | Self::Refusing | Self::Parked => {
                json!({})
            }
        }
    }

    /// Its nodes, in a line.
    fn nodes(self) -> Vec<(&'static str, Value)> {
        let delay = |ms: u64| ("delay", json!({"duration": ms}));
        let calculation = || ("calculation", json!({"expression": "1 + 1"}));
        match self {
            Self::Long => vec![
                step("long-1"),
                calculation(),
                step("long-2"),
                ("query", json!({"collection": "items", "params": {"filter": {"mark": "{{$context.data.mark}}"}}})),
                ("condition", json!({"engine": "cel", "expression": "1 < 2"})),
                (
                    "update",
                    json!({"collection": "items", "params": {
                    "filter": {"mark": "{{$context.data.mark}}"}, "values": {"seen": 1}}}),
                ),
                step("long-3"),
                calculation(),
            ],
            Self::Delayed => vec![step("delayed-1"), delay(40), step("delayed-2"), delay(5), step("delayed-3")],
            Self::Empty => Vec::new(),
            Self::First => vec![step("first-1"), step("first-2")],
            Self::Second => vec![calculation(), step("second-1"), calculation()],
            Self::Refusing => vec![
                step("refusing-1"),
                ("response-message", json!({"message": "no"})),
                ("end", json!({"endStatus": -1})),
            ],
            Self::Parked => vec![step("parked-1"), delay(3_600_000)],
            Self::Late => vec![step("late-1"), delay(3_600_000)],
            Self::Fleeting => vec![step("fleeting-1"), calculation(), step("fleeting-2")],
        }
    }
}

/// Leaves a line in the log that names the execution and the node: twice there means run twice.
fn step(name: &'static str) -> (&'static str, Value) {
    ("create", json!({"collection": "logs", "params": {"values": {"mark": "{{$context.data.mark}}", "step": name}}}))
}

/// A workflow that actions can be bound to.
#[derive(Debug, Clone)]
pub(crate) struct Bound {
    pub(crate) id: i64,
    pub(crate) key: String,
    pub(crate) kind: Kind,
}

/// What was made on the server.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) workflows: Vec<Bound>,
}

impl Scene {
    pub(crate) async fn set_up(caller: &mut Caller, kinds: &[Kind]) -> Result<Self> {
        let text = |name: &str| json!({"type": "string", "name": name});
        let seen = json!({"type": "integer", "name": "seen", "defaultValue": 0});
        let items = json!({"name": "items", "fields": [{"type": "string", "name": "mark", "unique": true}, seen]});
        caller.done("collections:create", &items).await?;
        let logs = json!({"name": "logs", "fields": [text("mark"), text("step")]});
        caller.done("collections:create", &logs).await?;
        let mut workflows = Vec::new();
        for &kind in kinds {
            let values = json!({"title": format!("{kind:?}"), "type": "action", "sync": kind.is_sync(),
                "options": kind.options(), "config": {"collection": "items"}});
            let made = caller.done("workflows:create", &values).await?;
            let id = made["id"].as_i64().context("an id")?;
            let mut upstream = Value::Null;
            for (node_type, config) in kind.nodes() {
                let node = json!({"type": node_type, "config": config, "upstreamId": upstream});
                upstream = caller.done(&format!("workflows/{id}/nodes:create"), &node).await?["id"].take();
            }
            caller.done(&format!("workflows:update?filterByTk={id}"), &json!({"enabled": true})).await?;
            workflows.push(Bound { id, key: made["key"].as_str().context("a key")?.to_owned(), kind });
        }
        Ok(Self { workflows })
    }

    /// What each workflow promises, by its id.
    pub(crate) fn promises(&self) -> BTreeMap<i64, Promise> {
        self.workflows.iter().map(|bound| (bound.id, bound.kind.promise())).collect()
    }

    /// The workflows of a kind.
    pub(crate) fn of(&self, kind: Kind) -> impl Iterator<Item = &Bound> {
        self.workflows.iter().filter(move |bound| bound.kind == kind)
    }
}

impl Kind {
    fn promise(self) -> Promise {
        let nodes = self.nodes();
        let steps = nodes
            .iter()
            .filter_map(|(_, config)| config["params"]["values"]["step"].as_str().map(str::to_owned))
            .collect();
        let kept = self != Self::Fleeting;
        Promise { nodes: nodes.len(), steps, end: self.end(), kept, order: self.order() }
    }
}
