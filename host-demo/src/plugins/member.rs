//! One loaded plugin: what it offers, and how it is called. Snapshots share it; it goes when the last of them does.

use std::{path::PathBuf, sync::Arc, time::Instant};

use plugin_api::{
    ActionEvent, ActionHook as _, ClockAnswer, ClockQuestion, ClockWatch, ErrorKind, Plan, PluginError, RouteAnswer,
    RouteHandler as _, RouteRequest,
};
use serde_json::Value;

use super::{
    aside::aside,
    breaker::{Breaker, Change, Health},
    loader::Candidate,
    manifest::ManifestEntry,
};

/// Most firings of one plan: what one transaction may hold up the writer with.
pub(crate) const FIRINGS_MAX: usize = 10_000;

/// A loaded plugin.
pub(super) struct Member {
    pub(super) id: Arc<str>,
    /// What the manifest said when it was loaded.
    pub(super) entry: ManifestEntry,
    pub(super) candidate: Candidate,
    breaker: Breaker,
}

/// How something that a plugin offers is called.
struct Call<'a> {
    /// What is called.
    offer: &'a str,
    /// Whether it may answer that the caller is wrong, which is no fault of its own.
    refuses: bool,
    /// Whether a long time is a fault.
    is_timed: bool,
}

impl Member {
    pub(super) fn new(entry: ManifestEntry, candidate: Candidate) -> Self {
        let breaker = Breaker::new(entry.breaker);
        Self { id: candidate.id.as_str().into(), entry, candidate, breaker }
    }

    /// The JSON Schema of its settings.
    pub(super) fn settings_schema(&self) -> &Value {
        &self.candidate.settings_schema
    }

    /// The private copy of its library.
    pub(super) fn image(&self) -> &PathBuf {
        &self.candidate.image
    }

    pub(super) fn health(&self) -> Health {
        self.breaker.health()
    }

    /// Asks a hook for its decision.
    ///
    /// # Errors
    ///
    /// The hook's, logged and counted; [`ErrorKind::Unavailable`] while the plugin is out of service.
    pub(super) fn plan(&self, hook: usize, event: &ActionEvent<'_>) -> Result<Plan, PluginError> {
        let (_, hook) = &self.candidate.offered.hooks[hook];
        let call = Call {
            offer: "a hook",
            // Nobody configures a hook or answers it: there is no caller to blame.
            refuses: false,
            // Somebody who asks why gets an answer that may take long.
            is_timed: event.detail == plugin_api::Detail::Decision,
        };
        self.call(call, || hook.plan(event).and_then(bounded))
    }

    /// Asks a route about a request.
    ///
    /// # Errors
    ///
    /// Those of [`ask`](Self::ask).
    pub(super) fn answer(&self, route: usize, request: &RouteRequest<'_>) -> Result<RouteAnswer, PluginError> {
        let (name, route) = &self.candidate.offered.routes[route];
        self.ask(name, || route.answer(request))
    }

    /// Asks a clock which records a workflow waits with.
    ///
    /// # Errors
    ///
    /// Its own, logged and counted; [`ErrorKind::Unavailable`] while the plugin is out of service.
    pub(super) fn watch(&self, clock: usize, config: &Value) -> Result<Option<ClockWatch>, PluginError> {
        let (trigger, clock) = &self.candidate.offered.clocks[clock];
        self.keep_time(trigger, || clock.watch(config))
    }

    /// Asks a clock what is due.
    ///
    /// # Errors
    ///
    /// Those of [`watch`](Self::watch).
    pub(super) fn due(
        &self,
        clock: usize,
        config: &Value,
        question: &ClockQuestion,
    ) -> Result<ClockAnswer, PluginError> {
        let (trigger, clock) = &self.candidate.offered.clocks[clock];
        self.keep_time(trigger, || clock.due(config, question))
    }

