//! What users do.

use plugin_api::{Action, CollectionRef, Detail, Phase, UserId};

/// One action of a user, which has succeeded.
#[derive(Debug, Clone)]
pub struct UserAction {
    pub(crate) phase: Phase,
    pub(crate) action: Action,
    pub(crate) collection: CollectionRef,
    pub(crate) bindings: String,
    pub(crate) actor: Option<UserId>,
    pub(crate) role: String,
    pub(crate) detail: Detail,
}

impl UserAction {
    /// An action by the user 1 in the role `member`, without bindings. The collection is written `name` or `source:name`.
    pub fn new(action: Action, collection: &str) -> Self {
        Self {
            phase: Phase::After,
            action,
            collection: CollectionRef::parse(collection),
            bindings: String::new(),
            actor: Some(UserId(1)),
            role: "member".to_owned(),
            detail: Detail::default(),
        }
    }

    /// Names workflows, as `triggerWorkflows` does: `key1,key2!category`.
    #[must_use]
    pub fn bound(mut self, bindings: &str) -> Self {
        bindings.clone_into(&mut self.bindings);
        self
    }

    /// By another user, or by nobody.
    #[must_use]
    pub fn by(mut self, actor: Option<UserId>, role: &str) -> Self {
        self.actor = actor;
        role.clone_into(&mut self.role);
        self
    }

    /// Before the action, instead of after it.
    #[must_use]
    pub fn before(mut self) -> Self {
        self.phase = Phase::Before;
        self
    }

    /// Asks for all the plugin can tell, as somebody does who wants to know why a workflow does not start.
    #[must_use]
    pub fn explained(mut self) -> Self {
        self.detail = Detail::Everything;
        self
    }
}
