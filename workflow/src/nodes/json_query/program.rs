//! Compiling and running a query.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::LazyLock,
    time::{Duration, Instant},
};

use jaq_core::{
    Compiler, Ctx, Error, Exn, Filter, Vars,
    box_iter::box_once,
    data::JustLut,
    load::{
        Arena, File, Lexer, Loader, Parser,
        parse::{Def, Term},
    },
    native::{Fun, run as native, v},
    unwrap_valr,
};
use jaq_json::Val;
use serde::Deserialize as _;
use serde_json::Value;

use super::{
    Outputs,
    meter::{self, Budget, Stopped},
    result::Writer,
};
use crate::outside::interpreters::Needs;

/// Longest query, in bytes: a page of jq.
const MAX_BYTES: usize = 8 * 1024;

/// Deepest nesting of brackets: reading and compiling recurse.
const MAX_BRACKET_DEPTH: usize = 64;

/// How long a query may take.
const TIME: Duration = Duration::from_secs(2);

/// Steps that a query may take. It bounds how deep a value can be nested, too: a step adds one level at most.
const STEPS: u32 = 1_000_000;

/// The stack of a query: memory only where it is used. Values are dropped by recursion, which takes up to 400 bytes a level.
const STACK_BYTES: usize = 512 * 1024 * 1024;

/// What a query is called inside the program that runs it.
const QUERY: &str = "the_configured_query";

/// Natives that reach outside, or end the process.
const OUTSIDE: [&str; 4] = ["halt", "env", "debug_empty", "stderr_empty"];

/// What is wrong with a query: the configurer's, or that of the data it met.
#[derive(Debug, thiserror::Error)]
pub(super) enum QueryError {
    #[error("the query is longer than {MAX_BYTES} bytes")]
    TooLong,
    #[error("the query cannot be read: {0}")]
    Syntax(String),
    #[error("the query is nested too deeply")]
    Nested,
    #[error("the query failed: {0}")]
    Failed(String),
    #[error(transparent)]
    Stopped(#[from] Stopped),
    #[error("the query could not be run now")]
    NoThread,
}

type Data = JustLut<Val>;

/// The standard definitions with the meter in them, without those that reach outside.
static PRELUDE: LazyLock<Vec<Def<&'static str>>> = LazyLock::new(|| {
    let outside = ["halt", "halt_error", "debug", "stderr", "input", "inputs"];
    jaq_core::defs()
        .chain(jaq_std::defs())
        .chain(jaq_json::defs())
        .filter(|def| !outside.contains(&def.name))
        .map(meter::definition)
        .collect()
});

fn natives() -> impl Iterator<Item = Fun<Data>> {
    let from_json = native::<Data>(("fromjson", v(0), |cv| {
        let read = match &cv.1 {
            Val::TStr(text) => serde_json::from_slice::<Val>(text).map_err(|error| error.to_string()),
            _ => Err("only texts can be read as JSON".to_owned()),
        };
        box_once(read.map_err(|error| Exn::from(Error::str(error))))
    }));
    jaq_core::funs()
        .chain(jaq_std::funs())
        .chain(jaq_json::funs())
        // The original reads nested text by recursion without a bound.
        .filter(|(name, ..)| !OUTSIDE.contains(name) && *name != "fromjson")
        .chain([from_json])
        .chain(meter::funs())
}

/// Compiles a query with the meter in it.
fn compile(text: &str) -> Result<Filter<Data>, QueryError> {
    if text.len() > MAX_BYTES {
        return Err(QueryError::TooLong);
    }
    let depth = |depth: usize, byte: u8| match byte {
        b'(' | b'[' | b'{' => depth + 1,
        b')' | b']' | b'}' => depth.saturating_sub(1),
        _ => depth,
    };
    let deepest = text.bytes().scan(0, |reached, byte| {
        *reached = depth(*reached, byte);
        Some(*reached)
    });
    if deepest.max().unwrap_or(0) > MAX_BRACKET_DEPTH {
        return Err(QueryError::Nested);
    }
    let tokens = Lexer::new(text).lex().map_err(|errors| {
        let found = errors.first().map(|(_, found)| found.chars().take(20).collect::<String>());
        QueryError::Syntax(format!("unexpected \"{}\"", found.unwrap_or_default()))
    })?;
    let body: Term<&str> = Parser::new(&tokens).parse(Parser::term).map_err(|errors| {
        let sentence = errors.first().map(|(expected, found)| match found {
            Some(token) => format!("{} expected before \"{}\"", expected.as_str(), token.as_str()),
            None => format!("{} expected at the end", expected.as_str()),
        });
        QueryError::Syntax(sentence.unwrap_or_default())
    })?;
    let query = meter::definition(Def { name: QUERY, args: Vec::new(), body });
    let arena = Arena::default();
    let modules = Loader::new(PRELUDE.iter().cloned().chain([query]))
        .load(&arena, File { code: QUERY, path: () })
        .map_err(|_| QueryError::Syntax("it cannot be loaded".to_owned()))?;
    Compiler::default().with_funs(natives()).compile(modules).map_err(|errors| {
        let undefined = errors.iter().flat_map(|(_, errors)| errors).next();
        let sentence = undefined.map(|(name, what)| format!("there is no {} \"{name}\"", what.as_str()));
        QueryError::Syntax(sentence.unwrap_or_default())
    })
}

