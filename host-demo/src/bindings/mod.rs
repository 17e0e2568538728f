//! Buttons and the workflows bound to them: what fits which button, and why something does not.
//!
//! ```text
//! kind     ─ the types of buttons, and the actions behind each
//! fitness  ─ whether a binding makes sense today, or what is wrong with it
//! grounds  ─ what that is judged by
//! choices  ─ what may be bound to a button, for the one who configures it
//! describe ─ a button with its bindings, as it is answered
//! ```
//!
//! Which trigger type may be bound to which button, and what it may be handed, is said by the plugins alone. The same judgement
//! is made when something is bound (a misfit is refused), when it is looked at (a misfit is shown as broken) and when the button
//! is pressed (a misfit does not fire, and explanations say why).

mod choices;
mod describe;
mod fitness;
mod grounds;
mod kind;

pub(crate) use choices::choices;
pub(crate) use describe::describe;
pub(crate) use fitness::Judge;
use fitness::Misfit;
pub(crate) use grounds::Grounds;
pub(crate) use kind::{KINDS, actions, kind};

/// What a request that names its button may fire besides what is bound to the button, and global workflows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Strictness {
    /// Also the workflows it names itself.
    #[default]
    Lenient,
    /// Nothing: naming another workflow is refused.
    Strict,
}
