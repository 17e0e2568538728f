//! Starting, stopping, crashing: what an operator sees.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::harness::{Blog, Client, Host, HostOptions, NewWorkflow, fixture::data_of, process};

#[tokio::test]
async fn the_first_start_makes_a_root_user_whose_password_is_printed_once() {
    let host = Host::start_with(HostOptions { password: None, ..HostOptions::default() }).await;
    let line = host.greeting.iter().find(|line| line.contains("password")).expect("a line with the password");
    let password = line.split_whitespace().last().expect("the password is last").to_owned();
    Client::sign_in(host.base_url(), process::EMAIL, &password).await;
    assert!(!host.log().contains(&password), "not in the log");

    let again = host.crash_and_restart().await;
    assert!(again.greeting.iter().all(|line| !line.contains("password")), "{:?}", again.greeting);
    Client::sign_in(again.base_url(), process::EMAIL, &password).await;
}

#[tokio::test]
async fn the_token_secret_belongs_to_its_owner_and_tokens_survive_a_restart() {
    let host = Host::start().await;
    let secret = host.data_dir().join("token.secret");
    let mode = std::fs::metadata(&secret).expect("the secret is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let admin = host.admin().await;
    let host = host.crash_and_restart().await;
    let same_token = Client::anonymous(host.base_url()).with_token(admin.token.as_deref().expect("a token"));
    assert_eq!(same_token.get("users:list").await.status, 200);
}

#[tokio::test]
async fn health_and_readiness_answer_without_a_token_and_sigterm_ends_cleanly() {
    let mut host = Host::start().await;
    for probe in ["healthz", "readyz"] {
        let url = format!("{}/{probe}", host.base_url());
        assert_eq!(reqwest::get(url).await.expect("an answer").status(), 200, "{probe}");
    }
    let status = host.terminate().await;
    assert!(status.success(), "{status}: {}", host.log());
}

#[tokio::test]
async fn a_required_plugin_that_fails_stops_the_start_and_an_optional_one_does_not() {
    let broken = |required: bool| HostOptions {
        manifest: format!(
            "{}\n[[plugin]]\nid = \"absent\"\nlibrary = \"./absent.so\"\nrequired = {required}\n",
            process::BUILT_IN_PLUGINS
        ),
        ..HostOptions::default()
    };
    let (status, output) = Host::refuse(&broken(true));
    assert!(!status.success());
    assert!(output.contains("absent"), "{output}");

    let host = Host::start_with(broken(false)).await;
    let blog = Blog::set_up(host.admin().await).await;
    let workflow = blog.workflow(NewWorkflow::on("posts").sync()).await;
    blog.create("posts", &workflow.key, json!({"title": "runs"})).await.ok();
    assert_eq!(blog.executions(&workflow).await.len(), 1);
}

#[tokio::test]
async fn what_was_acknowledged_has_its_execution_after_kill_9() {
    let host = Host::start().await;
    let blog = Blog::set_up(host.admin().await).await;
    let workflow = blog.workflow(NewWorkflow::on("posts").logs("{{$context.data.title}}")).await;
    let mut titles = Vec::new();
    for number in 0..50 {
        let title = format!("p{number}");
        blog.create("posts", &workflow.key, json!({"title": title})).await.ok();
        titles.push(json!(title));
    }

    let host = host.crash_and_restart().await;
    let blog = Blog { admin: host.admin().await };
    let executions = blog.finished(&workflow, 50).await;
    assert_eq!(data_of(&executions, "title"), titles);
    assert_eq!(blog.log().await, titles.iter().map(|title| title.as_str().expect("a text")).collect::<Vec<_>>());
}
