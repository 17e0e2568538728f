//! Calls the host where a plugin must not, and writes down what comes of it.

use std::{fs::OpenOptions, io::Write as _, thread};

use plugin_api::{CollectionRef, Host, PluginError, ReadRecord, ReadRecords, StartWorkflow, WorkflowId};
use serde_json::Value;

use crate::settings::{Place, Settings};

/// The settings, with the host to misuse.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) settings: Settings,
    host: Host,
}

impl Caller {
    pub(crate) fn new(settings: Settings, host: Host) -> Self {
        Self { settings, host }
    }

    /// Does what is to be done at an entry point.
    pub(crate) fn reach(&self, place: Place) {
        if self.settings.calls.contains(&place) {
            self.call_everything(&format!("{place:?}"));
        }
        let wrong =
            self.settings.panics.contains(&place) && self.settings.panics_while.as_ref().is_none_or(|it| it.exists());
        assert!(!wrong, "as told in {place:?}");
    }

    /// Starts the threads that nobody waits for.
    pub(crate) fn start_threads(&self) {
        for number in 0..self.settings.threads {
            let caller = self.clone();
            thread::spawn(move || caller.call_until_the_end(number));
        }
    }

    /// Has another thread call, and waits for it.
    pub(crate) fn wait_for_a_thread(&self, workflow: WorkflowId) {
        let caller = self.clone();
        let thread = thread::spawn(move || caller.host.start_workflow(StartWorkflow::new(workflow, Value::Null)));
        let said = thread.join().map_or_else(|_| "panicked".to_owned(), |result| said(&result));
        self.write("thread of a hook", &[said]);
    }

    fn call_everything(&self, place: &str) -> Vec<String> {
        let users = CollectionRef::parse("users");
        let outcomes = vec![
            said(&self.host.record(ReadRecord::new(users.clone(), 1))),
            said(&self.host.records(ReadRecords::new(users))),
            said(&self.host.start_workflow(StartWorkflow::new(WorkflowId(1), Value::Null))),
        ];
        self.write(place, &outcomes);
        outcomes
    }

    fn call_until_the_end(&self, number: usize) {
        let quiet = Self { settings: Settings { journal: None, ..self.settings.clone() }, ..self.clone() };
        self.call_everything(&format!("thread {number}"));
        loop {
            let outcomes = quiet.call_everything("");
            if outcomes.iter().all(|outcome| outcome.ends_with("The host is stopping")) {
                break;
            }
            thread::yield_now();
        }
        self.call_everything(&format!("thread {number} after the end"));
    }

    /// Adds lines to the journal.
    pub(crate) fn write(&self, place: &str, outcomes: &[String]) {
        let Some(journal) = &self.settings.journal else { return };
        let lines: String = outcomes.iter().map(|outcome| format!("{place}: {outcome}\n")).collect();
        let file = OpenOptions::new().create(true).append(true).open(journal);
        let written = file.and_then(|mut file| file.write_all(lines.as_bytes()));
        if let Err(error) = written {
            tracing::error!(%error, "the journal cannot be written");
        }
    }
}

fn said<T>(result: &Result<T, PluginError>) -> String {
    match result {
        Ok(_) => "answered".to_owned(),
        Err(PluginError { kind, message }) => format!("{kind:?}: {message}"),
    }
}
