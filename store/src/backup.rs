//! A copy of a database's file, made while a server works with it.

use std::{
    fs::{self, File, OpenOptions},
    io::{Error, ErrorKind},
    path::{Path, PathBuf},
};

use sqlx::{ConnectOptions as _, Connection as _, sqlite::SqliteConnectOptions};

use crate::{db::LOCK_TIMEOUT, error::StoreError};

/// Copies the database in the file `from` into the new file `to`, as it is at one moment, and checks the copy. A server that works with
/// it goes on meanwhile. The copy is readable by its owner only, and under its name once it is whole and on the disk. Answers its size in bytes.
///
/// # Errors
///
/// [`StoreError::Invalid`] if there is a file `to`, or the copy is damaged; database errors, also if there is no file `from`. Nothing is
/// left under the name `to` then.
pub async fn back_up(from: &Path, to: &Path) -> Result<u64, StoreError> {
    if to.exists() {
        return Err(StoreError::invalid("FILE_EXISTS", format!("{} is there already", to.display())));
    }
    let part = beside(to);
    empty_file(&part).map_err(failed)?;
    let copied = copy(from, &part).await;
    let named = copied.and_then(|()| name(&part, to).map_err(failed));
    if named.is_err() {
        // What is left of it is of no use; that it is in the way of the next one is told by that.
        drop(fs::remove_file(&part));
    }
    named
}

async fn copy(from: &Path, part: &Path) -> Result<(), StoreError> {
    let text = part.to_str().ok_or_else(|| failed(Error::new(ErrorKind::InvalidInput, "the name is no text")))?;
    let source = SqliteConnectOptions::new().filename(from).busy_timeout(LOCK_TIMEOUT);
    let mut connection = source.connect().await.map_err(StoreError::Database)?;
    sqlx::query("VACUUM INTO ?").bind(text).execute(&mut connection).await.map_err(StoreError::Database)?;
    connection.close().await.map_err(StoreError::Database)?;

    let copy = SqliteConnectOptions::new().filename(part).read_only(true);
    let mut connection = copy.connect().await.map_err(StoreError::Database)?;
    let check = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut connection).await;
    let found: String = check.map_err(StoreError::Database)?;
    connection.close().await.map_err(StoreError::Database)?;
    if found == "ok" { Ok(()) } else { Err(StoreError::invalid("DAMAGED", format!("the copy is damaged: {found}"))) }
}

/// Flushes the copy and gives it its name.
fn name(part: &Path, to: &Path) -> Result<u64, Error> {
    let file = File::open(part)?;
    file.sync_all()?;
    fs::rename(part, to)?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()?;
    Ok(file.metadata()?.len())
}

fn beside(to: &Path) -> PathBuf {
    let mut part = to.as_os_str().to_owned();
    part.push(".part");
    part.into()
}

fn empty_file(path: &Path) -> Result<(), Error> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

fn failed(error: Error) -> StoreError {
    StoreError::Database(sqlx::Error::Io(error))
}
