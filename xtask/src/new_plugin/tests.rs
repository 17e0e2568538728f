use std::fs;

use super::{Name, Surroundings, cargo, with_entry, with_member, write};

#[test]
fn names_are_words() {
    for good in ["a", "order-paid", "plugin-order-paid", "v2-orders"] {
        assert!(Name::parse(good).is_ok(), "{good}");
    }
    for bad in
        ["", "plugin-", "-a", "a-", "a--b", "Order", "a_b", "2nd", "a/b", "..", "é", "api", "plugin-testkit", "a\nb"]
    {
        assert!(Name::parse(bad).is_err(), "{bad:?}");
    }
    assert!(Name::parse(&"a".repeat(65)).is_err());
    let name = Name::parse("plugin-order-paid").expect("a name");
    assert_eq!(
        [name.0.clone(), name.package(), name.crate_name(), name.type_name(), name.title()],
        ["order-paid", "plugin-order-paid", "plugin_order_paid", "OrderPaidPlugin", "Order paid"]
    );
}

#[test]
fn the_workspace_and_the_manifest_learn_of_it() {
    let name = Name::parse("order-paid").expect("a name");
    let root = cargo::metadata().expect("metadata").workspace_root;
    let members = fs::read_to_string(root.join("Cargo.toml")).expect("the workspace");
    let members = with_member(&members, "plugin-order-paid").expect("there is a list of members");
    assert!(members.contains("    \"plugin-order-paid\",\n    \"store\",\n"), "{members}");
    assert_eq!(with_member("[workspace]\n", "plugin-order-paid"), None);

    let on = with_entry("[[plugin]]\nid = \"a\"\n", &name, true);
    assert_eq!(on, "[[plugin]]\nid = \"a\"\n\n[[plugin]]\nid = \"order-paid\"\nlibrary = \"plugin_order_paid\"\n");
    let off = with_entry("", &name, false);
    assert!(off.lines().all(|line| line.is_empty() || line.starts_with("# ")), "{off}");
}

#[test]
fn what_is_there_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("mine.txt"), "mine").expect("a file");
    let name = Name::parse("order-paid").expect("a name");
    assert!(write(folder.path(), &name, &Surroundings::Workspace).is_err());
    assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 1);
}

#[test]
fn nothing_is_left_to_fill_in() {
    let name = Name::parse("order-paid").expect("a name");
    for surroundings in [Surroundings::Workspace, Surroundings::Elsewhere { project: "/project".as_ref() }] {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = parent.path().join("new");
        write(&folder, &name, &surroundings).expect("written");
        for file in ["Cargo.toml", "README.md", "src/lib.rs", "tests/scenarios.rs"] {
            let text = fs::read_to_string(folder.join(file)).expect("a file");
            assert!(!text.contains("{{"), "{file}:\n{text}");
        }
    }
}

/// The real thing: builds a new plugin elsewhere, and runs its tests, which open its library.
#[test]
fn a_new_plugin_builds_and_passes_its_tests() {
    let metadata = cargo::metadata().expect("metadata");
    let project = metadata.workspace_root.as_std_path();
    let parent = tempfile::tempdir().expect("a folder");
    let folder = parent.path().join("plugin-order-paid");
    let name = Name::parse("order-paid").expect("a name");
    write(&folder, &name, &Surroundings::Elsewhere { project }).expect("written");
    // The versions that are there already, so that nothing has to be fetched.
    fs::copy(project.join("Cargo.lock"), folder.join("Cargo.lock")).expect("copied");

    let mut command = cargo::command(["test", "--quiet", "--offline", "--target-dir"]).expect("cargo");
    command.arg(cargo::authors_target(&metadata)).current_dir(&folder);
    let output = command.output().expect("cargo runs");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("4 passed"), "two scenarios, both ways:\n{said}");
}
