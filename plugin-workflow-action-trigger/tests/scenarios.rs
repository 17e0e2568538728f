//! What people configure and do, and what starts: through the plugin in process and through its library.

use plugin_api::{Action, ErrorKind, ExecutionMode, ManualData, SkipReason, UserId};
use plugin_testkit::{PluginUnderTest, Schema, TestHost, UserAction, both_ways};
use plugin_workflow_action_trigger::ActionTriggerPlugin;
use serde_json::{Value, json};

both_ways!(
    plugin_workflow_action_trigger,
    ActionTriggerPlugin: buttons_and_global_workflows, a_bad_configuration_starts_nothing, manual_runs_name_a_user
);

fn blog(plugin: PluginUnderTest) -> TestHost {
    let schema = Schema::default()
        .collection("posts", ["title", "amount"])
        .collection("categories", ["title"])
        .collection("tags", ["name"])
        .to_one("posts", "category", "categories")
        .to_many("posts", "tags", "tags");
    TestHost::new(plugin, schema)
}

fn buttons_and_global_workflows(plugin: PluginUnderTest) {
    let mut host = blog(plugin);
    let create = UserAction::new(Action::Create, "posts");
    assert_eq!(host.act(&create).expect("a decision").asked, 0, "nobody waits yet");

    let mut enable = |key, mode, config: Value| host.enable(key, "action", mode, config).expect("enables");
    enable("on-button", ExecutionMode::Sync, json!({"collection": "posts", "appends": ["category"]}));
    enable("of-category", ExecutionMode::Async, json!({"collection": "categories"}));
    enable("of-tags", ExecutionMode::Async, json!({"collection": "tags"}));
    let global = json!({"collection": "posts", "global": true, "actions": ["create"]});
    let everywhere = enable("everywhere", ExecutionMode::Async, global);

    let bound = create.clone().bound("on-button,of-category!category,of-tags!tags,gone");
    let decision = host.act(&bound).expect("a decision");
    assert_eq!(decision.fired(), ["on-button", "of-category!category", "of-tags!tags", "everywhere"]);
    assert_eq!(decision.plan.firings[0].mode, ExecutionMode::Sync);
    assert_eq!(decision.plan.firings[0].preloads[0].to_string(), "category");
    let [skip] = decision.plan.skips.as_slice() else { panic!("{:?}", decision.plan.skips) };
    assert_eq!((skip.key.as_str(), skip.reason), ("gone", SkipReason::NotEnabled));

    host.disable(everywhere).expect("disables");
    assert_eq!(host.act(&create).expect("a decision").asked, 0, "nobody waits any more");
    let explained = host.act(&create.bound("of-tags!tags").explained()).expect("a decision");
    assert!(explained.plan.skips.iter().any(|it| it.key == "on-button" && it.reason == SkipReason::NotBound));
}

fn a_bad_configuration_starts_nothing(plugin: PluginUnderTest) {
    let mut host = blog(plugin);
    for config in [
        json!({"collection": "nosuch"}),
        json!({"collection": 7}),
        json!({"collection": "posts", "appends": ["nosuch"]}),
        json!({"collection": "posts", "condition": {"data.nosuch": 1}}),
        json!({"collection": "posts", "changed": ["tags"]}),
    ] {
        let outcome = host.enable("bad", "action", ExecutionMode::Async, config.clone());
        assert_eq!(outcome.map_err(|error| error.kind), Err(ErrorKind::Invalid), "{config}");
    }
    let decision = host.act(&UserAction::new(Action::Create, "posts").bound("bad")).expect("a decision");
    assert!(decision.fired().is_empty(), "{decision:?}");
}

fn manual_runs_name_a_user(plugin: PluginUnderTest) {
    let host = blog(plugin);
    let config = json!({"collection": "posts"});
    let run = host.manual("action", &config, &json!({"data": {"title": "A"}, "userId": 7})).expect("a run");
    assert_eq!((run.user, run.data), (UserId(7), ManualData::Given(json!({"title": "A"}))));
    assert!(host.manual("action", &config, &json!({"data": {}})).is_err(), "nobody runs it");
}
