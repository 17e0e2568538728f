//! What starts when: in process, and through the library that a host loads.

use {{crate}}::{{type}};
use plugin_api::{Action, ErrorKind, ExecutionMode};
use plugin_testkit::{PluginUnderTest, Schema, TestHost, UserAction, both_ways};
use serde_json::json;

both_ways!({{crate}}, {{type}}: starts_for_new_records_of_its_collection, refuses_an_unknown_collection);

fn host(plugin: PluginUnderTest) -> TestHost {
    TestHost::new(plugin, Schema::default().collection("posts", ["title"]).collection("tags", ["name"]))
}

fn starts_for_new_records_of_its_collection(plugin: PluginUnderTest) {
    let mut host = host(plugin);
    let config = json!({"collection": "posts"});
    let welcome = host.enable("welcome", "{{id}}", ExecutionMode::Async, config).expect("enables");

    let fired = |host: &TestHost, action, collection| {
        host.act(&UserAction::new(action, collection)).expect("a decision").fired().to_vec()
    };
    assert_eq!(fired(&host, Action::Create, "posts"), ["welcome"]);
    assert_eq!(fired(&host, Action::Update, "posts"), [""; 0]);
    assert_eq!(fired(&host, Action::Create, "tags"), [""; 0]);

    host.disable(welcome).expect("disables");
    assert_eq!(fired(&host, Action::Create, "posts"), [""; 0]);
}

fn refuses_an_unknown_collection(plugin: PluginUnderTest) {
    let outcome = host(plugin).enable("a", "{{id}}", ExecutionMode::Async, json!({"collection": "nosuch"}));
    let error = outcome.expect_err("there is no such collection");
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Invalid, "There is no collection nosuch"));
}
