//! What a trigger plugin and its host share.
//!
//! A plugin author writes ordinary safe Rust: a type that implements [`Plugin`], one [`Trigger`] per trigger type and,
//! when user actions start its workflows, an [`ActionHook`]. [`export_plugin!`] turns the crate into a library that the
//! host loads. No ABI type, no `unsafe` and no async runtime is needed: a hook is a pure decision that answers with a
//! [`Plan`], and the host loads the data, stores the executions and runs them.
//!
//! A whole plugin, whose workflows start after a record was created in their collection:
//!
//! ```
//! use std::{collections::BTreeMap, sync::{Arc, Mutex, PoisonError}};
//!
//! use plugin_api::*;
//! use schemars::JsonSchema;
//! use serde::Deserialize;
//!
//! type Enabled = Arc<Mutex<BTreeMap<WorkflowId, Workflow<Config>>>>;
//!
//! struct Created;
//!
//! impl Plugin for Created {
//!     const ID: &'static str = "created";
//!     type Settings = NoSettings;
//!
//!     fn register(_: NoSettings, registrar: &mut Registrar) -> Result<(), PluginError> {
//!         let enabled = Enabled::default();
//!         registrar.trigger(CreatedTrigger(Arc::clone(&enabled)));
//!         registrar.action_hook(vec![], CreatedHook(enabled));
//!         Ok(())
//!     }
//! }
//!
//! #[derive(Deserialize, JsonSchema)]
//! struct Config {
//!     collection: String,
//! }
//!
//! struct CreatedTrigger(Enabled);
//!
//! impl Trigger for CreatedTrigger {
//!     type Config = Config;
//!
//!     fn info(&self) -> TriggerInfo {
//!         TriggerInfo {
//!             id: "created".into(),
//!             title: LocalizedText::new("Record created").with(Language::French, "Enregistrement créé"),
//!             description: LocalizedText::new("Starts for each new record."),
//!             binding: BindingInfo {
//!                 buttons: vec![],
//!                 data: vec![TriggerData::Record],
//!                 variables: vec![],
//!                 modes: vec![ExecutionMode::Async],
//!             },
//!         }
//!     }
//!
//!     fn validate(&self, config: &Config, schema: &dyn SchemaView) -> Result<(), PluginError> {
//!         let exists = schema.has_collection(&CollectionRef::parse(&config.collection));
//!         exists.then_some(()).ok_or_else(|| PluginError::invalid("There is no such collection"))
//!     }
//!
//!     fn enable(&self, workflow: Workflow<Config>) -> Result<Vec<Interest>, PluginError> {
//!         let waits_for = Interest {
//!             phase: Phase::After,
//!             actions: vec![Action::Create],
//!             collection: Some(CollectionRef::parse(&workflow.config.collection)),
//!             when: When::Always,
//!         };
//!         self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(workflow.id, workflow);
//!         Ok(vec![waits_for])
//!     }
//!
//!     fn disable(&self, workflow: WorkflowId) {
//!         self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&workflow);
//!     }
//!
//!     fn manual(&self, _: &Config, _: serde_json::Value) -> Result<ManualRun, PluginError> {
//!         Err(PluginError::invalid("Create a record instead"))
//!     }
//! }
//!
//! struct CreatedHook(Enabled);
//!
//! impl ActionHook for CreatedHook {
//!     fn plan(&self, event: &ActionEvent<'_>) -> Result<Plan, PluginError> {
//!         let enabled = self.0.lock().unwrap_or_else(PoisonError::into_inner);
//!         let here = enabled.values().filter(|it| CollectionRef::parse(&it.config.collection) == *event.collection);
//!         let firings = here.map(|workflow| Firing::new(workflow.id, workflow.mode));
//!         Ok(Plan { firings: firings.collect(), skips: vec![] })
//!     }
//! }
//!
//! export_plugin!(Created);
//! # fn main() {}
//! ```
//!
//! Reading order:
//!
//! 1. [`plugin`]: what a plugin is and how it registers what it offers
//! 2. [`trigger`]: a trigger type, its configuration, its binding metadata
//! 3. [`action`]: the user action a hook is asked about, and the interests that decide whether it is asked
//! 4. [`binding`]: the `triggerWorkflows` parameter, `key1,key2!category`
//! 5. [`plan`]: the decision
//! 6. [`route`]: requests from outside that start workflows
//! 7. [`clock`]: moments that start workflows
//! 8. [`schema`]: the collections and associations a plugin may look at
//! 9. [`service`]: what the host does for a plugin's own threads
//! 10. [`text`] and [`error`]: localised text, errors
//! 11. [`node`]: a node type that gives tasks to people
//! 12. [`watch`]: ready-made parts for trigger types that, unlike the one above, can also be bound to buttons
//!
//! The `abi` module below them is the only place where `abi_stable` types appear.
//! What 1.0 had is frozen; this is 1.3. The crate grows only by the rules in `docs/adr/0001-abi.md`.

pub mod action;
pub mod binding;
pub mod clock;
pub mod error;
pub mod id;
pub mod node;
pub mod plan;
pub mod plugin;
pub mod route;
pub mod schema;
pub mod service;
pub mod text;
pub mod trigger;
pub mod watch;

#[doc(hidden)]
#[expect(
    unsafe_code,
    non_local_definitions,
    reason = "abi_stable's macros expand to both; this module is the fence around them"
)]
pub mod abi;
mod erased;

pub use action::{Action, ActionEvent, ActionHook, Detail, Interest, Phase, When};
pub use binding::Binding;
pub use clock::{ClockAnswer, ClockHandler, ClockQuestion, ClockWatch};
pub use error::{ErrorKind, PluginError};
pub use id::{ExecutionId, UserId, WorkflowId};
pub use node::{
    Ask, EarlierNode, Ending, NodeBranch, NodeInfo, People, Progress, Standing, Step, TaskAction, TaskNode,
    TaskProgress,
};
pub use plan::{Batch, Condition, Firing, Plan, Previous, Skip, SkipReason};
pub use plugin::{NoSettings, Plugin, Registrar};
pub use route::{RouteAnswer, RouteHandler, RouteRefusal, RouteRequest, RouteStart};
pub use schema::{Association, AssociationPath, Cardinality, CollectionRef, SchemaView};
pub use service::{Host, ReadRecord, ReadRecords, RecordPage, Service, Services, StartWorkflow};
pub use text::{Language, LocalizedText, Translations};
pub use trigger::{
    BindingInfo, Button, ExecutionMode, ManualData, ManualRun, Trigger, TriggerData, TriggerInfo, Variable, Workflow,
};
