//! The first start on a data directory: the token secret, the roles, and the root user.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{ErrorKind, Write},
    path::Path,
};

use hmac::{Hmac, KeyInit as _, Mac as _};
use rand::distr::{Alphanumeric, SampleString};
use serde_json::{Value, json};
use sha2::Sha256;
use store::{Filter, Record, Store, StoreError, WriteOptions};

use crate::{access::ROOT_ROLE, error::HostError};

/// As long as the digest it keys.
const SECRET_BYTES: usize = 32;
/// Twenty letters and digits are 119 bits.
const PASSWORD_CHARS: usize = 20;

/// The first user.
#[derive(Debug, Clone)]
pub struct Admin {
    /// Their e-mail address; the part before `@` is the username.
    pub email: String,
    /// Their password; one is made if there is none.
    pub password: Option<String>,
}

/// Makes the data directory, readable by its owner alone.
pub(crate) fn make_data_dir(path: &Path) -> Result<(), HostError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|source| HostError::DataDir { path: path.to_owned(), source })
}

/// Takes the data directory for this process alone; the system gives it back when the process ends, however it ends.
pub(crate) fn lock_data_dir(data_dir: &Path) -> Result<File, HostError> {
    let path = data_dir.join("host.lock");
    let unusable = |source| HostError::DataDir { path: path.clone(), source };
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(HostError::DataDirInUse { path: data_dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(unusable(source)),
    }
}

/// Reads what tells the owner of this data directory from all others, or makes it. Copies of the directory are told apart by where they are.
pub(crate) fn instance_name(data_dir: &Path) -> Result<String, HostError> {
    let path = data_dir.join("host.id");
    let unusable = |source| HostError::DataDir { path: path.clone(), source };
    let id = match fs::read_to_string(&path) {
        Ok(id) => id,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let id = uuid::Uuid::new_v4().to_string();
            fs::write(&path, &id).map_err(unusable)?;
            id
        }
        Err(error) => return Err(unusable(error)),
    };
    let machine = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let place = std::path::absolute(data_dir).unwrap_or_else(|_| data_dir.to_owned());
    Ok(format!("{} {}:{}", id.trim(), machine.trim(), place.display()))
}

/// Reads the token secret, or makes it, readable by its owner alone.
pub(crate) fn token_secret(path: &Path) -> Result<Vec<u8>, HostError> {
    let path = path.to_owned();
    let unusable = |source| HostError::DataDir { path: path.clone(), source };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(&path) {
        Ok(mut file) => {
            let secret: [u8; SECRET_BYTES] = rand::random();
            file.write_all(&secret).and_then(|()| file.sync_all()).map_err(unusable)?;
            Ok(secret.into())
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            if is_exposed(&File::open(&path).and_then(|file| file.metadata()).map_err(unusable)?) {
                return Err(HostError::SecretExposed { path });
            }
            let secret = fs::read(&path).map_err(unusable)?;
            if secret.len() == SECRET_BYTES { Ok(secret) } else { Err(HostError::SecretDamaged { path }) }
        }
        Err(error) => Err(unusable(error)),
    }
}

/// What tells one token secret from another, and nothing about it.
pub(crate) fn fingerprint(secret: &[u8]) -> String {
    // Keys of any length are taken.
    let Ok(mut digest) = Hmac::<Sha256>::new_from_slice(secret) else { return String::new() };
    digest.update(b"fingerprint of a token secret");
    hex::encode(digest.finalize().into_bytes())
}

/// Checks that the hosts of the database sign tokens with this secret, whose file is at `path`; notes it if there are none yet, or if
/// it was changed on purpose.
pub(crate) async fn agree_on_secret(
    store: &Store,
    secret: &[u8],
    was_changed: bool,
    path: &Path,
) -> Result<(), HostError> {
    let own = fingerprint(secret);
    let noted = own.clone();
    let shared = store
        .write::<_, StoreError, _>(move |tx| {
            Box::pin(async move {
                if was_changed {
                    tx.replace_shared_secret(&noted).await?;
                }
                tx.shared_secret(&noted).await
            })
        })
        .await?;
    if shared == own { Ok(()) } else { Err(HostError::OtherSecret { path: path.to_owned() }) }
}

