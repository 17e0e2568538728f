//! A plugin's [`ActionHook`].

use abi_stable::{
    sabi_trait,
    sabi_trait::TD_Opaque,
    std_types::{RBox, RString},
};

use super::{
    action::{self, ActionObject, ActionProvider},
    error::{AbiResult, answer, read, result, write},
    guard::{GuardedDrop, guarded},
    schema::{SchemaObject, SchemaProvider},
};
use crate::{
    action::{ActionEvent, ActionHook},
    error::PluginError,
    plan::Plan,
};

/// A hook that the host owns.
pub type HookObject = RawHook_TO<RBox<()>>;

/// The plugin's side of an [`ActionHook`].
#[sabi_trait]
pub trait RawHook: Send + Sync + 'static {
    /// Decides. The plan is JSON text; no text is a plan without entries. The frozen prefix ends here.
    #[sabi(last_prefix_field)]
    fn plan(&self, action: ActionObject<'_>, schema: SchemaObject<'_>) -> AbiResult<RString>;
}

struct HookProvider(GuardedDrop<Box<dyn ActionHook>>);

impl RawHook for HookProvider {
    fn plan(&self, action: ActionObject<'_>, schema: SchemaObject<'_>) -> AbiResult<RString> {
        answer(guarded("plan", || {
            let plan = action::ask(&**self.0.get(), &action, schema)?;
            if plan == Plan::default() { Ok(RString::new()) } else { write("plan", &plan) }
        }))
    }
}

/// Offers a plugin's hook.
pub(crate) fn provide(hook: Box<dyn ActionHook>) -> HookObject {
    RawHook_TO::from_value(HookProvider(GuardedDrop::new("dropping a hook", hook)), TD_Opaque)
}

/// A hook as the host calls it.
pub struct HookClient(HookObject);

impl HookClient {
    pub(crate) fn new(hook: HookObject) -> Self {
        Self(hook)
    }
}

impl ActionHook for HookClient {
    fn plan(&self, event: &ActionEvent<'_>) -> Result<Plan, PluginError> {
        let schema = SchemaProvider::new(event.schema);
        let plan = result(self.0.plan(ActionProvider(event).object(), schema.object()));
        let plan = schema.finish(plan)?;
        if plan.is_empty() { Ok(Plan::default()) } else { read("plan", &plan) }
    }
}
