//! The sandbox: a JavaScript runtime for one script, thrown away afterwards.

use std::{
    cell::RefCell,
    rc::Rc,
    time::{Duration, Instant},
};

use rquickjs::{CatchResultExt as _, CaughtError, Context, Ctx, Function, Object, Promise, Runtime, function::Rest};
use serde_json::Value;

use crate::outside::interpreters::Needs;

/// What a script and its values may take.
const MEMORY_BYTES: usize = 32 * 1024 * 1024;

/// How deep calls may go. The thread has more, for what the runtime does besides.
const SCRIPT_STACK_BYTES: usize = 512 * 1024;

/// The stack of the thread.
const THREAD_STACK_BYTES: usize = 8 * 1024 * 1024;

/// Longest answer, in bytes of JSON: it becomes a job's result.
const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// Lines of the console that are kept, and characters of each: enough to see what a script does.
const MAX_LINES: usize = 100;
const MAX_LINE_CHARS: usize = 1_000;

/// Time to read a script without running it.
const CHECK_TIME: Duration = Duration::from_secs(1);

/// Makes a function of parameters and a body.
const MAKE_FUNCTION: &str = "(names, body) => new (async () => {}).constructor(...names, body)";

/// What could wait, or share memory with others.
const TAKEN_AWAY: [&str; 2] = ["Atomics", "SharedArrayBuffer"];

/// A script and what it is given.
pub(super) struct Script {
    pub(super) content: String,
    pub(super) arguments: Vec<(String, Value)>,
}

/// What bounds a script, beside what is the same for all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) time: Duration,
}

impl Limits {
    /// What has to be there to run it.
    pub(super) fn needs(self) -> Needs {
        Needs { thread_name: "script", stack_bytes: THREAD_STACK_BYTES, time: self.time }
    }
}

/// Why a script has no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ScriptError {
    #[error("the script cannot be read: {0}")]
    Syntax(String),
    #[error("the script failed: {0}")]
    Thrown(String),
    #[error("the script took longer than {} ms", .0.as_millis())]
    TooLong(Duration),
    #[error("the script waits for a promise that nobody resolves")]
    NeverResolved,
    #[error("the answer of the script cannot be taken: {0}")]
    Answer(String),
    #[error("the sandbox could not be made")]
    Sandbox(#[from] rquickjs::Error),
}

/// What a script wrote to the console.
type Lines = Rc<RefCell<Vec<String>>>;

/// Runs a script, on a thread that has what it [needs](Limits::needs).
pub(super) fn run(script: &Script, limits: Limits) -> (Vec<String>, Result<Value, ScriptError>) {
    let lines = Lines::default();
    let answer = sandbox(limits).and_then(|(_runtime, context, deadline)| {
        let answer = context.with(|ctx| answer(&ctx, script, &lines));
        // The runtime ends a script that is late with an error that says nothing.
        if Instant::now() >= deadline { Err(ScriptError::TooLong(limits.time)) } else { answer }
    });
    (lines.take(), answer)
}

/// Reads a script without running it.
pub(super) fn check(names: Vec<String>, content: String) -> Result<(), ScriptError> {
    let read = move || {
        let (_runtime, context, _) = sandbox(Limits { time: CHECK_TIME })?;
        context.with(|ctx| function(&ctx, names, &content).map(drop))
    };
    // On a thread of its own for its stack.
    let thread = std::thread::Builder::new().stack_size(THREAD_STACK_BYTES).spawn(read);
    match thread.map(std::thread::JoinHandle::join) {
        Ok(Ok(result)) => result,
        Ok(Err(_)) | Err(_) => Err(ScriptError::Syntax("there is no thread to read it on".to_owned())),
    }
}

fn sandbox(limits: Limits) -> Result<(Runtime, Context, Instant), ScriptError> {
    let runtime = Runtime::new()?;
    runtime.set_memory_limit(MEMORY_BYTES);
    runtime.set_max_stack_size(SCRIPT_STACK_BYTES);
    let deadline = Instant::now() + limits.time;
    runtime.set_interrupt_handler(Some(Box::new(move || Instant::now() >= deadline)));
    let context = Context::full(&runtime)?;
    Ok((runtime, context, deadline))
}

