//! `notification`: what people are told inside, and the mail that a server on this machine is handed.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use store::{ExecutionStatus, JobStatus};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};
use workflow::{MailServer, OutsideOptions};

use crate::harness::{Harness, log, node, object};

/// A server that takes mail: it speaks as much SMTP as a client needs, and keeps what it took. Mail to `full@…` it refuses.
struct PostOffice {
    address: SocketAddr,
    taken: Arc<Mutex<Vec<Taken>>>,
    _stop: DropGuard,
}

/// A message, as it came.
#[derive(Debug, Clone)]
struct Taken {
    from: String,
    to: String,
    message: String,
}

impl PostOffice {
    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let taken = Arc::new(Mutex::new(Vec::new()));
        let stop = CancellationToken::new();
        let (kept, stopped, tasks) = (Arc::clone(&taken), stop.clone(), TaskTracker::new());
        tasks.clone().spawn(async move {
            while let Some(Ok((stream, _))) = stopped.run_until_cancelled(listener.accept()).await {
                let (kept, stopped) = (Arc::clone(&kept), stopped.clone());
                tasks.spawn(async move { stopped.run_until_cancelled(talk(stream, &kept)).await });
            }
        });
        Self { address, taken, _stop: stop.drop_guard() }
    }

    fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    fn taken(&self) -> Vec<Taken> {
        self.taken.lock().unwrap().clone()
    }
}

async fn talk(stream: TcpStream, taken: &Mutex<Vec<Taken>>) -> std::io::Result<()> {
    let (reading, mut writing) = stream.into_split();
    let mut lines = BufReader::new(reading).lines();
    writing.write_all(b"220 post office\r\n").await?;
    let mut letter = Taken { from: String::new(), to: String::new(), message: String::new() };
    while let Some(line) = lines.next_line().await? {
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let answer = match verb.as_str() {
            "EHLO" | "HELO" => "250 welcome",
            "MAIL" => {
                letter.from.clone_from(&line);
                "250 ok"
            }
            "RCPT" if line.contains("full@") => "550 the mailbox is full",
            "RCPT" => {
                letter.to.clone_from(&line);
                "250 ok"
            }
            "DATA" => {
                writing.write_all(b"354 go on\r\n").await?;
                letter.message.clear();
                while let Some(text) = lines.next_line().await?.filter(|text| text != ".") {
                    letter.message.push_str(&text);
                    letter.message.push('\n');
                }
                taken.lock().unwrap().push(letter.clone());
                "250 taken"
            }
            "RSET" | "NOOP" => "250 ok",
            "QUIT" => {
                writing.write_all(b"221 goodbye\r\n").await?;
                return Ok(());
            }
            _ => "502 what?",
        };
        writing.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
    Ok(())
}

impl Taken {
    fn header(&self, name: &str) -> &str {
        let start = format!("{name}: ");
        self.message
            .lines()
            .take_while(|line| !line.is_empty())
            .find_map(|line| line.strip_prefix(&start))
            .unwrap_or_default()
    }
}

async fn with_mail(url: &str) -> Harness {
    let mail = MailServer::new(url, "Workflows <workflows@example.com>").unwrap();
    Harness::with_outside(OutsideOptions { mail: Some(mail), ..OutsideOptions::default() }).await
}

fn notification(config: Value) -> crate::harness::Node {
    let mut whole = object(json!({
        "receivers": "{{$context.people}}", "title": "{{$context.data.title}} is here",
        "content": "Grüße,\n{{$context.data.title}}", "channels": ["in-app", "email"],
    }));
    whole.extend(object(config));
    node("notification", Value::Object(whole))
}

#[test_database::test]
async fn people_are_told_inside_by_default() {
    let harness = Harness::new().await;
    let (one, two) = (harness.user(json!({})).await, harness.user(json!({})).await);
    let telling = node("notification", json!({"receivers": [one, two, one], "title": "{{$context.data.title}}!"}));
    let (execution, _, result) = harness.run_node(telling, json!({"data": {"title": "x"}})).await;
    assert_eq!(execution, ExecutionStatus::Resolved);
    assert_eq!(result, json!({"inApp": [one, two], "mailed": [], "withoutAddress": []}));
    let told = harness.records("notifications").await;
    let told: Vec<_> =
        told.iter().map(|row| (row["userId"].clone(), row["title"].clone(), row["read"].clone())).collect();
    assert_eq!(told, [one, two].map(|id| (json!(id), json!("x!"), json!(false))));
}

#[test_database::test]
async fn mail_goes_to_each_with_an_address_under_a_stable_id() {
    let office = PostOffice::open().await;
    let harness = with_mail(&office.url()).await;
    let people = [
        harness.user(json!({"email": "ann@example.com"})).await,
        harness.user(json!({})).await,
        harness.user(json!({"email": "ben@example.com"})).await,
        harness.user(json!({"email": "no address"})).await,
    ];
    let workflow = harness.workflow(vec![notification(json!({}))]).await;
    let key = harness.records("flow_nodes").await[0]["key"].as_str().unwrap().to_owned();
    let title = "line\r\nBcc: eve@example.com";
    let outcome = harness.run(&workflow, json!({"people": people, "data": {"title": title}})).await;
    let job = harness.jobs(outcome.id).await.remove(0);
    assert_eq!(job.status, JobStatus::Resolved, "{}", job.result);
    let [ann, nobody, ben, broken] = people;
    assert_eq!(job.result, json!({"inApp": people, "mailed": [ann, ben], "withoutAddress": [nobody, broken]}));
    assert_eq!(harness.records("notifications").await.len(), 4);

    let taken = office.taken();
    assert_eq!(taken.len(), 2, "{taken:?}");
    assert!(
        taken[0].from.contains("<workflows@example.com>") && taken[0].to.contains("<ann@example.com>"),
        "{taken:?}"
    );
    assert!(taken[1].to.contains("<ben@example.com>"), "{taken:?}");
    assert_eq!(taken[0].header("Message-ID"), format!("<{}-{key}-u{ann}@example.com>", outcome.id));
    assert_eq!(taken[0].header("From"), "Workflows <workflows@example.com>");
    assert_eq!(taken[0].header("Subject"), "line  Bcc: eve@example.com is here");
    assert_eq!(taken[0].header("Bcc"), "", "a title brings no headers along");
    assert!(!taken[0].message.contains("ben@example.com"), "nobody sees who else is told");
}

#[test_database::test]
async fn mail_that_is_refused_fails_the_node_or_not() {
    let office = PostOffice::open().await;
    let harness = with_mail(&office.url()).await;
    let people = [harness.user(json!({"email": "full@example.com"})).await];
    let context = json!({"people": people, "data": {"title": "x"}});
    let (execution, status, result) = harness.run_node(notification(json!({})), context.clone()).await;
    assert_eq!((execution, status), (ExecutionStatus::Failed, JobStatus::Failed));
    let message = result["message"].as_str().unwrap_or_default();
    assert!(message.starts_with("the mail could not be sent: ") && message.contains("full"), "{message}");
    assert_eq!(harness.records("notifications").await, Vec::<Value>::new());

    let (execution, _, result) = harness.run_node(notification(json!({"ignoreFail": true})), context).await;
    assert_eq!(execution, ExecutionStatus::Resolved);
    assert_eq!(
        (&result["inApp"], &result["mailed"], &result["message"]),
        (&json!(people), &json!([]), &json!(message))
    );
    assert_eq!(office.taken().len(), 0);
}

#[test_database::test]
async fn a_server_that_is_not_there_fails_the_node() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let harness = with_mail(&format!("smtp://{gone}")).await;
    let people = [harness.user(json!({"email": "ann@example.com"})).await];
    let (execution, _, result) = harness.run_node(notification(json!({})), json!({"people": people})).await;
    assert_eq!(execution, ExecutionStatus::Failed);
    assert!(result["message"].as_str().unwrap_or_default().starts_with("the mail could not be sent: "), "{result}");
}

