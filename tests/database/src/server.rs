//! The PostgreSQL server of this process.
//!
//! One that is started here belongs to a guard, a shell that waits for the end of its input, which is this process: so the
//! server is stopped and its folder removed even if this process is killed.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{ChildStdin, Command, Stdio},
    sync::{
        LazyLock, Mutex, Once,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
};

use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, postgres::PgConnectOptions};

/// The unprivileged user of most systems: PostgreSQL refuses to run as root.
const NOBODY: u32 = 65_534;

/// Makes a cluster in the folder `$1` with the programs in `$2`, starts it with the settings in `$3`, and ends it when the input ends.
/// The locale is none that sorts by bytes: what has to, says so.
const GUARD: &str = r#"
trap '' INT TERM HUP
"$2/initdb" -D "$1/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --locale-provider=icu --icu-locale=en-US \
    --no-sync --no-instructions >"$1/initdb.log" 2>&1 \
&& "$2/pg_ctl" -D "$1/data" -l "$1/server.log" -w -t 60 start >"$1/start.log" 2>&1 -o "-k '$1' -c listen_addresses= \
    -c max_connections=500 $3" \
&& echo ready
read -r forever
"$2/pg_ctl" -D "$1/data" -m immediate stop >/dev/null 2>&1
rm -rf "$1"
"#;

/// For tests nothing has to outlive a crash of the machine, so nothing is flushed.
const FORGETFUL: &str =
    "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c shared_buffers=64MB -c autovacuum=off";
/// For measurements a commit means what it means in earnest.
const DURABLE: &str = "-c shared_buffers=512MB -c max_wal_size=4GB";

/// Whether the server is to be started for measurements.
pub(super) static IS_DURABLE: AtomicBool = AtomicBool::new(false);

struct Server {
    /// Without a database.
    options: PgConnectOptions,
    /// The URL of a database, but for its name.
    url: Box<dyn Fn(&str) -> String + Send + Sync>,
    clerk: Mutex<mpsc::SyncSender<Order>>,
    /// Held open as long as this process lives.
    _guard: Option<ChildStdin>,
}

/// Something to be done by the clerk, and where to say what came of it.
struct Order {
    statement: String,
    reply: mpsc::SyncSender<Result<(), String>>,
}

static SERVER: LazyLock<Result<Server, String>> = LazyLock::new(|| match std::env::var("DATABASE_URL") {
    Ok(url) => given(&url),
    Err(_) => start(),
});

/// Says whether there is a server, or why not.
pub(super) fn url() -> Result<(), &'static str> {
    SERVER.as_ref().map(drop).map_err(String::as_str)
}

/// Says once, past the test harness, which shows only what failing tests print, why there are no tests on a server.
pub(super) fn say_that_it_is_left_out(problem: &str) {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        // Nobody may be listening.
        drop(writeln!(std::io::stdout(), "PostgreSQL is left out: {problem}"));
    });
}

/// Makes a database and answers its URL.
pub(super) fn create(name: &str) -> Result<String, String> {
    let server = SERVER.as_ref()?;
    server.carry_out(format!("CREATE DATABASE {name}"))?;
    Ok((server.url)(name))
}

/// Removes a database, whoever is connected to it.
pub(super) fn remove(name: &str) -> Result<(), String> {
    SERVER.as_ref()?.carry_out(format!("DROP DATABASE {name} WITH (FORCE)"))
}

impl Server {
    fn new(
        options: PgConnectOptions,
        url: impl Fn(&str) -> String + Send + Sync + 'static,
        guard: Option<ChildStdin>,
    ) -> Result<Self, String> {
        // The clerk does one thing after the other; who orders waits for it.
        let (clerk, orders) = mpsc::sync_channel(1);
        let server = Self { options, url: Box::new(url), clerk: Mutex::new(clerk), _guard: guard };
        server.employ(orders);
        server.carry_out("SELECT 1".to_owned())?;
        Ok(server)
    }

    /// A thread of its own: tests have runtimes that end with them.
    fn employ(&self, orders: mpsc::Receiver<Order>) {
        let options = self.options.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            for order in orders {
                let done = runtime.block_on(async {
                    let mut connection = options.connect().await?;
                    connection.execute(AssertSqlSafe(order.statement)).await?;
                    connection.close().await
                });
                // The test may have gone away.
                drop(order.reply.send(done.map_err(|error: sqlx::Error| error.to_string())));
            }
        });
    }

    fn carry_out(&self, statement: String) -> Result<(), String> {
        let (reply, answer) = mpsc::sync_channel(1);
        let clerk = self.clerk.lock().map_err(|error| error.to_string())?.clone();
        clerk.send(Order { statement, reply }).map_err(|error| error.to_string())?;
        answer.recv().map_err(|error| error.to_string())?
    }
}

fn given(url: &str) -> Result<Server, String> {
    let options: PgConnectOptions = url.parse().map_err(|error: sqlx::Error| error.to_string())?;
    let (before, after) = match url.split_once('?') {
        Some((before, parameters)) => (before, format!("?{parameters}")),
        None => (url, String::new()),
    };
    let server = match before.match_indices('/').nth(2) {
        Some((end, _)) => before[..end].to_owned(),
        None => before.to_owned(),
    };
    Server::new(options, move |name| format!("{server}/{name}{after}"), None)
}

fn start() -> Result<Server, String> {
    let programs = programs().ok_or("there is no PostgreSQL on this machine, and no DATABASE_URL")?;
    let folder = tempfile::Builder::new().prefix("postgres").tempdir().map_err(|error| error.to_string())?;
    let mut guard = Command::new("sh");
    guard.args(["-c", GUARD, "guard"]).arg(folder.path()).arg(programs);
    guard.arg(if IS_DURABLE.load(Ordering::Relaxed) { DURABLE } else { FORGETFUL });
    if is_root() {
        chown(folder.path(), Some(NOBODY), Some(NOBODY)).map_err(|error| error.to_string())?;
        guard.uid(NOBODY).gid(NOBODY);
    }
    // Ctrl-C is for the tests: the guard hears of it when they end.
    guard.process_group(0).current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = guard.spawn().map_err(|error| format!("the server cannot be started: {error}"))?;
    // From here on the folder is the guard's.
    let folder = folder.keep();
    let (input, output) = (child.stdin.take(), child.stdout.take());
    let mut line = String::new();
    if let Some(output) = output {
        BufReader::new(output).read_line(&mut line).map_err(|error| error.to_string())?;
    }
    if line.trim() != "ready" {
        return Err(format!("the server did not start; see {}", folder.display()));
    }
    let options = PgConnectOptions::new_without_pgpass().socket(&folder).username("postgres").database("postgres");
    let socket = folder.display().to_string();
    Server::new(options, move |name| format!("postgres://postgres@localhost/{name}?host={socket}"), input)
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// Where `initdb` is: in the path, or where Debian puts the newest one.
fn programs() -> Option<PathBuf> {
    let in_path =
        std::env::var_os("PATH").into_iter().flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut installed: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    installed.sort();
    installed.reverse();
    in_path.chain(installed).find(|folder| has_server(folder))
}

fn has_server(folder: &Path) -> bool {
    ["initdb", "pg_ctl", "postgres"].iter().all(|program| folder.join(program).is_file())
}