    /// Asks a clock. The configuration was accepted before, so there is no caller to blame.
    fn keep_time<T>(&self, offer: &str, question: impl FnOnce() -> Result<T, PluginError>) -> Result<T, PluginError> {
        self.call(Call { offer, refuses: false, is_timed: true }, question)
    }

    /// Asks a node type or a route, by its name, something that it may refuse.
    ///
    /// # Errors
    ///
    /// Its own, logged and counted unless it is the caller's mistake; [`ErrorKind::Unavailable`] while the plugin is out of
    /// service.
    pub(super) fn ask<T>(
        &self,
        offer: &str,
        question: impl FnOnce() -> Result<T, PluginError>,
    ) -> Result<T, PluginError> {
        self.call(Call { offer, refuses: true, is_timed: true }, question)
    }

    fn call<T>(
        &self,
        Call { offer, refuses, is_timed }: Call<'_>,
        question: impl FnOnce() -> Result<T, PluginError>,
    ) -> Result<T, PluginError> {
        let begun = Instant::now();
        let Some(pass) = self.breaker.pass(begun) else {
            return Err(PluginError::unavailable("out of service after too many faults"));
        };
        let result = aside(question);
        let ended = Instant::now();
        let took = ended - begun;
        let change = match &result {
            Err(error) if !(refuses && error.kind == ErrorKind::Invalid) => {
                self.count(error);
                tracing::error!(plugin = &*self.id, offer, %error, "a call failed");
                self.breaker.fault(pass, &error.message, ended)
            }
            _ if is_timed && self.breaker.settings().is_slow(took) => {
                let milliseconds = took.as_millis();
                self.count(&PluginError::fault("slow"));
                tracing::error!(plugin = &*self.id, offer, milliseconds, "a call took too long; others waited for it");
                self.breaker.fault(pass, &format!("{offer} took {milliseconds} ms"), ended)
            }
            _ => self.breaker.success(pass),
        };
        self.tell(change);
        result
    }

    /// Takes note of what a trigger's call answered. What the caller did wrong is the caller's to know; the rest is the
    /// operator's, and what is the plugin's own fault counts against it.
    pub(super) fn note(&self, trigger: &str, error: &PluginError) {
        if error.kind == ErrorKind::Invalid {
            return;
        }
        self.count(error);
        tracing::error!(plugin = &*self.id, trigger, %error, "a trigger failed");
        if error.kind != ErrorKind::Unavailable {
            let change = self.breaker.fault(super::breaker::Pass::Normal, &error.message, Instant::now());
            self.tell(change);
        }
    }

    /// Puts it back in service if it was taken out of it.
    pub(super) fn restore(&self) {
        if self.breaker.close() {
            tracing::info!(plugin = &*self.id, "plugin put back in service");
        }
    }

    fn tell(&self, change: Option<Change>) {
        match change {
            None => {}
            Some(Change::Closed) => tracing::info!(plugin = &*self.id, "plugin works again, back in service"),
            Some(Change::Opened) => {
                let cooldown_seconds = self.breaker.settings().cooldown_seconds;
                let faults = self.health().faults;
                tracing::error!(plugin = &*self.id, faults, cooldown_seconds, "plugin taken out of service");
            }
        }
    }

    /// Counts a call that failed; the plugins of a manifest are few.
    fn count(&self, error: &PluginError) {
        let kind = match error.kind {
            ErrorKind::Invalid => "invalid",
            ErrorKind::Unavailable => "unavailable",
            // Plugins of later versions may know more kinds.
            _ => "fault",
        };
        metrics::counter!("plugin_faults_total", "plugin" => self.id.to_string(), "kind" => kind).increment(1);
    }
}

/// A plan that starts more than an action may is at fault as a whole.
fn bounded(plan: Plan) -> Result<Plan, PluginError> {
    match plan.firings.len() {
        0..=FIRINGS_MAX => Ok(plan),
        firings => Err(PluginError::fault(format!("the plan has {firings} firings, and {FIRINGS_MAX} is the most"))),
    }
}
