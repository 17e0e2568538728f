use super::{
    SharedIndex, WatchHook, WatchTrigger, bound_interests,
    example::{Blog, Example, workflow},
    fields, global_interests,
};
use crate::{
    Action, ActionEvent, ActionHook, AssociationPath, CollectionRef, Condition, ErrorKind, Phase, PluginError, Trigger,
    When, WorkflowId,
};

#[test]
fn hooks_wait_for_bound_requests_and_global_workflows_for_all_on_their_collection() {
    let [bound] = <[_; 1]>::try_from(bound_interests::<Example>()).expect("one interest");
    assert_eq!((bound.phase, bound.collection, bound.when), (Phase::After, None, When::Bound));
    assert_eq!(bound.actions, [Action::Create, Action::Update, Action::Destroy]);

    assert_eq!(global_interests(&workflow(1, "k", "posts", &[]).config), []);
    let mut local = workflow(1, "k", "posts", &[Action::Create]).config;
    local.global = false;
    assert_eq!(global_interests(&local), [], "chosen actions matter in global mode only");
    let never = workflow(1, "k", "posts", &[Action::Trigger]).config;
    assert_eq!(global_interests(&never), [], "an action that never fires is not waited for");
    let global = workflow(1, "k", "posts", &[Action::Destroy, Action::Update]).config;
    let [global] = <[_; 1]>::try_from(global_interests(&global)).expect("one interest");
    assert_eq!(global.actions, [Action::Update, Action::Destroy]);
    assert_eq!((global.collection, global.when), (Some(CollectionRef::parse("posts")), When::Always));
}

#[test]
fn hook_and_trigger_share_the_index() {
    let index = SharedIndex::default();
    let (trigger, hook) = (WatchTrigger(index.clone()), WatchHook(index));
    let posts = CollectionRef::parse("posts");
    let fires = || {
        let event = ActionEvent::new(Phase::After, Action::Create, &posts, &Blog);
        hook.plan(&event).expect("a plan").firings.len()
    };
    let interests = trigger.enable(workflow(5, "k", "posts", &[Action::Create])).expect("enabling cannot fail");
    assert_eq!((fires(), interests.len()), (1, 1));
    trigger.disable(WorkflowId(5));
    assert_eq!(fires(), 0);
}

#[test]
fn fields_name_what_exists() {
    let check = |result: Result<(), PluginError>, expected: Result<(), &str>| {
        let said = result.as_ref().copied().map_err(|error| {
            assert_eq!(error.kind, ErrorKind::Invalid);
            error.message.as_str()
        });
        assert_eq!(said, expected);
    };
    let posts = CollectionRef::parse("posts");
    let collection = |text: &str| fields::check_collection(&Blog, &CollectionRef::parse(text));
    check(collection("main:posts"), Ok(()));
    check(collection("erp:posts"), Err(r#"Data source "erp" does not exist"#));
    check(collection("nosuch"), Err(r#"Collection "nosuch" does not exist in data source "main""#));
    check(collection(""), Err(r#"Collection "" does not exist in data source "main""#));

    let appends = |paths: &[&str]| {
        fields::check_appends(&Blog, &posts, &paths.iter().map(|path| AssociationPath::parse(path)).collect::<Vec<_>>())
    };
    check(appends(&[]), Ok(()));
    check(appends(&["category.owner", "tags"]), Ok(()));
    for path in ["x.y", "category.y", ""] {
        let message = format!(r#"Association "{path}" does not exist in collection "posts""#);
        check(appends(&["category", path]), Err(&message));
    }

    // This view judges no conditions, so that one that says something cannot pass.
    let mut condition = Condition::default();
    check(fields::check_condition(&Blog, &posts, None), Ok(()));
    check(fields::check_condition(&Blog, &posts, Some(&condition)), Ok(()));
    condition.0.insert("data.title".to_owned(), "x".into());
    check(
        fields::check_condition(&Blog, &posts, Some(&condition)),
        Err(r#""condition": This host does not judge conditions"#),
    );
}

#[test]
fn schemas_say_what_the_form_needs() {
    let actions = fields::actions(&[Action::Create, Action::UpdateOrCreate]).to_value();
    assert_eq!(actions["items"]["enum"], serde_json::json!(["create", "updateOrCreate"]));
    assert_eq!(actions["x-visible-if"], serde_json::json!({"global": true}));
    assert_eq!(
        (&actions["title"], &actions["x-title"]["nl"]),
        (&"Actions that fire".into(), &"Acties die starten".into())
    );
}
