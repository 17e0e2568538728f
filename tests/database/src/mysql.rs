//! The MySQL server of this process: MariaDB, if it is started here.

use std::{path::PathBuf, sync::LazyLock};

use sqlx::mysql::MySqlConnectOptions;

use crate::{
    guard::{self, Guard},
    server::{Server, Wording, beside},
};

/// Makes the server's own tables in the folder `$1` with the programs in `$2`, starts it with `$settings`, and ends it when the input ends. Nothing
/// has to outlive a crash of the machine, so nothing is flushed.
const GUARD: &str = r#"
trap '' INT TERM HUP
"$2/mariadb-install-db" --no-defaults --datadir="$1/data" --auth-root-authentication-method=normal --skip-test-db \
    --skip-name-resolve >"$1/install.log" 2>&1 || exit
server="$2/mariadbd"
[ -x "$server" ] || server=/usr/sbin/mariadbd
"$server" --no-defaults --datadir="$1/data" --socket="$1/socket" --pid-file="$1/pid" --skip-networking --skip-log-bin \
    --skip-name-resolve --innodb-flush-log-at-trx-commit=0 --innodb-buffer-pool-size=64M --innodb-doublewrite=0 \
    --max-connections=500 --character-set-server=utf8mb4 $settings >"$1/server.log" 2>&1 &
until "$2/mariadb-admin" --no-defaults --socket="$1/socket" --user=root ping >/dev/null 2>&1; do
    kill -0 $! 2>/dev/null || exit
    sleep 0.1
done
echo ready
read -r forever
kill -KILL $!
rm -rf "$1"
"#;

const WORDING: Wording = Wording { create: " CHARACTER SET utf8mb4", drop: "" };

static SERVER: LazyLock<Result<Server, String>> = LazyLock::new(|| match std::env::var("MYSQL_URL") {
    Ok(url) => {
        let options: MySqlConnectOptions = url.parse().map_err(|error: sqlx::Error| error.to_string())?;
        Server::new(options, beside(&url), WORDING, None)
    }
    Err(_) => start(),
});

/// The server, or why there is none.
pub(super) fn server() -> Result<&'static Server, &'static str> {
    SERVER.as_ref().map_err(String::as_str)
}

fn start() -> Result<Server, String> {
    let guard = start_with("", &[])?;
    let socket = guard.folder.join("socket");
    let options = MySqlConnectOptions::new().socket(&socket).username("root");
    let socket = socket.display().to_string();
    Server::new(options, move |name| format!("mysql://root@localhost/{name}?socket={socket}"), WORDING, Some(guard))
}

/// Starts a server with more settings, in which `$1` is its folder, and files in that.
pub(super) fn start_with(settings: &str, files: &[(&str, String)]) -> Result<Guard, String> {
    let programs = guard::programs(&["mariadb-install-db", "mariadb-admin"], vec![PathBuf::from("/usr/bin")])
        .ok_or("there is no MariaDB on this machine, and no MYSQL_URL")?;
    guard::post("mariadb", &format!("settings=\"{settings}\"\n{GUARD}"), &programs, files)
}
