//! Connections to database servers that speak to nobody without encryption.

use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _, MySqlConnection, PgConnection};
use test_database::EncryptedServer;

use crate::harness::{Blog, Client, Host, HostOptions, NewWorkflow};

/// How a host starts on a database.
fn on(url: String) -> HostOptions {
    HostOptions { environment: vec![("HOST_DATABASE_URL", url)], ..HostOptions::default() }
}

#[tokio::test]
async fn a_host_works_on_a_server_that_shows_who_it_is() {
    let Some(server) = EncryptedServer::postgres() else { return };
    let trusted = format!("sslmode=verify-full&sslrootcert={}", server.authority().display());
    let url = server.url("localhost", "postgres", &trusted);
    let host = Host::start_with(on(url.clone())).await;
    let blog = Blog::set_up(host.admin().await).await;
    let workflow = blog.workflow(NewWorkflow::on("posts").global(&["create"])).await;
    blog.create("posts", "", json!({"title": "in secret"})).await.ok();
    blog.finished(&workflow, 1).await;

    let mut connection = PgConnection::connect(&url).await.expect("a connection");
    let open =
        r#"SELECT "ssl" FROM "pg_stat_ssl" JOIN "pg_stat_activity" USING ("pid") WHERE "application_name" = 'host'"#;
    let open: Vec<bool> = sqlx::query_scalar(open).fetch_all(&mut connection).await.expect("the connections");
    assert!(open.len() > 2 && open.iter().all(|is_encrypted| *is_encrypted), "{open:?}");
}

#[tokio::test]
async fn a_host_believes_no_server_that_cannot_show_who_it_is() {
    let Some(server) = EncryptedServer::postgres() else { return };
    let authority = server.authority().display().to_string();
    for (host, parameters, problem) in [
        ("localhost", "sslmode=verify-full".to_owned(), "UnknownIssuer"),
        ("127.0.0.1", format!("sslmode=verify-full&sslrootcert={authority}"), "not valid for name \"127.0.0.1\""),
        ("localhost", "sslmode=verify-full&sslrootcert=/nowhere.pem".to_owned(), "database: No such file"),
        ("localhost", "sslmode=disable".to_owned(), "no encryption"),
    ] {
        let (status, text) = Host::refuse(&on(server.url(host, "postgres", &parameters)));
        assert!(!status.success() && text.contains(problem), "{parameters}: {text}");
    }
}

/// A table of somebody else's.
const TABLE: &str = "CREATE TABLE orders (id integer PRIMARY KEY, title varchar(100) NOT NULL)";
const ORDER: &str = "INSERT INTO orders VALUES (1, 'in secret')";

/// Adds a server as a data source and reads an order there; answers why not, if it is not believed.
async fn order(admin: &Client, key: &str, url: &str) -> Result<Value, String> {
    let source = json!({"key": key, "url": url});
    let tried = admin.post("dataSources:test", source.clone()).await;
    if tried.status != 200 {
        assert_eq!(tried.code(), Some("DATA_SOURCE_UNREACHABLE"), "{tried:?}");
        return Err(tried.message().to_owned());
    }
    admin.post("dataSources:create", source).await.ok();
    Ok(admin.at(key).get("orders:get/1").await.ok()["title"].clone())
}

#[tokio::test]
async fn data_sources_are_believed_as_their_addresses_say() {
    let (Some(postgres), Some(mysql)) = (EncryptedServer::postgres(), EncryptedServer::mysql()) else { return };
    let mut connection = PgConnection::connect(&postgres.url("localhost", "postgres", "")).await.expect("a connection");
    for statement in [TABLE, ORDER] {
        connection.execute(statement).await.expect("a table");
    }
    let mut connection = MySqlConnection::connect(&mysql.url("localhost", "mysql", "")).await.expect("a connection");
    for statement in ["CREATE DATABASE erp", "USE erp", TABLE, ORDER] {
        connection.execute(statement).await.expect("a table");
    }

    let host = Host::start().await;
    let admin = &host.admin().await;
    let trusted = format!("sslmode=verify-full&sslrootcert={}", postgres.authority().display());
    let postgres = |parameters: &str| postgres.url("localhost", "postgres", parameters);
    assert_eq!(order(admin, "a", &postgres("")).await, Ok(json!("in secret")), "encrypted if the server can");
    assert_eq!(order(admin, "b", &postgres(&trusted)).await, Ok(json!("in secret")));
    let problem = order(admin, "c", &postgres("sslmode=verify-full")).await.expect_err("nobody knows the authority");
    assert!(problem.contains("UnknownIssuer"), "{problem}");
    let problem = order(admin, "c", &postgres("sslmode=disable")).await.expect_err("the server wants encryption");
    assert!(problem.contains("no encryption"), "{problem}");

    let trusted = format!("ssl-mode=VERIFY_IDENTITY&ssl-ca={}", mysql.authority().display());
    let mysql = |parameters: &str| mysql.url("localhost", "erp", parameters);
    assert_eq!(order(admin, "d", &mysql("")).await, Ok(json!("in secret")), "encrypted if the server can");
    assert_eq!(order(admin, "e", &mysql(&trusted)).await, Ok(json!("in secret")));
    let problem = order(admin, "f", &mysql("ssl-mode=VERIFY_IDENTITY")).await.expect_err("nobody knows the authority");
    assert!(problem.contains("UnknownIssuer"), "{problem}");
    let problem = order(admin, "f", &mysql("ssl-mode=DISABLED")).await.expect_err("the server wants encryption");
    assert!(problem.contains("Access denied"), "{problem}");
}
