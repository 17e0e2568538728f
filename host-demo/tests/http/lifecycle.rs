//! Starting and stopping.

use host_demo::{Server, error::HostError};
use serde_json::json;

use crate::harness::{Running, options};

#[tokio::test]
async fn what_cannot_start_says_why_in_one_line() {
    let running = Running::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let refuse = async |change: &dyn Fn(&mut host_demo::ServerOptions)| {
        let mut options = options(folder.path());
        change(&mut options);
        let Err(error) = Server::start(options).await else { panic!("it started") };
        let line = error.to_string();
        assert!(!line.contains('\n'), "{line}");
        error
    };
    let data_dir = running.folder.path().join("data");
    let taken = refuse(&|options| options.data_dir.clone_from(&data_dir)).await;
    assert!(matches!(taken, HostError::DataDirInUse { .. }), "{taken}");
    let address = running.server.local_addr();
    let taken = refuse(&|options| options.listen = address).await;
    assert!(matches!(taken, HostError::Listen { .. }), "{taken}");
    for url in ["mysql://localhost/x", "postgres://localhost/x?host=/nosuch/folder"] {
        let other = refuse(&|options| options.database_url = Some(url.to_owned())).await;
        assert!(matches!(other, HostError::Store(_)), "{other}");
    }
    let nobody = refuse(&|options| options.admin.email = "nobody".to_owned()).await;
    assert!(matches!(nobody, HostError::AdminEmail(_)), "{nobody}");
    let empty = refuse(&|options| options.admin.password = Some(String::new())).await;
    assert!(matches!(empty, HostError::AdminPassword(_)), "{empty}");
    let absent = refuse(&|options| options.manifest = Some("absent.toml".into())).await;
    assert!(matches!(absent, HostError::Plugins(_)), "{absent}");
}

#[tokio::test]
async fn a_stopped_server_starts_again_on_its_data() {
    let running = Running::start().await;
    let root = running.root().await;
    root.make_posts().await;
    let workflow = root.make_workflow().await;
    let Running { server, folder, url } = running;
    server.shutdown().await;
    let gone =
        reqwest::Client::builder().no_proxy().build().expect("a client").get(format!("{url}/healthz")).send().await;
    assert!(gone.is_err(), "nobody listens any more");

    let again = Running::start_in(folder).await.expect("it starts again");
    assert_eq!(again.server.made_password(), None);
    let root = again.root().await;
    let bound = format!("posts:create?triggerWorkflows={}", workflow["key"].as_str().expect("a key"));
    root.post(&bound, json!({"title": "x"})).await.data();
    assert_eq!(root.get("executions:list").await.1["meta"]["count"], 1, "enabled workflows are enabled again");
}

#[tokio::test]
async fn no_manifest_means_no_plugins() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut options = options(folder.path());
    options.manifest = None;
    let server = Server::start(options).await.expect("it starts");
    let url = format!("http://{}/readyz", server.local_addr());
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let ready: serde_json::Value = client.get(url).send().await.expect("sent").json().await.expect("JSON");
    assert_eq!(ready, json!({"ready": true, "database": true, "draining": false, "plugins": {}}));
    server.shutdown().await;
}
