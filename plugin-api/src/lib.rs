//! What a trigger plugin and its host share.
//!
//! A plugin author writes ordinary safe Rust: a type that implements [`Plugin`], one [`Trigger`] per trigger type and,
//! when user actions start its workflows, an [`ActionHook`]. [`export_plugin!`] turns the crate into a library that the
//! host loads. No ABI type, no `unsafe` and no async runtime is needed: a hook is a pure decision that answers with a
//! [`Plan`], and the host loads the data, stores the executions and runs them.
//!
//! Reading order:
//!
//! 1. [`plugin`]: what a plugin is and how it registers what it offers
//! 2. [`trigger`]: a trigger type, its configuration, its binding metadata
//! 3. [`action`]: the user action a hook is asked about, and the interests that decide whether it is asked
//! 4. [`binding`]: the `triggerWorkflows` parameter, `key1,key2!category`
//! 5. [`plan`]: the decision
//! 6. [`schema`]: the collections and associations a plugin may look at
//! 7. [`text`] and [`error`]: localised text, errors
//!
//! The `abi` module below them is the only place where `abi_stable` types appear.
//! This crate is frozen at 1.0: it grows only by the rules in `docs/adr/0001-abi.md`.

pub mod action;
pub mod binding;
pub mod error;
pub mod id;
pub mod plan;
pub mod plugin;
pub mod schema;
pub mod text;
pub mod trigger;

mod erased;
#[doc(hidden)]
#[expect(
    unsafe_code,
    non_local_definitions,
    reason = "abi_stable's macros expand to both; this module is the fence around them"
)]
pub mod abi;

pub use action::{Action, ActionEvent, ActionHook, Interest, Phase, When};
pub use binding::Binding;
pub use error::{ErrorKind, PluginError};
pub use id::{UserId, WorkflowId};
pub use plan::{Firing, Plan, Skip, SkipReason};
pub use plugin::{NoSettings, Plugin, Registrar};
pub use schema::{Association, AssociationPath, Cardinality, CollectionRef, SchemaView};
pub use text::{Language, LocalizedText};
pub use trigger::{
    BindingInfo, Button, ExecutionMode, ManualData, ManualRun, Trigger, TriggerData, TriggerInfo, Variable, Workflow,
};