/// Checks a query.
pub(super) fn check(text: &str) -> Result<(), QueryError> {
    let text = text.to_owned();
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(move || compile(&text).map(drop));
    thread.map_err(|_| QueryError::NoThread)?.join().map_err(|_| QueryError::Nested)?
}

/// What a run needs.
pub(super) const NEEDS: Needs = Needs { thread_name: "json-query", stack_bytes: STACK_BYTES, time: TIME };

/// Runs a query, on a thread that has what it [`NEEDS`].
pub(super) fn run(text: &str, source: &Value, outputs: Outputs) -> Result<Value, QueryError> {
    run_for(TIME, text, source, outputs)
}

fn run_for(time: Duration, text: &str, source: &Value, outputs: Outputs) -> Result<Value, QueryError> {
    let result = catch_unwind(AssertUnwindSafe(|| run_here(time, text, source, outputs)));
    result.unwrap_or_else(|why| match why.downcast_ref::<Stopped>() {
        Some(stopped) => Err(QueryError::Stopped(*stopped)),
        None => Err(QueryError::Failed("the interpreter gave up".to_owned())),
    })
}

fn run_here(time: Duration, text: &str, source: &Value, outputs: Outputs) -> Result<Value, QueryError> {
    let filter = compile(text)?;
    let input = Val::deserialize(source).map_err(|error| QueryError::Failed(error.to_string()))?;
    Budget::new(Instant::now() + time, STEPS).begin();
    let context = Ctx::<Data>::new(&filter.lut, Vars::new([]));
    let mut found = filter.id.run((context, input)).map(unwrap_valr);
    let mut writer = Writer::new();
    let mut next = || match found.next() {
        None => Ok(None),
        Some(Ok(output)) => writer.write(&output).map(Some).map_err(QueryError::from),
        Some(Err(error)) => Err(QueryError::Failed(error.to_string().chars().take(500).collect())),
    };
    match outputs {
        Outputs::First => Ok(next()?.unwrap_or(Value::Null)),
        Outputs::All => {
            let mut all = Vec::new();
            while let Some(output) = next()? {
                all.push(output);
            }
            Ok(Value::Array(all))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a query that has all the time it wants.
    fn run_long(text: &'static str) -> Result<Value, String> {
        let run = move || {
            let day = Duration::from_secs(86_400);
            run_for(day, text, &Value::Null, Outputs::All).map_err(|error| error.to_string())
        };
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(run);
        thread.expect("a thread").join().expect("no panic")
    }

    #[test]
    fn queries_are_bounded_however_much_time_they_have() {
        for (expression, want) in [
            ("def f: f; f", "takes too long"),
            ("def f: 1 + f; f", "nested too deeply"),
            ("\"x\" * 1e12", "too large"),
            ("\"xxxxxxxx\" | . *= 1e12", "too large"),
            ("reduce range(60) as $i (\"x\"; . + .)", "too large"),
            ("reduce range(60) as $i (9; . * .) | tostring | length", "too large"),
            ("reduce range(60) as $i ([1]; . + .)", "too large"),
            ("reduce range(40) as $i (\"a\"; [., .])", "too large"),
            ("reduce range(100000) as $i (1; [.])", "nested too deeply"),
            ("reduce range(10000) as $i (\"\"; . + \"[\") | fromjson", "failed"),
        ] {
            let message = run_long(expression).expect_err(expression);
            assert!(message.contains(want), "{expression}: {message}");
        }
    }
}
