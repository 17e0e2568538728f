//! Approvals: people decide about what somebody has submitted.
//!
//! The trigger type `approval` starts a workflow after a record was created or updated, in the name of who did it: the applicant.
//! The node type `approval` asks people about it, and says what their answers mean. It works behind other triggers, too.
//!
//! The plugin only decides. The host stores the tasks and answers, and runs the workflow.
//!
//! Reading order: [`trigger`] (what starts a workflow), [`node`] (whom the node asks, and when it has its answer), `locales`
//! (what people read).

mod locales;
pub mod node;
pub mod trigger;

use plugin_api::{NoSettings, Plugin, PluginError, Registrar, watch};

use crate::{node::ApprovalNode, trigger::Config};

/// The plugin: a trigger type and a node type, both `approval`.
#[derive(Debug)]
pub struct ApprovalPlugin;

impl Plugin for ApprovalPlugin {
    const ID: &'static str = "workflow-approval";

    type Settings = NoSettings;

    fn register(_settings: NoSettings, registrar: &mut Registrar) -> Result<(), PluginError> {
        watch::register::<Config>(registrar);
        registrar.node(ApprovalNode);
        Ok(())
    }
}

plugin_api::export_plugin!(ApprovalPlugin);
