//! What is bound to a button is one list, changed as a whole or not at all.

use serde_json::json;
use store::{BindingDraft, BindingId, Button, ButtonFacts, StoreError, WorkflowRow};

use crate::fixture::{Fixture, record};

fn facts(collection: &str) -> ButtonFacts {
    ButtonFacts {
        title: Some("Submit".into()),
        button_type: "formSubmit".into(),
        collection: collection.into(),
        block_id: None,
        block_title: None,
    }
}

fn draft(workflow_key: &str, path: &str) -> BindingDraft {
    BindingDraft { id: None, workflow_key: workflow_key.into(), path: path.into() }
}

/// The list as `key!path`, in order.
fn list(button: &Button) -> Vec<String> {
    button.bindings.iter().map(|binding| format!("{}!{}", binding.workflow_key, binding.path)).collect()
}

async fn make(fixture: &Fixture, key: Option<&str>) -> Result<Button, StoreError> {
    let key = key.map(str::to_owned);
    fixture.store.write(|tx| Box::pin(async move { tx.create_button(key, &facts("posts")).await })).await
}

async fn set(fixture: &Fixture, key: &'static str, drafts: Vec<BindingDraft>) -> Result<Button, StoreError> {
    fixture.store.write(move |tx| Box::pin(async move { tx.set_bindings(key, drafts).await })).await
}

#[test_database::test]
async fn a_list_keeps_its_order_and_its_ids_across_changes_and_restarts() {
    let fixture = Fixture::empty().await;
    make(&fixture, Some("b")).await.expect("a button");
    let first = set(&fixture, "b", vec![draft("one", ""), draft("two", "category"), draft("three", "")]).await;
    let first = first.expect("a list");
    assert_eq!(list(&first), ["one!", "two!category", "three!"]);

    let mut drafts: Vec<BindingDraft> = first.bindings.iter().cloned().map(Into::into).collect();
    drafts.reverse();
    drafts.remove(1);
    drafts[0].path = "tags".into();
    drafts.push(draft("four", ""));
    set(&fixture, "b", drafts).await.expect("a list");

    let fixture = fixture.reopen().await;
    let stored = fixture.store.read().await.expect("a reader").button("b").await.expect("read").expect("there");
    assert_eq!(list(&stored), ["three!tags", "one!", "four!"]);
    assert_eq!([stored.bindings[0].id, stored.bindings[1].id], [first.bindings[2].id, first.bindings[0].id]);
    assert_eq!(stored.facts, facts("posts"));
}

#[test_database::test]
async fn a_list_that_is_refused_changes_nothing() {
    let fixture = Fixture::empty().await;
    for key in ["b", "other"] {
        make(&fixture, Some(key)).await.expect("a button");
    }
    let before = set(&fixture, "b", vec![draft("one", ""), draft("two", "")]).await.expect("a list");
    let theirs = set(&fixture, "other", vec![draft("one", "")]).await.expect("a list").bindings[0].id;

    let twice = set(&fixture, "b", vec![draft("new", ""), draft("new", "")]).await;
    assert!(matches!(twice, Err(StoreError::NotUnique { .. })), "{twice:?}");
    for id in [theirs, BindingId(987_654)] {
        let stranger = BindingDraft { id: Some(id), ..draft("one", "") };
        let refused = set(&fixture, "b", vec![stranger]).await;
        assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{refused:?}");
    }
    let nobody = set(&fixture, "nobody", vec![draft("one", "")]).await;
    assert!(matches!(nobody, Err(StoreError::NotFound { .. })), "{nobody:?}");

    let mut conn = fixture.store.read().await.expect("a reader");
    let after = conn.buttons(&["other", "nobody", "b"]).await.expect("buttons");
    assert_eq!(after.iter().map(list).collect::<Vec<_>>(), [vec!["one!"], vec!["one!", "two!"]]);
    assert_eq!(after[1], before);
}

#[test_database::test]
async fn keys_are_unique_or_made_and_bindings_go_with_their_button() {
    let fixture = Fixture::empty().await;
    make(&fixture, Some("b")).await.expect("a button");
    let again = make(&fixture, Some("b")).await;
    assert!(matches!(&again, Err(StoreError::NotUnique { field }) if field == "key"), "{again:?}");
    let made = make(&fixture, None).await.expect("a button").key;
    assert_eq!(made.len(), 11);
    set(&fixture, "b", vec![draft("one", "")]).await.expect("a list");

    let gone = fixture
        .store
        .write::<_, StoreError, _>(|tx| Box::pin(async move { tx.destroy_buttons(&["b", "nobody"]).await }));
    assert_eq!(gone.await.expect("a count"), 1);
    assert_eq!(fixture.find("buttonBindings", json!({}), &[]).await.expect("rows"), Vec::<serde_json::Value>::new());
    assert_eq!(fixture.find("buttons", json!({}), &[]).await.expect("rows")[0]["key"], made);
}

#[test_database::test]
async fn the_version_that_counts_is_the_enabled_one_or_else_the_current_one() -> Result<(), StoreError> {
    let fixture = Fixture::empty().await;
    let write = async |values: serde_json::Value| {
        let values = record(values);
        fixture.store.write(|tx| Box::pin(async move { tx.create_workflow(values, None).await })).await
    };
    let revise = async |of: &WorkflowRow| {
        let id = of.id;
        let next = store::workflows::Revision::NextVersion;
        fixture.store.write(move |tx| Box::pin(async move { tx.revise_workflow(id, next).await })).await
    };
    let enabled = write(json!({"type": "action", "enabled": true})).await?;
    let disabled = write(json!({"type": "action"})).await?;
    for workflow in [&enabled, &disabled] {
        revise(workflow).await?;
    }
    let mut conn = fixture.store.read().await?;
    let found = conn.workflows_by_key(&[&enabled.key, &disabled.key, "nobody"]).await?;
    assert_eq!(found.len(), 2);
    assert_eq!([found[&enabled.key].id, found[&disabled.key].id], [enabled.id, disabled.id]);
    Ok(())
}