fn function<'js>(ctx: &Ctx<'js>, names: Vec<String>, content: &str) -> Result<Function<'js>, ScriptError> {
    let make: Function<'js> = ctx.eval(MAKE_FUNCTION)?;
    make.call((names, content)).catch(ctx).map_err(|error| ScriptError::Syntax(sentence(&error)))
}

fn answer(ctx: &Ctx<'_>, script: &Script, lines: &Lines) -> Result<Value, ScriptError> {
    prepare(ctx, lines)?;
    let names = script.arguments.iter().map(|(name, _)| name.clone()).collect();
    let function = function(ctx, names, &script.content)?;
    let mut values = Vec::with_capacity(script.arguments.len());
    for (_, value) in &script.arguments {
        let value = ctx.json_parse(value.to_string()).catch(ctx);
        values.push(value.map_err(|error| ScriptError::Thrown(sentence(&error)))?);
    }
    let thrown = |error: CaughtError<'_>| ScriptError::Thrown(sentence(&error));
    let promise: Promise<'_> = function.call((Rest(values),)).catch(ctx).map_err(thrown)?;
    let value: rquickjs::Value<'_> = match promise.finish() {
        Err(rquickjs::Error::WouldBlock) => return Err(ScriptError::NeverResolved),
        finished => finished.catch(ctx).map_err(thrown)?,
    };
    let text = ctx.json_stringify(value).catch(ctx).map_err(|error| ScriptError::Answer(sentence(&error)))?;
    // A function, or nothing at all.
    let Some(text) = text else { return Ok(Value::Null) };
    let text = text.to_string().map_err(|error| ScriptError::Answer(error.to_string()))?;
    if text.len() > MAX_ANSWER_BYTES {
        return Err(ScriptError::Answer(format!("it is longer than {MAX_ANSWER_BYTES} bytes")));
    }
    serde_json::from_str(&text).map_err(|error| ScriptError::Answer(error.to_string()))
}

/// Takes away what a script should not have, and gives it a console.
fn prepare<'js>(ctx: &Ctx<'js>, lines: &Lines) -> Result<(), rquickjs::Error> {
    let globals = ctx.globals();
    for name in TAKEN_AWAY {
        globals.remove(name)?;
    }
    let console = Object::new(ctx.clone())?;
    for name in ["debug", "log", "info", "warn", "error"] {
        let lines = Rc::clone(lines);
        let write = move |ctx: Ctx<'js>, values: Rest<rquickjs::Value<'js>>| -> rquickjs::Result<()> {
            if lines.borrow().len() >= MAX_LINES {
                return Ok(());
            }
            let mut words = Vec::new();
            for value in values.0 {
                words.push(match value.as_string() {
                    Some(text) => text.to_string()?,
                    None => match ctx.json_stringify(value)? {
                        Some(text) => text.to_string()?,
                        None => "undefined".to_owned(),
                    },
                });
            }
            lines.borrow_mut().push(words.join(" ").chars().take(MAX_LINE_CHARS).collect());
            Ok(())
        };
        console.set(name, Function::new(ctx.clone(), write)?)?;
    }
    globals.set("console", console)
}

/// What was thrown, in one line.
fn sentence(error: &CaughtError<'_>) -> String {
    let text = match error {
        CaughtError::Exception(exception) => {
            let name = exception.get::<_, String>("name").unwrap_or_default();
            format!("{name}: {}", exception.message().unwrap_or_default())
        }
        CaughtError::Value(value) if value.is_null() => {
            "null was thrown, which is also what running out of memory looks like".to_owned()
        }
        CaughtError::Value(value) => match value.as_string().map(rquickjs::String::to_string) {
            Some(Ok(text)) => text,
            Some(Err(_)) | None => format!("{value:?}"),
        },
        CaughtError::Error(error) => error.to_string(),
    };
    text.chars().take(MAX_LINE_CHARS).collect()
}
