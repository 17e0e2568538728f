//! Tests a trigger plugin in a scripted host, without a server, a database or a network.
//!
//! A scenario is a function of a [`PluginUnderTest`]. It says which collections there are, enables workflows, lets users act and
//! looks at what starts; sends a [`Request`] to a route; lets time pass for a [`TestMark`]; begins a [`NodeJob`] and answers its tasks; scripts the [`TestServices`]
//! that the plugin's threads ask. [`both_ways!`] makes two tests of it: one calls the plugin in process, where a debugger and
//! coverage see it; the other opens the library that cargo built of the same crate, as a host does.
//!
//! ```
//! use plugin_api::{Action, ExecutionMode};
//! use plugin_testkit::{PluginUnderTest, Schema, TestHost, UserAction};
//! use serde_json::json;
//!
//! fn starts_for_each_new_post(plugin: PluginUnderTest) {
//!     let mut host = TestHost::new(plugin, Schema::default().collection("posts", ["title"]));
//!     let config = json!({"collection": "posts"});
//!     host.enable("welcome", "created", ExecutionMode::Async, config).expect("a good configuration");
//!
//!     let decision = host.act(&UserAction::new(Action::Create, "posts")).expect("a decision");
//!     assert_eq!(decision.fired(), ["welcome"]);
//! }
//! ```
//!
//! and, in the plugin's `tests/scenarios.rs`:
//!
//! ```text
//! use plugin_created::Created;
//!
//! plugin_testkit::both_ways!(plugin_created, Created: starts_for_each_new_post);
//! ```
//!
//! Both ways cross the ABI's own types, so that what is tested is what a host sees: a panic is a
//! [`fault`](plugin_api::ErrorKind::Fault), and what does not survive the crossing is missed. What the kit leaves out is the
//! host's work: nothing is checked against a JSON Schema (configurations, settings, the values of a form), records are not loaded, variables
//! are not resolved, and nothing runs.
//!
//! Reading order: `subject` (the plugin, in process or as a library), `schema` (what there is), `action` and `request` (what people
//! and others do), `clock` (what time it is), `node` (whom a node asks), `services` (what the plugin asks), `host`.

mod action;
mod clock;
mod host;
mod inside;
mod node;
mod request;
mod schema;
mod services;
mod subject;

pub use action::UserAction;
pub use clock::TestMark;
pub use host::{Decision, TestHost};
pub use node::{Answer, NodeEnd, NodeJob, NodeStart};
pub use request::Request;
pub use schema::Schema;
pub use services::{ServiceCall, TestServices};
pub use subject::{OpenError, PluginUnderTest};

/// Makes two tests of each scenario, a `fn(PluginUnderTest)`: `in_process::…` and `library::…`.
///
/// The first name is the plugin's crate, whose library cargo puts beside the test program; so this belongs into an integration
/// test of a crate that is a `cdylib` and an `rlib`. The second is its [`Plugin`](plugin_api::Plugin),
/// which is in scope where the macro stands, like the scenarios.
#[macro_export]
macro_rules! both_ways {
    ($crate_name:ident, $plugin:ident: $($scenario:ident),+ $(,)?) => {
        mod in_process {
            $(
                #[test]
                fn $scenario() {
                    super::$scenario($crate::PluginUnderTest::in_process::<super::$plugin>());
                }
            )+
        }

        mod library {
            $(
                #[test]
                fn $scenario() {
                    super::$scenario($crate::PluginUnderTest::built(stringify!($crate_name)));
                }
            )+
        }
    };
}
