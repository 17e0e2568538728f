use std::sync::Arc;

use proptest::prelude::*;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::select;
use crate::{
    Action, ActionEvent, AssociationPath, CollectionRef, Detail, ExecutionMode, Firing, ManualRun, Phase, Plan,
    PluginError, SchemaView, SkipReason, TriggerInfo, Workflow, WorkflowId,
    watch::{
        Index, Paths, Watch,
        example::{Blog, Example, workflow},
    },
};

/// What is enabled, a line each: `id key collection mode [global action…]`.
fn index(lines: &str) -> Index<Example> {
    let mut index = Index::default();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [id, key, collection, mode, rest @ ..] = words.as_slice() else { panic!("a short line: {line}") };
        index.enable(&Arc::new(Workflow {
            id: WorkflowId(id.parse().expect("a number")),
            key: (*key).to_owned(),
            mode: if *mode == "sync" { ExecutionMode::Sync } else { ExecutionMode::Async },
            config: Example {
                collection: CollectionRef::parse(collection),
                global: rest.first() == Some(&"global"),
                actions: rest.iter().skip(1).map(|action| kind(action)).collect(),
            },
        }));
    }
    index
}

fn kind(word: &str) -> Action {
    serde_json::from_value(word.into()).expect("an action")
}

fn decide(index: &Index<Example>, action: Action, collection: &str, bindings: &str) -> Plan {
    let collection = CollectionRef::parse(collection);
    let mut event = ActionEvent::new(Phase::After, action, &collection, &Blog);
    event.bindings = bindings;
    select(index, &event)
}

/// Checks what fires (`id` or `id!path`, in order) and what is skipped (`key!path Reason`).
#[track_caller]
fn check(enabled: &str, (action, collection): (Action, &str), bindings: &str, fires: &[&str], skips: &[&str]) {
    let plan = decide(&index(enabled), action, collection, bindings);
    let with_path = |name: String, path: &AssociationPath| {
        if path.is_empty() { name } else { format!("{name}!{path}") }
    };
    let fired: Vec<_> = plan.firings.iter().map(|f| with_path(f.workflow.0.to_string(), &f.path)).collect();
    let skipped: Vec<_> =
        plan.skips.iter().map(|s| format!("{} {:?}", with_path(s.key.clone(), &s.path), s.reason)).collect();
    assert_eq!(fired, fires, "fired");
    assert_eq!(skipped, skips, "skipped");
}

const CREATE_POST: (Action, &str) = (Action::Create, "posts");
const UPDATE_POST: (Action, &str) = (Action::Update, "posts");

#[test]
fn a_local_workflow_fires_only_when_named() {
    let enabled = "1 a posts async";
    check(enabled, CREATE_POST, "a", &["1"], &[]);
    check(enabled, UPDATE_POST, "a", &["1"], &[]);
    check(enabled, CREATE_POST, "", &[], &[]);
    check(enabled, CREATE_POST, "A", &[], &["A NotEnabled"]);
}

#[test]
fn a_bound_delete_button_fires() {
    check("1 a posts async", (Action::Destroy, "posts"), "a", &["1"], &[]);
    check("1 a posts async global create update", (Action::Destroy, "posts"), "a", &[], &["a ActionNotChosen"]);
    check("1 a posts async global destroy", (Action::Destroy, "posts"), "", &["1"], &[]);
}

#[test]
fn other_actions_fire_nothing() {
    for action in [Action::UpdateOrCreate, Action::FirstOrCreate, Action::Trigger] {
        check("1 a posts sync\n2 b posts sync global create update destroy", (action, "posts"), "a", &[], &[]);
    }
}

#[test]
fn nothing_fires_before_the_action() {
    let posts = CollectionRef::parse("posts");
    let mut event = ActionEvent::new(Phase::Before, Action::Create, &posts, &Blog);
    event.bindings = "a";
    assert_eq!(select(&index("1 a posts sync"), &event), Plan::default());
}

#[test]
fn unknown_keys_do_not_disturb_the_others() {
    check("1 a posts async", CREATE_POST, "nosuch,a,zzz", &["1"], &["nosuch NotEnabled", "zzz NotEnabled"]);
    check("", CREATE_POST, "nosuch!nosuch", &[], &["nosuch!nosuch NotEnabled"]);
}

