//! What starts an approval, whom its node asks and how it ends: in process, and through the library that the host loads.

use plugin_api::{Action, Ending, ErrorKind, ExecutionMode, Standing, TaskAction, UserId};
use plugin_testkit::{Answer, NodeJob, NodeStart, PluginUnderTest, Schema, TestHost, UserAction, both_ways};
use plugin_workflow_approval::{ApprovalPlugin, node};
use serde_json::{Value, json};

both_ways!(
    plugin_workflow_approval,
    ApprovalPlugin: starts_for_what_is_submitted, one_after_the_other_decides, one_rejection_ends_it,
    what_is_returned_is_asked_again, another_one_answers_in_its_place, the_applicant_takes_it_back,
    a_bad_configuration_asks_nobody,
);

const ANN: UserId = UserId(1);
const BEN: UserId = UserId(2);
const CLEO: UserId = UserId(3);
const DAN: UserId = UserId(4);

fn host(plugin: PluginUnderTest) -> TestHost {
    TestHost::new(plugin, Schema::default().collection("invoices", ["amount"]))
}

/// An approval that Ann applies for; Ben and Cleo are bosses.
fn start(mut config: Value) -> NodeStart {
    config["title"] = json!("An invoice");
    NodeStart::new("approval", config).by(ANN).role("boss", [BEN, CLEO])
}

fn begin(plugin: PluginUnderTest, config: Value) -> NodeJob {
    host(plugin).begin(&start(config)).expect("it begins")
}

fn starts_for_what_is_submitted(plugin: PluginUnderTest) {
    let mut host = host(plugin);
    let config = json!({"collection": "invoices", "global": true, "actions": ["create"]});
    host.enable("approve", "approval", ExecutionMode::Async, config).expect("enables");
    let fired = |action| host.act(&UserAction::new(action, "invoices")).expect("a decision").fired().to_vec();
    assert_eq!(fired(Action::Create), ["approve"]);
    assert_eq!(fired(Action::Update), [""; 0]);
}

fn one_after_the_other_decides(plugin: PluginUnderTest) {
    let mut job = begin(plugin, json!({"roles": ["boss"], "mode": "sequential", "outcome": "branch"}));
    assert_eq!(job.asked(), [BEN]);
    assert_eq!(job.task(BEN).map(|task| task.title.as_str()), Some("An invoice"));
    let early = job.answer(CLEO, TaskAction::Approve).expect_err("it is not her turn");
    assert_eq!(early.kind, ErrorKind::Invalid);

    job.answer(BEN, TaskAction::Approve).expect("an answer");
    assert_eq!((job.asked(), job.standing()), (vec![CLEO], Standing::Pending));
    let said = Answer::from(TaskAction::Approve).values(json!({"limit": 5})).comment("this once");
    job.answer(CLEO, said).expect("an answer");
    let end = job.end().expect("everybody has approved");
    assert_eq!((end.ending, end.branch, job.standing()), (Ending::Resolved, Some(node::APPROVED), Standing::Approved));
    assert_eq!(end.result["values"], json!({"limit": 5}));
    assert_eq!(end.result["decisions"][1]["comment"], "this once");
    assert!(job.answer(BEN, TaskAction::Approve).is_err(), "it is over");
}

fn one_rejection_ends_it(plugin: PluginUnderTest) {
    let mut job = begin(plugin, json!({"assignees": [BEN.0, {"id": CLEO.0}, BEN.0], "mode": "all"}));
    assert_eq!(job.asked(), [BEN, CLEO]);
    job.answer(CLEO, TaskAction::Reject).expect("an answer");
    let end = job.end().expect("it cannot be approved any more");
    assert_eq!((end.ending, end.branch, job.standing()), (Ending::Rejected, None, Standing::Rejected));
    assert!(job.tasks()[0].closed, "Ben need not answer");
}

fn what_is_returned_is_asked_again(plugin: PluginUnderTest) {
    let mut job = begin(plugin, json!({"assignees": [BEN.0]}));
    job.answer(BEN, TaskAction::Return).expect("an answer");
    assert_eq!((job.asked(), job.standing()), (vec![ANN], Standing::Returned));
    let said = Answer::from(TaskAction::Resubmit).values(json!({"amount": 3}));
    job.answer(ANN, said).expect("an answer");
    assert_eq!((job.asked(), job.standing()), (vec![BEN], Standing::Pending));
    job.answer(BEN, TaskAction::Approve).expect("an answer");
    assert_eq!(job.end().expect("the end").result["submission"], json!({"amount": 3}));
}

fn another_one_answers_in_its_place(plugin: PluginUnderTest) {
    let mut job = begin(plugin, json!({"assignees": [BEN.0], "actions": ["approve", "delegate"]}));
    job.delegate(BEN, DAN).expect("delegated");
    assert_eq!(job.asked(), [DAN]);
    assert!(job.answer(BEN, TaskAction::Approve).is_err() && job.answer(DAN, TaskAction::Reject).is_err());
    job.answer(DAN, TaskAction::Approve).expect("an answer");
    assert_eq!(job.standing(), Standing::Approved);
}

fn the_applicant_takes_it_back(plugin: PluginUnderTest) {
    let host = host(plugin);
    let mut job = host.begin(&start(json!({"assignees": [BEN.0]}))).expect("it begins");
    job.withdraw().expect("nobody has decided");
    let ending = job.end().map(|end| end.ending);
    assert_eq!((ending, job.standing()), (Some(Ending::Canceled), Standing::Withdrawn));

    let mut job = host.begin(&start(json!({"assignees": [BEN.0], "withdraw": "never"}))).expect("it begins");
    let refused = job.withdraw().expect_err("never");
    assert_eq!(refused.message, "this application cannot be withdrawn");
    assert_eq!((job.asked(), job.end()), (vec![BEN], None), "nothing has changed");
}

fn a_bad_configuration_asks_nobody(plugin: PluginUnderTest) {
    let host = host(plugin);
    assert_eq!(host.node("approval").expect("the type").branches.len(), 3);
    let refused = |config| host.begin(&start(config)).err().expect("it does not begin").message;
    assert_eq!(refused(json!({})), "\"assignees\" or \"roles\" is required");
    assert_eq!(refused(json!({"roles": ["nobody"]})), "there is nobody to give it to: no user is named");
    let share = json!({"roles": ["boss"], "mode": "share", "percent": 0});
    assert_eq!(refused(share), "\"percent\" must be above 0 and at most 100");
    let unchecked = host.check_node("approval", &json!({"roles": ["boss"], "actions": ["reject"]}));
    assert_eq!(unchecked.expect_err("nobody could approve").message, "\"actions\" has to hold \"approve\"");
}
