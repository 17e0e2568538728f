//! From an entry of the manifest to a plugin that is made but not yet admitted.

use std::{
    path::{self, Path, PathBuf},
    sync::Arc,
};

use plugin_api::Service;
use plugin_loader::{Images, Offered, PluginLibrary};
use serde_json::Value;

use super::{
    error::LoadProblem,
    locate,
    manifest::{ManifestEntry, is_id},
    member::Member,
    registry::Registry,
    report::PluginReport,
    services::{Door, Session},
};

/// A plugin that was made. Dropping it undoes everything.
pub(super) struct Candidate {
    pub(super) id: String,
    /// The private copy that was linked.
    pub(super) image: PathBuf,
    pub(super) settings_schema: Value,
    pub(super) offered: Offered,
    pub(super) session: Arc<Session>,
}

/// Loads the plugin of an entry, as far as admitting it. The report learns the versions on the way.
pub(super) fn load(
    entry: &ManifestEntry,
    images: &mut Images,
    door: &Arc<Door>,
    report: &mut PluginReport,
) -> Result<Candidate, LoadProblem> {
    let (library, image) = open(&entry.library, entry.sha256.as_deref(), images, report)?;
    if library.id() != entry.id {
        return Err(LoadProblem::OtherId { actual: library.id().to_owned() });
    }
    let settings =
        serde_json::to_value(&entry.settings).map_err(|error| LoadProblem::Settings { reason: error.to_string() })?;
    let needs = needs(&library, report)?;
    check_grants(&needs, &entry.grants)?;
    let session = Session::new(library.id(), entry.grants.clone(), Arc::clone(door));
    make(&library, image, &settings, session)
}

/// Loads a library that no manifest lists, with no settings and granted what it needs, and reports on it; for people who
/// write plugins. No host runs: it can call none of the services. A file in the working directory goes before a crate name.
pub fn check(library: &Path) -> PluginReport {
    let here = path::absolute(library).ok().filter(|path| path.exists());
    let library = here.as_deref().unwrap_or(library);
    let entry = ManifestEntry::new("", library);
    let mut report = PluginReport::new(&entry);
    let outcome = check_entry(entry, &mut report);
    report.finish(outcome.as_ref().err());
    report
}

fn check_entry(entry: ManifestEntry, report: &mut PluginReport) -> Result<(), LoadProblem> {
    let (library, image) = open(&entry.library, None, &mut Images::default(), report)?;
    library.id().clone_into(&mut report.id);
    let session = Session::new(library.id(), needs(&library, report)?, Arc::default());
    let candidate = make(&library, image, &Value::Object(serde_json::Map::new()), session)?;
    let member = Arc::new(Member::new(entry, candidate));
    Registry::default().admit(&member)?;
    report.describe(&member);
    Ok(())
}

fn open(
    path: &Path,
    sha256: Option<&str>,
    images: &mut Images,
    report: &mut PluginReport,
) -> Result<(PluginLibrary, PathBuf), LoadProblem> {
    let path = locate::locate(path)?;
    report.path = Some(path.clone());
    let copy = images.take(&path, sha256)?;
    let library = PluginLibrary::open(&copy, &path)?;
    report.version = Some(library.version().to_owned());
    report.api_version = Some(library.api_version().to_owned());
    report.rustc = Some(library.rustc().to_owned());
    Ok((library, copy))
}

/// Reads what a plugin needs.
fn needs(library: &PluginLibrary, report: &mut PluginReport) -> Result<Vec<Service>, LoadProblem> {
    report.needs = library.needs().map_err(LoadProblem::Register)?;
    let unknown = || report.needs.iter().filter(|name| Service::from_name(name).is_none()).cloned().collect();
    let known: Option<Vec<Service>> = report.needs.iter().map(|name| Service::from_name(name)).collect();
    known.ok_or_else(|| LoadProblem::UnknownServices { services: unknown() })
}

fn check_grants(needs: &[Service], grants: &[Service]) -> Result<(), LoadProblem> {
    let missing: Vec<Service> = needs.iter().filter(|need| !grants.contains(need)).copied().collect();
    if missing.is_empty() {
        return Ok(());
    }
    let grants = grants.iter().chain(&missing).copied().collect();
    Err(LoadProblem::NotGranted { missing, grants })
}

fn make(
    library: &PluginLibrary,
    image: PathBuf,
    settings: &Value,
    session: Arc<Session>,
) -> Result<Candidate, LoadProblem> {
    if !is_id(library.id()) {
        return Err(LoadProblem::BadId { id: library.id().to_owned() });
    }
    let settings_schema = library.settings_schema().map_err(LoadProblem::Register)?;
    check_settings(&settings_schema, settings)?;
    let offered = library.make(settings, session.handle()).map_err(LoadProblem::Register)?;
    session.owns(offered.triggers.iter().map(|trigger| trigger.info.id.clone()));
    Ok(Candidate { id: library.id().to_owned(), image, settings_schema, offered, session })
}

/// Names the first setting that does not fit.
fn check_settings(schema: &Value, settings: &Value) -> Result<(), LoadProblem> {
    let validator = jsonschema::validator_for(schema)
        .map_err(|error| LoadProblem::Settings { reason: format!("their schema is broken: {error}") })?;
    match validator.validate(settings) {
        Ok(()) => Ok(()),
        Err(error) => {
            let place = error.instance_path().to_string();
            let reason = if place.is_empty() { error.to_string() } else { format!("{place}: {error}") };
            Err(LoadProblem::Settings { reason })
        }
    }
}