#[cfg(unix)]
fn is_exposed(metadata: &fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0
}

#[cfg(not(unix))]
fn is_exposed(_: &fs::Metadata) -> bool {
    false
}

/// Makes the roles and the root user if there is no user yet. Answers the password if one was made.
pub(crate) async fn first_user(store: &Store, admin: &Admin) -> Result<Option<String>, HostError> {
    let schema = store.schema();
    let users = schema.collection("users")?.clone();
    if store.read().await?.count(&users, &Filter::default()).await? > 0 {
        return Ok(None);
    }
    let username = admin.email.split_once('@').map(|(name, _)| name).filter(|name| !name.is_empty());
    let username = username.ok_or_else(|| HostError::AdminEmail(admin.email.clone()))?;
    let made = match admin.password {
        Some(_) => None,
        None => Some(Alphanumeric.sample_string(&mut rand::rng(), PASSWORD_CHARS)),
    };
    let password = made.as_deref().or(admin.password.as_deref()).unwrap_or_default();
    let user = record(json!({
        "username": username, "email": admin.email, "nickname": "Super Admin", "password": password, "roles": [ROOT_ROLE],
    }));
    let user = store::secret::hash_secrets(&schema, &users, user).await.map_err(HostError::AdminPassword)?;
    let roles = schema.collection("roles")?.clone();
    let first = store
        .write::<_, StoreError, _>(move |tx| {
            Box::pin(async move {
                for role in first_roles() {
                    tx.create(&roles, record(role), &WriteOptions::default()).await?;
                }
                tx.create(&users, user, &WriteOptions::default()).await.map(drop)
            })
        })
        .await;
    match first {
        Ok(()) => Ok(made),
        // Another host was first.
        Err(StoreError::NotUnique { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn first_roles() -> [Value; 3] {
    let everything = json!({"actions": ["view", "create", "update", "destroy", "trigger"]});
    [
        json!({"name": ROOT_ROLE, "title": "Root", "snippets": ["pm.*"], "strategy": everything}),
        json!({"name": "admin", "title": "Admin", "snippets": ["pm.*"], "strategy": everything}),
        json!({"name": "member", "title": "Member", "snippets": [], "strategy": {"actions": []}, "default": true}),
    ]
}

fn record(value: Value) -> Record {
    if let Value::Object(record) = value { record } else { Record::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_server_at_a_time_works_with_a_data_directory() {
        let folder = tempfile::tempdir().expect("a folder");
        let lock = lock_data_dir(folder.path()).expect("free");
        assert!(matches!(lock_data_dir(folder.path()), Err(HostError::DataDirInUse { .. })));
        drop(lock);
        lock_data_dir(folder.path()).expect("free again");
    }

    #[test]
    fn the_secret_is_made_once_and_kept_from_others() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token.secret");
        let first = token_secret(&path).expect("made");
        assert_eq!(first.len(), SECRET_BYTES);
        assert_eq!(token_secret(&path).expect("read"), first);

        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("changed");
            assert!(matches!(token_secret(&path), Err(HostError::SecretExposed { .. })));
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("changed");
        }
        fs::write(&path, "short").expect("written");
        assert!(matches!(token_secret(&path), Err(HostError::SecretDamaged { .. })));
    }

    #[test]
    fn a_fingerprint_tells_secrets_apart() {
        assert_eq!(fingerprint(b"one"), fingerprint(b"one"));
        assert_ne!(fingerprint(b"one"), fingerprint(b"two"));
        assert_eq!(fingerprint(b"one").len(), 64);
    }

    #[test]
    fn a_data_directory_has_a_name_of_its_own() {
        let [one, other] = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
        let name = instance_name(one.path()).expect("a name");
        assert_eq!(instance_name(one.path()).expect("a name"), name);
        fs::copy(one.path().join("host.id"), other.path().join("host.id")).expect("copied");
        assert_ne!(instance_name(other.path()).expect("a name"), name);
    }
}