#[test_database::test]
async fn without_a_server_there_is_no_mail() {
    let harness = Harness::new().await;
    let people = [harness.user(json!({"email": "ann@example.com"})).await];
    let context = json!({"people": people});
    let missing = "mail cannot be sent: the server was started without --smtp-url";
    let (execution, status, result) = harness.run_node(notification(json!({})), context.clone()).await;
    assert_eq!((execution, status, &result["message"]), (ExecutionStatus::Error, JobStatus::Error, &json!(missing)));
    let workflow = harness.workflow(vec![notification(json!({"ignoreFail": true})), log("after")]).await;
    assert_eq!(harness.run(&workflow, context).await.status, ExecutionStatus::Resolved);
    assert_eq!(harness.logs().await, ["after"]);
}

#[test_database::test]
async fn what_is_no_mail_server_or_sender_is_told() {
    for (url, from, beginning) in [
        ("http://localhost", "a@example.com", "the mail server has to be smtp://"),
        ("localhost:25", "a@example.com", "the mail server has to be smtp://"),
        ("smtp://localhost", "nobody", "\"nobody\" is no mail address: "),
    ] {
        let error = MailServer::new(url, from).unwrap_err().to_string();
        assert!(error.starts_with(beginning), "{url} {from}: {error}");
    }
    let debug = format!("{:?}", MailServer::new("smtps://me:s3cret@localhost", "a@example.com").unwrap());
    assert!(!debug.contains("s3cret"), "{debug}");
}
