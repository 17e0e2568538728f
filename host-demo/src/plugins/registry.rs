//! What loaded plugins registered: their trigger types, node types and hooks in one order, and who waits for what.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    ops::Range,
    sync::Arc,
};

use super::{
    error::LoadProblem, interests::Interests, loaded_node::LoadedNode, loaded_trigger::LoadedTrigger, manifest::is_id,
    member::Member,
};

/// What the plugins registered. Built once, then only its interests change.
#[derive(Default)]
pub(super) struct Registry {
    pub(super) triggers: Vec<LoadedTrigger>,
    by_type: HashMap<String, usize>,
    pub(super) nodes: BTreeMap<String, LoadedNode>,
    /// Whose hook, and which of that plugin's.
    hooks: Vec<(Arc<Member>, usize)>,
    /// Whose route, and which of that plugin's, by its name.
    routes: HashMap<String, (Arc<Member>, usize)>,
    /// The positions of each plugin's hooks.
    by_plugin: HashMap<Arc<str>, Range<usize>>,
    pub(super) interests: Arc<Interests>,
}

impl Registry {
    /// Takes everything the plugin offers, or nothing.
    pub(super) fn admit(&mut self, member: &Arc<Member>) -> Result<(), LoadProblem> {
        let candidate = &member.candidate;
        let mut offered: HashMap<&str, &str> = HashMap::new();
        for trigger in &candidate.offered.triggers {
            let id = trigger.info.id.as_str();
            if !is_id(id) {
                return Err(LoadProblem::BadId { id: id.to_owned() });
            }
            let owner = self.trigger(id).map(LoadedTrigger::plugin).or_else(|| offered.insert(id, &candidate.id));
            if let Some(owner) = owner {
                return Err(LoadProblem::DuplicateTrigger { trigger: id.to_owned(), owner: owner.to_owned() });
            }
        }

        let mut offered: HashSet<&str> = HashSet::new();
        for node in &candidate.offered.nodes {
            let id = node.info.id.as_str();
            if !is_id(id) {
                return Err(LoadProblem::BadId { id: id.to_owned() });
            }
            let duplicate = |owner: String| LoadProblem::DuplicateNode { node: id.to_owned(), owner };
            if workflow::is_built_in(id) {
                return Err(duplicate("the host".to_owned()));
            }
            if let Some(other) = self.nodes.get(id) {
                return Err(duplicate(format!("plugin \"{}\"", other.plugin())));
            }
            if !offered.insert(id) {
                return Err(duplicate(format!("plugin \"{}\"", candidate.id)));
            }
        }

        let mut names = HashSet::new();
        for (name, _) in &candidate.offered.routes {
            if !is_id(name) {
                return Err(LoadProblem::BadId { id: name.clone() });
            }
            let owner = self.routes.get(name).map(|(owner, _)| owner.id.to_string());
            if let Some(owner) = owner.or_else(|| (!names.insert(name)).then(|| candidate.id.clone())) {
                return Err(LoadProblem::DuplicateRoute { route: name.clone(), owner });
            }
        }

        // Nothing below can fail.
        for (index, (name, _)) in candidate.offered.routes.iter().enumerate() {
            self.routes.insert(name.clone(), (Arc::clone(member), index));
        }
        let hooks = self.hooks.len()..self.hooks.len() + candidate.offered.hooks.len();
        for (position, (index, (interests, _))) in hooks.clone().zip(candidate.offered.hooks.iter().enumerate()) {
            self.interests.declare(position, interests);
            self.hooks.push((Arc::clone(member), index));
        }
        for (index, offered) in candidate.offered.triggers.iter().enumerate() {
            self.by_type.insert(offered.info.id.clone(), self.triggers.len());
            let interests = Arc::clone(&self.interests);
            self.triggers.push(LoadedTrigger::new(Arc::clone(member), index, hooks.clone(), interests));
        }
        for (index, offered) in candidate.offered.nodes.iter().enumerate() {
            self.nodes.insert(offered.info.id.clone(), LoadedNode::new(Arc::clone(member), index));
        }
        self.by_plugin.insert(Arc::clone(&member.id), hooks);
        Ok(())
    }

    /// The trigger type with this id.
    pub(super) fn trigger(&self, type_id: &str) -> Option<&LoadedTrigger> {
        self.by_type.get(type_id).and_then(|position| self.triggers.get(*position))
    }

    /// The route with this name: whose it is, and which of theirs.
    pub(super) fn route(&self, name: &str) -> Option<&(Arc<Member>, usize)> {
        self.routes.get(name)
    }

    /// Every hook, in the order in which they are asked.
    pub(super) fn hooks(&self) -> &[(Arc<Member>, usize)] {
        &self.hooks
    }

    /// Takes over what the hooks of a plugin wait for on behalf of its workflows; both registries have the same plugin.
    pub(super) fn carry_over(&self, earlier: &Self, plugin: &str) {
        if let (Some(from), Some(to)) = (earlier.by_plugin.get(plugin), self.by_plugin.get(plugin)) {
            self.interests.carry_over(&earlier.interests, from, to);
        }
    }
}
