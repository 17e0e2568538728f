use super::{Index, SharedIndex};
use crate::{
    Action, CollectionRef, WorkflowId,
    watch::example::{Example, enabled, workflow},
};

fn globals(index: &Index<Example>, collection: &str, action: Action) -> Vec<i64> {
    index.globals(&CollectionRef::parse(collection), action).map(|workflow| workflow.id.0).collect()
}

#[test]
fn globals_fire_by_id_whatever_order_they_were_enabled_in() {
    let mut index = Index::default();
    for id in [3, 1, 2] {
        index.enable(&enabled(id, &format!("k{id}"), "posts", &[Action::Create]));
    }
    assert_eq!(globals(&index, "posts", Action::Create), [1, 2, 3]);
    assert_eq!(globals(&index, "posts", Action::Update), [0; 0]);
    assert_eq!(globals(&index, "tags", Action::Create), [0; 0]);
    assert_eq!(globals(&index, "main:posts", Action::Create), [1, 2, 3], "the main data source may be named");
}

#[test]
fn a_new_version_takes_over_its_key() {
    let mut index = Index::default();
    index.enable(&enabled(1, "k", "posts", &[Action::Create]));
    index.enable(&enabled(2, "k", "posts", &[Action::Update]));
    assert_eq!(index.by_key("k").map(|found| found.id), Some(WorkflowId(2)));
    assert_eq!(globals(&index, "posts", Action::Create), [0; 0]);
    assert_eq!(globals(&index, "posts", Action::Update), [2]);

    index.disable(WorkflowId(1));
    assert_eq!(
        index.by_key("k").map(|found| found.id),
        Some(WorkflowId(2)),
        "the old version has nothing to take along"
    );
    index.disable(WorkflowId(2));
    assert!(index.by_key("k").is_none());
}

#[test]
fn enabling_again_replaces_the_configuration() {
    let mut index = Index::default();
    index.enable(&enabled(1, "k", "posts", &[Action::Create, Action::Destroy]));
    index.enable(&enabled(1, "k", "tags", &[Action::Destroy]));
    assert_eq!(globals(&index, "posts", Action::Create), [0; 0]);
    assert_eq!(globals(&index, "posts", Action::Destroy), [0; 0]);
    assert_eq!(globals(&index, "tags", Action::Destroy), [1]);
    assert!(index.globals.get(&CollectionRef::parse("posts")).is_none(), "an empty entry stayed behind");
}

#[test]
fn a_snapshot_stays_as_it_was() {
    let shared = SharedIndex::default();
    shared.enable(workflow(1, "k", "posts", &[]));
    let before = shared.snapshot();
    shared.disable(WorkflowId(1));
    shared.disable(WorkflowId(7));
    assert!(before.by_key("k").is_some());
    assert!(shared.snapshot().by_key("k").is_none());
}

#[test]
fn many_workflows_come_and_go() {
    const COUNT: i64 = 20_000;
    let shared = SharedIndex::default();
    for id in 0..COUNT {
        let watches: &[Action] = if id % 2 == 0 { &[Action::Create] } else { &[] };
        shared.enable(workflow(id, &id.to_string(), "posts", watches));
    }
    let full = shared.snapshot();
    assert_eq!(globals(&full, "posts", Action::Create).len(), usize::try_from(COUNT / 2).expect("small"));
    assert_eq!(full.by_key("17777").map(|found| found.id), Some(WorkflowId(17_777)));
    for id in 0..COUNT {
        shared.disable(WorkflowId(id));
    }
    let empty = shared.snapshot();
    assert!(empty.by_id.is_empty() && empty.by_key.is_empty() && empty.globals.is_empty());
}

#[test]
fn writers_at_the_same_time_lose_nothing() {
    let shared = SharedIndex::default();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let shared = &shared;
            scope.spawn(move || {
                for n in 0..500 {
                    let id = writer * 500 + n;
                    shared.enable(workflow(id, &id.to_string(), "posts", &[Action::Update]));
                }
            });
        }
    });
    assert_eq!(globals(&shared.snapshot(), "posts", Action::Update), (0..2000).collect::<Vec<_>>());
}
