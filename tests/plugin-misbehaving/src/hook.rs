//! The hook: asked about every create, for every wrong that can be done there.

use std::thread;

use plugin_api::{ActionEvent, ActionHook, AssociationPath, ExecutionMode, Firing, Plan, PluginError, WorkflowId};

use crate::{
    caller::Caller,
    settings::{Place, Planned},
};

/// More firings than any action may have.
const HUGE: i64 = 100_000;

pub(crate) struct MisbehavingHook(pub(crate) Caller);

impl ActionHook for MisbehavingHook {
    fn plan(&self, event: &ActionEvent<'_>) -> Result<Plan, PluginError> {
        let settings = &self.0.settings;
        for number in 0..settings.log_events {
            tracing::info!(number, "one of many events");
        }
        if let Some(path) = &settings.slow_until {
            self.0.write("Plan", &["waits".to_owned()]);
            while !path.exists() {
                thread::yield_now();
            }
        }
        if settings.waits_for_thread {
            self.0.wait_for_a_thread(WorkflowId(ids(event.bindings).next().unwrap_or_default()));
        }
        self.0.reach(Place::Plan);
        Ok(plan(settings.plan, event.bindings))
    }
}

fn plan(planned: Planned, bindings: &str) -> Plan {
    let fire = |id| Firing::new(WorkflowId(id), ExecutionMode::Sync);
    let firings = match planned {
        Planned::Nothing => Vec::new(),
        Planned::UnknownWorkflows => [i64::MIN, -1, 0, i64::MAX].map(fire).into(),
        Planned::UnknownPaths => ids(bindings)
            .flat_map(|id| {
                let nowhere = AssociationPath::parse("no.such..path");
                [Firing { path: nowhere.clone(), ..fire(id) }, Firing { preloads: vec![nowhere], ..fire(id) }]
            })
            .collect(),
        Planned::OthersWorkflows => ids(bindings).map(fire).collect(),
        Planned::Huge => (0..HUGE).map(fire).collect(),
    };
    Plan { firings, skips: vec![] }
}

/// The ids that a request binds, instead of keys.
fn ids(bindings: &str) -> impl Iterator<Item = i64> {
    bindings.split(',').filter_map(|id| id.parse().ok())
}

impl Drop for MisbehavingHook {
    fn drop(&mut self) {
        self.0.reach(Place::DropHook);
    }
}