#[test]
fn the_target_of_the_path_must_be_the_workflows_collection() {
    let enabled = "1 post posts async\n2 cat categories async\n3 tag tags async\n4 user users async";
    check(enabled, CREATE_POST, "post!", &["1"], &[]);
    check(enabled, CREATE_POST, "cat!category", &["2!category"], &[]);
    check(enabled, CREATE_POST, "post!category", &[], &["post!category OtherCollection"]);
    check(enabled, CREATE_POST, "cat", &[], &["cat OtherCollection"]);
    check(enabled, CREATE_POST, "tag!tags", &["3!tags"], &[]);
    check(enabled, CREATE_POST, "post!parent", &["1!parent"], &[]);
    check(enabled, (Action::Create, "comments"), "cat!post.category", &["2!post.category"], &[]);
    check(
        enabled,
        (Action::Create, "comments"),
        "user!post.parent.category.owner",
        &["4!post.parent.category.owner"],
        &[],
    );
}

#[test]
fn a_path_that_is_no_association_is_skipped_alone() {
    let enabled = "1 post posts async\n2 cat categories async";
    for path in ["nosuch", "category.nosuch", "title", ".", "category.", ".category", "category!owner"] {
        let skip = format!("cat!{path} UnknownPath");
        check(enabled, CREATE_POST, &format!("cat!{path},post"), &["1"], &[&skip]);
    }
}

#[test]
fn a_repeated_key_counts_once_and_its_first_path_wins() {
    let enabled = "1 post posts async\n2 g posts async global create";
    check(enabled, CREATE_POST, "post,post", &["1", "2"], &["post Repeated"]);
    check(enabled, CREATE_POST, "post!parent,post", &["1!parent", "2"], &["post Repeated"]);
    check(enabled, CREATE_POST, "post!category,post", &["2"], &["post!category OtherCollection", "post Repeated"]);
    check(enabled, CREATE_POST, "g,g", &["2"], &["g Repeated"]);
    check(enabled, CREATE_POST, "x,x", &["2"], &["x NotEnabled", "x NotEnabled"]);
}

#[test]
fn globals_follow_the_locals_and_sync_goes_before_async() {
    let enabled = "
        1 ga posts async global create
        2 gs posts sync  global create
        3 la posts async
        4 ls posts sync
        5 gt posts sync  global create
        6 lt posts sync";
    check(enabled, CREATE_POST, "lt,la,ls", &["6", "4", "2", "5", "3", "1"], &[]);
    check(enabled, CREATE_POST, "gt,la,ga,lt", &["6", "2", "5", "3", "1"], &[]);
    check(enabled, CREATE_POST, "", &["2", "5", "1"], &[]);
}

#[test]
fn a_named_global_fires_by_its_own_rules() {
    let enabled = "1 g posts async global create\n2 never posts async global\n3 cats categories async global create";
    check(enabled, CREATE_POST, "g", &["1"], &[]);
    check(enabled, CREATE_POST, "g!parent", &["1"], &[]);
    check(enabled, UPDATE_POST, "g", &[], &["g ActionNotChosen"]);
    check(enabled, CREATE_POST, "never", &["1"], &["never ActionNotChosen"]);
    check(enabled, CREATE_POST, "cats!category", &["1"], &["cats!category OtherCollection"]);
}

#[test]
fn data_sources_do_not_mix() {
    let enabled = "1 here main:posts async\n2 there erp:posts async\n3 g erp:posts async global create";
    check(enabled, CREATE_POST, "here,there,g", &["1"], &["there OtherCollection", "g OtherCollection"]);
    check(enabled, (Action::Create, "erp:posts"), "here,there", &["2", "3"], &["here OtherCollection"]);
}

/// A request's, not a record's.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct Guard(Example);

impl Watch for Guard {
    const PHASE: Phase = Phase::Before;
    const ACTIONS: &'static [Action] = &[Action::Create];
    const PATHS: Paths = Paths::NotTaken;

    fn collection(&self) -> &CollectionRef {
        &self.0.collection
    }

    fn firing(workflow: &Workflow<Self>, _: Action, _: AssociationPath) -> Firing {
        Firing::new(workflow.id, workflow.mode)
    }

    fn info() -> TriggerInfo {
        Example::info()
    }

    fn validate(&self, schema: &dyn SchemaView) -> Result<(), PluginError> {
        self.0.validate(schema)
    }

    fn manual(&self, input: Value) -> Result<ManualRun, PluginError> {
        self.0.manual(input)
    }
}

#[test]
fn a_path_is_not_taken_where_it_has_no_meaning() {
    let mut index = Index::default();
    for (id, key, collection) in [(1, "post", "posts"), (2, "cat", "categories")] {
        let Workflow { id, key, config, .. } = workflow(id, key, collection, &[]);
        index.enable(&Arc::new(Workflow { id, key, mode: ExecutionMode::Sync, config: Guard(config) }));
    }
    let posts = CollectionRef::parse("posts");
    let mut event = ActionEvent::new(Phase::Before, Action::Create, &posts, &Blog);
    event.bindings = "post!,cat,post!parent,cat!category";
    let plan = select(&index, &event);
    assert_eq!(plan.firings, [Firing::new(WorkflowId(1), ExecutionMode::Sync)]);
    let reasons: Vec<_> = plan.skips.iter().map(|skip| skip.reason).collect();
    assert_eq!(reasons, [SkipReason::OtherCollection, SkipReason::Repeated, SkipReason::Repeated]);

    event.bindings = "post!parent,cat!category";
    let reasons: Vec<_> = select(&index, &event).skips.iter().map(|skip| skip.reason).collect();
    assert_eq!(reasons, [SkipReason::PathNotTaken; 2]);
    event.phase = Phase::After;
    assert_eq!(select(&index, &event), Plan::default(), "it is asked before, not after");
}

