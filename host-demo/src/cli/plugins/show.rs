//! Prints reports on plugins, for people and for programs.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use plugin_api::{Action, Button, ExecutionMode, Interest, Language, Phase, Service, When};
use serde::Serialize;

use crate::plugins::{PluginDetails, PluginReport};

/// Prints reports; fails if one of them should fail the command.
pub(super) fn reports(reports: &[PluginReport], json: bool, fails: impl Fn(&PluginReport) -> bool) -> ExitCode {
    print(json, reports, |out| reports.iter().try_for_each(|report| write_report(out, report)));
    if reports.iter().any(fails) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Prints everything about one plugin.
pub(super) fn details(details: &PluginDetails, json: bool) -> ExitCode {
    print(json, details, |out| write_details(out, details));
    ExitCode::SUCCESS
}

fn print<T: Serialize + ?Sized>(
    json: bool,
    it: &T,
    write: impl FnOnce(&mut io::StdoutLock<'static>) -> io::Result<()>,
) {
    let mut out = io::stdout().lock();
    let shown = if json {
        serde_json::to_writer_pretty(&mut out, it).map_err(io::Error::from).and_then(|()| writeln!(out))
    } else {
        write(&mut out)
    };
    // Whoever reads may stop reading; the exit code still tells.
    let _ = shown;
}

fn write_details(out: &mut impl Write, details: &PluginDetails) -> io::Result<()> {
    write_report(out, &details.report)?;
    if let Some(path) = &details.report.path {
        writeln!(out, "  file     {}", path.display())?;
    }
    if let Some(sha256) = &details.sha256 {
        writeln!(out, "  sha256   {sha256}")?;
    }
    let breaker = &details.breaker;
    writeln!(
        out,
        "  breaker  {} faults in {} s, tried again after {} s, slow after {} ms",
        breaker.faults, breaker.window_seconds, breaker.cooldown_seconds, breaker.slow_call_ms
    )?;
    for workflow in details.workflows.iter().flatten() {
        let state = if workflow.enabled { "enabled" } else { "disabled" };
        writeln!(
            out,
            "  workflow {} {}  {state}  \"{}\"",
            workflow.id,
            workflow.key,
            workflow.title.as_deref().unwrap_or("")
        )?;
    }
    writeln!(out, "  settings {}", details.settings)?;
    if let Some(schema) = &details.settings_schema {
        writeln!(out, "  schema of the settings\n{schema:#}")?;
    }
    for (type_id, schema) in &details.config_schemas {
        writeln!(out, "  schema of {type_id}\n{schema:#}")?;
    }
    for (type_id, schema) in &details.node_schemas {
        writeln!(out, "  schema of the node {type_id}\n{schema:#}")?;
    }
    Ok(())
}

fn write_report(out: &mut impl Write, report: &PluginReport) -> io::Result<()> {
    let name = if report.id.is_empty() { &report.library } else { &report.id };
    write!(out, "{name} {}  {state}", report.version.as_deref().unwrap_or("?"), state = report.state.name())?;
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
    for node in &report.nodes {
        writeln!(out, "  node     {}  \"{}\"", node.id, node.title.get(Language::English))?;
        if !node.branches.is_empty() {
            let branches =
                node.branches.iter().map(|it| format!("{} \"{}\"", it.index, it.title.get(Language::English)));
            writeln!(out, "    branches {}", branches.collect::<Vec<_>>().join(", "))?;
        }
    }
    for route in &report.routes {
        writeln!(out, "  route    /api/{route}/…")?;
    }
    if let Some(fault) = &report.last_fault {
        writeln!(out, "  faults   {}, the last: {fault}", report.faults)?;
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
        Phase::Changed => "changed",
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
