//! Callers that keep a server busy over HTTP, whatever happens to it.

mod caller;
mod scene;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::ledger::{Action, Ledger};
pub(crate) use caller::{Address, Caller, Reply};
use scene::Bound;
pub(crate) use scene::{Kind, Scene};

/// Callers at work.
pub(crate) struct Load {
    stop: CancellationToken,
    callers: JoinSet<Ledger>,
    scene: Arc<Scene>,
}

/// How the load is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) callers: usize,
    pub(crate) seed: u64,
    /// Records in a bulk action at most.
    pub(crate) bulk: usize,
    /// How long an answer may take, if that is of interest.
    pub(crate) answered_within: Option<Duration>,
}

impl Load {
    /// Makes the collections and workflows on fresh servers.
    pub(crate) async fn prepare(address: Address, kinds: &[Kind]) -> Result<(Self, Caller)> {
        let mut caller = Caller::sign_in(address).await?;
        let scene = Scene::set_up(&mut caller, kinds).await.context("the scene is not set up")?;
        let load = Self { stop: CancellationToken::new(), callers: JoinSet::new(), scene: Arc::new(scene) };
        Ok((load, caller))
    }

    pub(crate) fn scene(&self) -> Arc<Scene> {
        Arc::clone(&self.scene)
    }

    /// Sets the callers to work.
    pub(crate) fn start(&mut self, caller: &Caller, shape: Shape) {
        for number in 0..shape.callers {
            let random = StdRng::seed_from_u64(shape.seed.wrapping_add(number as u64 + 1));
            let worker = Worker {
                caller: caller.clone(),
                scene: Arc::clone(&self.scene),
                random,
                bulk: shape.bulk,
                answered_within: shape.answered_within,
                name: format!("c{number}"),
                marks: 0,
                items: Vec::new(),
                ledger: Ledger::default(),
            };
            self.callers.spawn(worker.work(self.stop.clone()));
        }
    }

    /// Lets each caller finish its action, for which the server has to be there; answers what all of them have asked.
    pub(crate) async fn finish(mut self) -> Result<Ledger> {
        self.stop.cancel();
        let mut ledger = Ledger { promises: self.scene.promises(), ..Ledger::default() };
        while let Some(one) = self.callers.join_next().await {
            ledger.absorb(one.context("a caller failed")?);
        }
        Ok(ledger)
    }
}

/// One caller with its own sequence of actions.
struct Worker {
    caller: Caller,
    scene: Arc<Scene>,
    random: StdRng,
    bulk: usize,
    answered_within: Option<Duration>,
    name: String,
    marks: u64,
    /// Keys of records that this caller has made, for updates.
    items: Vec<i64>,
    ledger: Ledger,
}

impl Worker {
    async fn work(mut self, stop: CancellationToken) -> Ledger {
        while !stop.is_cancelled() {
            match self.random.random_range(0..10) {
                0..6 => self.create().await,
                6..8 => self.create_many().await,
                _ => self.update().await,
            }
        }
        self.ledger
    }

    async fn create(&mut self) {
        let bound = self.choose(|_| true);
        let mark = self.mark();
        let path = format!("items:create?triggerWorkflows={}", keys(&bound));
        self.act(&path, json!({"mark": mark}), expected(&bound, &[mark]), refused(&bound)).await;
    }

    async fn create_many(&mut self) {
        let bound = self.choose(|kind| kind != Kind::Refusing);
        let marks: Vec<String> = (0..self.random.random_range(2..=self.bulk)).map(|_| self.mark()).collect();
        let items: Value = marks.iter().map(|mark| json!({"mark": mark})).collect();
        let path = format!("items:create?triggerWorkflows={}", keys(&bound));
        self.act(&path, items, expected(&bound, &marks), false).await;
    }

    async fn update(&mut self) {
        if self.items.is_empty() {
            return self.create().await;
        }
        let item = self.items[self.random.random_range(0..self.items.len())];
        let bound = self.choose(|_| true);
        let mark = self.mark();
        let path = format!("items:update?filterByTk={item}&triggerWorkflows={}", keys(&bound));
        self.act(&path, json!({"mark": mark}), expected(&bound, &[mark]), refused(&bound)).await;
    }

    async fn act(&mut self, path: &str, body: Value, executions: Vec<(i64, String)>, refused: bool) {
        let asked = Instant::now();
        let reply = self.caller.post(path, &body).await;
        if let Some(most) = self.answered_within.filter(|most| asked.elapsed() > *most) {
            self.ledger.surprises.push(format!("late: {path} took {:?}, {most:?} is the most", asked.elapsed()));
        }
        let acknowledged = match reply {
            Reply::Answered { status: 200, body } if !refused => {
                self.items.extend(body["data"]["id"].as_i64());
                true
            }
            // The verdict of the workflow that refuses; the action itself has succeeded.
            Reply::Answered { status: 400, body } if refused && body["errors"][0].get("code").is_none() => true,
            // Cut off while it stopped: whether it is stored is not said.
            Reply::Answered { status: 500 | 503, .. } | Reply::Broken => false,
            Reply::Answered { status, body } => {
                self.ledger.surprises.push(format!("surprise: {path} is answered with {status} {body}"));
                false
            }
        };
        self.ledger.actions.push(Action { executions, acknowledged });
    }

    fn mark(&mut self) -> String {
        self.marks += 1;
        format!("{}-{:06}", self.name, self.marks)
    }

    /// One to three of the workflows that `may` be bound, in any order.
    fn choose(&mut self, may: impl Fn(Kind) -> bool) -> Vec<Bound> {
        let mut bound: Vec<Bound> = self.scene.workflows.iter().filter(|bound| may(bound.kind)).cloned().collect();
        bound.shuffle(&mut self.random);
        bound.truncate(self.random.random_range(1..=3));
        bound
    }
}

fn keys(bound: &[Bound]) -> String {
    bound.iter().map(|bound| bound.key.as_str()).collect::<Vec<_>>().join(",")
}

fn refused(bound: &[Bound]) -> bool {
    bound.iter().any(|bound| bound.kind == Kind::Refusing)
}

/// The executions of an action that succeeds: synchronous ones as far as none refuses, then those in the background.
fn expected(bound: &[Bound], marks: &[String]) -> Vec<(i64, String)> {
    let mut reached: Vec<&Bound> = bound.iter().filter(|bound| bound.kind.is_sync()).collect();
    match reached.iter().position(|bound| bound.kind == Kind::Refusing) {
        Some(refusing) => reached.truncate(refusing + 1),
        None => reached.extend(bound.iter().filter(|bound| !bound.kind.is_sync())),
    }
    reached.iter().flat_map(|bound| marks.iter().map(|mark| (bound.id, mark.clone()))).collect()
}