#[test]
fn an_action_on_no_records_fires_what_takes_none() {
    let mut index = index("1 posts posts async");
    let mut nothing = workflow(2, "free", "", &[]);
    nothing.config.collection = CollectionRef::none().clone();
    index.enable(&Arc::new(nothing));
    let mut event = ActionEvent::new(Phase::After, Action::Create, CollectionRef::none(), &Blog);
    event.bindings = "free,posts";
    let plan = select(&index, &event);
    assert_eq!(plan.firings, [Firing::new(WorkflowId(2), ExecutionMode::Async)]);
    assert_eq!(plan.skips[0].reason, SkipReason::OtherCollection);
    event.bindings = "free!category";
    assert_eq!(select(&index, &event).skips[0].reason, SkipReason::UnknownPath);
}

#[test]
fn who_asks_why_hears_of_workflows_that_were_not_named() {
    let enabled =
        "1 local posts async\n2 g posts async global update\n3 cat categories async\n4 both posts sync global create";
    let skips = |action, bindings: &str, detail| {
        let posts = CollectionRef::parse("posts");
        let mut event = ActionEvent::new(Phase::After, action, &posts, &Blog);
        (event.bindings, event.detail) = (bindings, detail);
        let plan = select(&index(enabled), &event);
        plan.skips.iter().map(|skip| format!("{} {:?}", skip.key, skip.reason)).collect::<Vec<_>>()
    };
    let none: [&str; 0] = [];
    assert_eq!(skips(Action::Create, "", Detail::Decision), none);
    assert_eq!(skips(Action::Create, "", Detail::Everything), ["local NotBound", "g ActionNotChosen"]);
    assert_eq!(skips(Action::Create, "local,x", Detail::Everything), ["x NotEnabled", "g ActionNotChosen"]);
    assert_eq!(
        skips(Action::Update, "cat", Detail::Everything),
        ["cat OtherCollection", "local NotBound", "both ActionNotChosen"]
    );
    assert_eq!(skips(Action::UpdateOrCreate, "cat,x,x", Detail::Decision), none);
    assert_eq!(
        skips(Action::UpdateOrCreate, "cat,x,x", Detail::Everything),
        [
            "cat ActionNotChosen",
            "x NotEnabled",
            "x NotEnabled",
            "local ActionNotChosen",
            "g ActionNotChosen",
            "both ActionNotChosen"
        ]
    );
}

proptest! {
    /// Whatever a caller sends, nothing panics, each entry is answered once, and what fires was named.
    #[test]
    fn odd_bindings_fire_nothing_that_is_not_named(
        bindings in prop_oneof![
            any::<String>(),
            "[a-c!,. ]{0,40}",
            "((a|b|post|cat|nosuch)(!(category|parent|tags|\\.|category\\.owner)?)?,?){0,12}",
        ],
        action in prop_oneof![Just(Action::Create), Just(Action::Update), Just(Action::Destroy)],
    ) {
        let index = index("1 a posts sync\n2 b posts async\n3 cat categories async\n4 bystander posts sync");
        let plan = decide(&index, action, "posts", &bindings);
        let entries: Vec<(&str, &str)> =
            bindings.split(',').map(|entry| entry.split_once('!').unwrap_or((entry, ""))).collect();
        for firing in &plan.firings {
            let key = ["a", "b", "cat", "bystander"][usize::try_from(firing.workflow.0).expect("small") - 1];
            let path = firing.path.to_string();
            prop_assert!(entries.contains(&(key, path.as_str())), "{key}!{path} was not bound");
            prop_assert_ne!(key, "bystander");
        }
        let ids: std::collections::HashSet<_> = plan.firings.iter().map(|firing| firing.workflow).collect();
        prop_assert_eq!(ids.len(), plan.firings.len(), "a workflow fires twice");
        let named = entries.iter().filter(|(key, _)| !key.is_empty()).count();
        prop_assert_eq!(plan.firings.len() + plan.skips.len(), named, "an entry is not answered");
        prop_assert!(plan.skips.iter().all(|skip| skip.reason != SkipReason::ActionNotChosen));
    }
}
