//! What connects a host with its PostgreSQL database, and fails in the ways in which networks do.

mod questions;

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::{Context as _, Result};
use sqlx::postgres::PgConnectOptions;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy, sink, split},
    net::{TcpListener, TcpStream, UnixStream},
    sync::watch,
    task::JoinSet,
    try_join,
};

use questions::Questions;

/// Bytes that are under way in one direction of a connection at most.
const BUFFER_BYTES: usize = 16 * 1024;

/// A way to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outage {
    /// Connections break, and new ones are refused.
    Break,
    /// Nothing arrives. What was sent meanwhile arrives when it is over: networks send again what was lost.
    Delay,
    /// Nothing arrives, and on the connections from before nothing ever does again, though the host is not told that they are gone.
    Silence,
}

/// A connection through a port of its own.
pub struct Cable {
    url: String,
    port: u16,
    far: Far,
    way: watch::Sender<Way>,
    made: Arc<AtomicU64>,
    questions: Arc<AtomicU64>,
    outage: Option<Outage>,
    /// Takes connections; those that it has taken end with it.
    carrying: JoinSet<()>,
}

/// Where the database's server listens.
#[derive(Debug, Clone)]
enum Far {
    Socket(PathBuf),
    Address(String, u16),
}

/// What becomes of bytes.
#[derive(Debug, Clone, Copy)]
struct Way {
    is_open: bool,
    /// Connections made before this one are lost.
    lost_before: u64,
}

impl Cable {
    /// Connects with the database at `url`.
    ///
    /// # Errors
    ///
    /// The URL is not understood, or there is no free port.
    pub async fn to(url: &str) -> Result<Self> {
        let options: PgConnectOptions = url.parse()?;
        let far = match options.get_socket() {
            Some(folder) => Far::Socket(folder.join(format!(".s.PGSQL.{}", options.get_port()))),
            None => Far::Address(options.get_host().to_owned(), options.get_port()),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let (way, _) = watch::channel(Way { is_open: true, lost_before: 0 });
        let (made, questions, carrying) = (Arc::default(), Arc::default(), JoinSet::new());
        let mut cable = Self { url: through(url, port)?, port, far, way, made, questions, outage: None, carrying };
        cable.carry(listener);
        Ok(cable)
    }

    /// The database's URL for who is to go through the cable.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How often the host has asked the server something so far, and waited for the answer.
    pub fn questions(&self) -> u64 {
        self.questions.load(Ordering::SeqCst)
    }

    fn carry(&mut self, listener: TcpListener) {
        let (far, way, made) = (self.far.clone(), self.way.subscribe(), Arc::clone(&self.made));
        let questions = Arc::clone(&self.questions);
        self.carrying.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                let number = made.fetch_add(1, Ordering::SeqCst);
                let (far, way, asked) = (far.clone(), way.clone(), Arc::clone(&questions));
                connections.spawn(async move {
                    match far {
                        Far::Socket(path) => connect(near, UnixStream::connect(path).await?, way, number, &asked).await,
                        Far::Address(host, port) => {
                            connect(near, TcpStream::connect((host, port)).await?, way, number, &asked).await
                        }
                    }
                });
                while connections.try_join_next().is_some() {}
            }
        });
    }

    /// Fails from now on.
    pub async fn cut(&mut self, outage: Outage) {
        match outage {
            Outage::Break => self.carrying.shutdown().await,
            Outage::Delay | Outage::Silence => self.way.send_modify(|way| way.is_open = false),
        }
        self.outage = Some(outage);
    }

    /// Works again.
    ///
    /// # Errors
    ///
    /// Somebody else has taken the port.
    pub async fn mend(&mut self) -> Result<()> {
        match self.outage.take() {
            None => {}
            Some(Outage::Break) => {
                let listener = TcpListener::bind(("127.0.0.1", self.port)).await.context("the port is taken")?;
                self.carry(listener);
            }
            Some(outage @ (Outage::Delay | Outage::Silence)) => {
                let next = self.made.load(Ordering::SeqCst);
                self.way.send_modify(|way| {
                    way.is_open = true;
                    if outage == Outage::Silence {
                        way.lost_before = next;
                    }
                });
            }
        }
        Ok(())
    }
}

/// The same database by another way.
fn through(url: &str, port: u16) -> Result<String> {
    let (scheme, rest) = url.split_once("://").context("a URL")?;
    let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = place.split_once('/').context("a database")?;
    let user = authority.rsplit_once('@').map_or("postgres", |(user, _)| user);
    let kept: Vec<&str> = parameters.split('&').filter(|one| !one.is_empty() && !one.starts_with("host=")).collect();
    Ok(format!("{scheme}://{user}@127.0.0.1:{port}/{database}?{}", kept.join("&")))
}

/// Carries a connection until it ends, or is lost.
async fn connect<F>(
    mut near: TcpStream,
    far: F,
    mut way: watch::Receiver<Way>,
    number: u64,
    asked: &AtomicU64,
) -> io::Result<()>
where
    F: AsyncRead + AsyncWrite,
{
    {
        let (near_read, near_write) = near.split();
        let (far_read, far_write) = split(far);
        let mut lost = way.clone();
        let mut questions = Questions::default();
        let there = pump(near_read, far_write, way.clone(), |bytes| {
            asked.fetch_add(questions.count(bytes), Ordering::SeqCst);
        });
        let back = pump(far_read, near_write, way.clone(), |_| {});
        tokio::select! {
            ended = async { try_join!(there, back) } => return ended.map(drop),
            _ = lost.wait_for(|way| way.is_open && number < way.lost_before) => {}
        }
    }
    // The server notices at some time, and the host does not.
    way.mark_unchanged();
    copy(&mut near, &mut sink()).await.map(drop)
}

/// Carries bytes in one direction, while the way is open, and shows them.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut way: watch::Receiver<Way>,
    mut show: impl FnMut(&[u8]),
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let count = from.read(&mut buffer).await?;
        if way.wait_for(|way| way.is_open).await.is_err() {
            return Ok(());
        }
        if count == 0 {
            return to.shutdown().await;
        }
        show(&buffer[..count]);
        to.write_all(&buffer[..count]).await?;
    }
}
