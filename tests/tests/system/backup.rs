//! Copies of a database that a server works with. Those of PostgreSQL are its own tools' work.

use std::{os::unix::fs::PermissionsExt as _, path::Path, process::Output};

use serde_json::json;
use tokio::process::Command;

use crate::harness::{Blog, Host, NewWorkflow};

async fn back_up(data_dir: &Path, file: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_host"));
    command.args(["backup", "--data-dir"]).arg(data_dir).arg(file).output().await.expect("the program runs")
}

#[tokio::test]
async fn a_busy_server_is_copied_as_it_is_at_one_moment() {
    let folder = tempfile::tempdir().expect("a folder");
    let host = Host::start().await;
    if test_database::chosen_for(&host.data_dir()).is_some() {
        return;
    }
    let blog = Blog::set_up(host.admin().await).await;
    let workflow = blog.workflow(NewWorkflow::on("posts").global(&["create"])).await;
    for number in 0..10 {
        blog.admin.post("posts:create", json!({"title": format!("before {number}")})).await.ok();
    }
    let file = folder.path().join("copy.db");
    let busy = async {
        loop {
            blog.admin.post("posts:create", json!({"title": "meanwhile"})).await.ok();
        }
    };
    let data_dir = host.data_dir();
    let output = tokio::select! {
        output = back_up(&data_dir, &file) => output,
        () = busy => unreachable!("it does not end"),
    };
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.starts_with(&file.display().to_string()), "{said}");
    assert_eq!(file.metadata().expect("the copy").permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(folder.path()).expect("the folder").count(), 1, "nothing is left beside it");

    let restored = Host::start_on(&file).await;
    let copied = Blog { admin: restored.admin().await };
    let posts = copied.admin.list("posts", json!({})).await;
    let before = posts.iter().filter(|post| post["title"] != "meanwhile").count();
    assert_eq!(before, 10, "what was answered before is there");
    assert_eq!(copied.finished(&workflow, posts.len()).await.len(), posts.len(), "and all that it starts");
}

#[tokio::test]
async fn what_cannot_be_copied_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let (nowhere, file) = (folder.path().join("nowhere"), folder.path().join("copy.db"));
    let output = back_up(&nowhere, &file).await;
    assert!(!output.status.success());
    assert_eq!(std::fs::read_dir(folder.path()).expect("the folder").count(), 0, "{output:?}");
    std::fs::write(&file, "mine").expect("written");
    let output = back_up(&nowhere, &file).await;
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("is there already"), "{output:?}");
    assert_eq!(std::fs::read_to_string(&file).expect("read"), "mine");
}
