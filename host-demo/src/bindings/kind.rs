//! The types of buttons, and the actions behind each.

use plugin_api::{Action, Button};
use serde_json::Value;

/// Every type that this host knows.
pub(crate) const KINDS: [Button; 4] =
    [Button::FormSubmit, Button::UpdateRecord, Button::DeleteRecord, Button::TriggerWorkflow];

/// Reads a type's name.
pub(crate) fn kind(name: &str) -> Option<Button> {
    KINDS.into_iter().find(|kind| self::name(*kind) == name)
}

/// The type's name, as plugins and clients write it.
pub(crate) fn name(kind: Button) -> String {
    match serde_json::to_value(kind) {
        Ok(Value::String(name)) => name,
        // A unit variant is always text.
        Ok(_) | Err(_) => String::new(),
    }
}

/// What a press of such a button does to records of its collection.
pub(crate) fn actions(kind: Button) -> &'static [Action] {
    match kind {
        Button::FormSubmit => &[Action::Create, Action::Update, Action::UpdateOrCreate],
        Button::UpdateRecord => &[Action::Update],
        Button::DeleteRecord => &[Action::Destroy],
        Button::TriggerWorkflow => &[Action::Trigger],
        // A type of a later version; this host makes no such buttons.
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let names = KINDS.map(name);
        assert_eq!(names, ["formSubmit", "updateRecord", "deleteRecord", "triggerWorkflow"]);
        assert!(KINDS.into_iter().all(|known| kind(&name(known)) == Some(known) && !actions(known).is_empty()));
        assert_eq!(kind("nosuch"), None);
    }
}
