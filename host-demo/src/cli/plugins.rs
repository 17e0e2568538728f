//! `host-demo plugins list` and `host-demo plugins check`: loads plugins as the server would, and shows what came of it.

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::Subcommand;
use plugin_api::{Action, Button, ExecutionMode, Interest, Language, Phase, Service, When};

use crate::plugins::{self, Manifest, PluginReport, PluginState, Plugins};

/// What can be done with plugins.
#[derive(Debug, Subcommand)]
pub(super) enum PluginsCommand {
    /// Loads the plugins of a manifest and shows what they register; fails if a required one fails
    List {
        /// The manifest
        #[arg(long, default_value = "plugin.toml")]
        manifest: PathBuf,
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
    /// Loads one library, without settings, and shows what it registers; fails if it cannot be loaded
    Check {
        /// The library: a path, or a bare crate name
        file: PathBuf,
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command. Reports go to the standard output, why a command failed to the standard error.
pub(super) fn run(command: &PluginsCommand) -> ExitCode {
    match command {
        PluginsCommand::List { manifest, json } => {
            // Each plugin is shown, also those after a required one that failed; the exit code tells that one.
            let reports = Manifest::read(manifest).and_then(|mut manifest| {
                let required: Vec<bool> = manifest.plugins.iter().map(|entry| entry.required).collect();
                manifest.plugins.iter_mut().for_each(|entry| entry.required = false);
                let mut reports = Plugins::load(&manifest)?.reports().to_vec();
                for (report, required) in reports.iter_mut().zip(required) {
                    report.required = required;
                }
                Ok(reports)
            });
            match reports {
                Ok(reports) => show(&reports, *json, PluginReport::stops_the_host),
                Err(error) => {
                    eprintln!("{error}");
                    ExitCode::FAILURE
                }
            }
        }
        PluginsCommand::Check { file, json } => {
            show(&[plugins::check(file)], *json, |report| report.state == PluginState::Failed)
        }
    }
}

fn show(reports: &[PluginReport], json: bool, fails: impl Fn(&PluginReport) -> bool) -> ExitCode {
    let mut out = io::stdout().lock();
    let shown = if json {
        serde_json::to_writer_pretty(&mut out, reports).map_err(io::Error::from).and_then(|()| writeln!(out))
    } else {
        reports.iter().try_for_each(|report| write_report(&mut out, report))
    };
    // Whoever reads may stop reading; the exit code still tells.
    let _ = shown;
    if reports.iter().any(fails) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn write_report(out: &mut impl Write, report: &PluginReport) -> io::Result<()> {
    let state = match report.state {
        PluginState::Loaded => "loaded",
        PluginState::Failed => "failed",
        PluginState::Disabled => "disabled",
    };
    let name = if report.id.is_empty() { &report.library } else { &report.id };
    write!(out, "{name} {}  {state}", report.version.as_deref().unwrap_or("?"))?;
    if report.required {
        write!(out, "  required")?;
    }
    writeln!(out)?;
    writeln!(out, "  library  {}", report.library)?;
    if let (Some(api), Some(rustc)) = (&report.api_version, &report.rustc) {
        writeln!(out, "  built    plugin-api {api}, {rustc}")?;
    }
    if !report.needs.is_empty() {
        writeln!(out, "  needs    {}", report.needs.join(", "))?;
    }
    if !report.grants.is_empty() {
        writeln!(out, "  grants   {}", words(&report.grants, Service::name))?;
    }
    for trigger in &report.triggers {
        writeln!(out, "  trigger  {}  \"{}\"", trigger.id, trigger.title.get(Language::English))?;
        writeln!(out, "    buttons  {}", words(&trigger.buttons, button))?;
        writeln!(out, "    modes    {}", words(&trigger.modes, mode))?;
    }
    for hook in &report.hooks {
        if hook.interests.is_empty() {
            writeln!(out, "  hook     for enabled workflows")?;
        }
        for interest in &hook.interests {
            writeln!(out, "  hook     {}", describe(interest))?;
        }
    }
    if let Some(error) = &report.error {
        writeln!(out, "  error    {error}")?;
    }
    Ok(())
}

fn describe(interest: &Interest) -> String {
    let phase = match interest.phase {
        Phase::Before => "before",
        Phase::After => "after",
        _ => "around",
    };
    let place = interest.collection.as_ref().map_or_else(|| "any collection".to_owned(), ToString::to_string);
    let when = match interest.when {
        When::Always => "",
        When::Bound => ", if bound",
    };
    format!("{phase} {} of {place}{when}", words(&interest.actions, action))
}

fn words<T: Copy>(items: &[T], word: fn(T) -> &'static str) -> String {
    if items.is_empty() {
        "none".to_owned()
    } else {
        items.iter().map(|item| word(*item)).collect::<Vec<_>>().join(", ")
    }
}

fn action(action: Action) -> &'static str {
    match action {
        Action::Create => "create",
        Action::Update => "update",
        Action::Destroy => "destroy",
        Action::UpdateOrCreate => "updateOrCreate",
        Action::FirstOrCreate => "firstOrCreate",
        Action::Trigger => "trigger",
        _ => "another action",
    }
}

fn button(button: Button) -> &'static str {
    match button {
        Button::FormSubmit => "form submit",
        Button::UpdateRecord => "update record",
        Button::DeleteRecord => "delete record",
        Button::TriggerWorkflow => "trigger workflow",
        _ => "another button",
    }
}

fn mode(mode: ExecutionMode) -> &'static str {
    match mode {
        ExecutionMode::Sync => "synchronous",
        ExecutionMode::Async => "asynchronous",
    }
}
