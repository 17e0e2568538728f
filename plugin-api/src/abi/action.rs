//! One user action: the fields of an [`ActionEvent`], typed, borrowed from the host for the time of one call.

use abi_stable::{
    StableAbi, sabi_trait,
    sabi_trait::TD_Opaque,
    sabi_types::RRef,
    std_types::{ROption, RStr},
};

use super::schema::{SchemaClient, SchemaObject};
use crate::{
    action::{Action, ActionEvent, ActionHook, Detail, Phase},
    error::PluginError,
    id::UserId,
    plan::Plan,
    schema::CollectionRef,
};

/// An action for the time of a call.
pub type ActionObject<'a> = RawAction_TO<'a, RRef<'a, ()>>;

/// The host's side of an [`ActionEvent`]; what later versions add to an action becomes a method here.
#[sabi_trait]
pub trait RawAction {
    /// What 1.0 knows about an action. The frozen prefix ends here.
    #[sabi(last_prefix_field)]
    fn facts(&self) -> ActionFacts<'_>;
    /// How much is to be told: 0 = the decision, 1 = everything. Since 1.1.
    fn detail(&self) -> u8 {
        0
    }
}

/// What 1.0 knows about an action. Frozen.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, Copy)]
pub struct ActionFacts<'a> {
    /// 1 = before, 2 = after; since 1.2, 3 = changed.
    pub phase: u8,
    /// 1 = create, 2 = update, 3 = destroy, 4 = update or create, 5 = first or create, 6 = trigger.
    pub action: u8,
    /// The collection's data source.
    pub data_source: RStr<'a>,
    /// The collection's name.
    pub collection: RStr<'a>,
    /// The raw `triggerWorkflows`.
    pub bindings: RStr<'a>,
    /// Who acts.
    pub actor: ROption<i64>,
    /// The role the actor acts in.
    pub role: RStr<'a>,
}

const PHASES: [(Phase, u8); 3] = [(Phase::Before, 1), (Phase::After, 2), (Phase::Changed, 3)];
const ACTIONS: [(Action, u8); 6] = [
    (Action::Create, 1),
    (Action::Update, 2),
    (Action::Destroy, 3),
    (Action::UpdateOrCreate, 4),
    (Action::FirstOrCreate, 5),
    (Action::Trigger, 6),
];

/// Zero, which nobody knows, stands for what has no number.
fn number<T: Copy + PartialEq>(table: &[(T, u8)], value: T) -> u8 {
    table.iter().find(|(known, _)| *known == value).map_or(0, |(_, number)| *number)
}

fn known<T: Copy>(what: &str, table: &[(T, u8)], number: u8) -> Result<T, PluginError> {
    table.iter().find(|(_, known)| *known == number).map(|(value, _)| *value).ok_or_else(|| {
        PluginError::fault(format!("the host asked about {what} {number}, which this plugin does not know"))
    })
}

/// Offers a host's event.
pub struct ActionProvider<'a>(pub &'a ActionEvent<'a>);

impl ActionProvider<'_> {
    /// The object to pass on.
    pub fn object(&self) -> ActionObject<'_> {
        RawAction_TO::from_ptr(RRef::new(self), TD_Opaque)
    }
}

impl RawAction for ActionProvider<'_> {
    fn facts(&self) -> ActionFacts<'_> {
        let event = self.0;
        ActionFacts {
            phase: number(&PHASES, event.phase),
            action: number(&ACTIONS, event.action),
            data_source: event.collection.data_source().into(),
            collection: event.collection.name().into(),
            bindings: event.bindings.into(),
            actor: event.actor.map(|user| user.0).into(),
            role: event.role.into(),
        }
    }

    fn detail(&self) -> u8 {
        match self.0.detail {
            Detail::Decision => 0,
            Detail::Everything => 1,
        }
    }
}

/// Asks a hook, on the plugin's side.
pub(crate) fn ask(
    hook: &dyn ActionHook,
    action: &ActionObject<'_>,
    schema: SchemaObject<'_>,
) -> Result<Plan, PluginError> {
    let facts = action.facts();
    let collection = CollectionRef::new(facts.data_source.as_str(), facts.collection.as_str());
    let schema = SchemaClient(schema);
    let event = ActionEvent {
        phase: known("phase", &PHASES, facts.phase)?,
        action: known("action", &ACTIONS, facts.action)?,
        collection: &collection,
        bindings: facts.bindings.as_str(),
        actor: facts.actor.into_option().map(UserId),
        role: facts.role.as_str(),
        // What a later host may ask for beyond everything is still answered with everything.
        detail: if action.detail() == 0 { Detail::Decision } else { Detail::Everything },
        schema: &schema,
    };
    hook.plan(&event)
}
