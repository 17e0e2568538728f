//! Puts a meter into a jq program.
//!
//! jq is lazy and has loops without end, and what runs it cannot be interrupted. So its syntax tree is rewritten: wherever
//! values flow from one part into another, and at the beginning of each definition, stands a step that passes the value on
//! and counts. When the budget is used up, the step unwinds the thread's stack, which nothing in the language can catch.

use std::{cell::Cell, panic::resume_unwind, time::Instant};

use jaq_core::{
    DataT,
    box_iter::box_once,
    load::{
        lex::StrPart,
        parse::{BinaryOp, Def, Pattern, Term},
    },
    native::{Fun, bome, run, v},
    ops::Math,
    path::{Part, Path},
};
use jaq_json::{Num, Val};

/// The names of the natives below. No program can spell them.
const STEP: &str = "!step";
const PRODUCT: &str = "!product";
const FACTOR: &str = "$!factor";

/// Longest text and longest list that flow from one part of a program into another.
const MAX_LENGTH: usize = 4 * 1024 * 1024;

/// Largest whole number, in bits: beyond it multiplying takes its time.
const MAX_BITS: u64 = 64 * 1024;

/// Stack that nested evaluation may take. What is left of the thread's is for dropping and comparing deeply nested values.
const MAX_EVALUATION_STACK: usize = 64 * 1024 * 1024;

/// What is left of a run's budget. A thread runs one program.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    pub(super) deadline: Instant,
    pub(super) steps: u32,
    stack_base: usize,
}

impl Budget {
    /// Begins here: the stack is counted from the caller's frame.
    pub(super) fn new(deadline: Instant, steps: u32) -> Self {
        Self { deadline, steps, stack_base: stack_position() }
    }

    /// Makes this the budget of the thread.
    pub(super) fn begin(self) {
        BUDGET.set(Some(self));
    }
}

thread_local! {
    static BUDGET: Cell<Option<Budget>> = const { Cell::new(None) };
}

/// Why a program was stopped: what a step unwinds with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Stopped {
    /// Past the deadline, or too many steps.
    #[error("the query takes too long")]
    Late,
    /// Recursion without end.
    #[error("the query is nested too deeply")]
    Nested,
    /// A value grew too large.
    #[error("the query makes a value that is too large")]
    Oversized,
}

fn stop(why: Stopped) -> ! {
    resume_unwind(Box::new(why))
}

/// About where the stack of the thread is now.
#[inline(never)]
fn stack_position() -> usize {
    let here = 0_u8;
    std::ptr::from_ref(&here).addr()
}

fn step(value: &Val) {
    if let Some(mut budget) = BUDGET.get() {
        // Looking at the clock costs more than a step.
        let late = budget.steps.is_multiple_of(64) && Instant::now() >= budget.deadline;
        budget.steps = budget.steps.saturating_sub(1);
        BUDGET.set(Some(budget));
        if late || budget.steps == 0 {
            stop(Stopped::Late);
        }
        if budget.stack_base.abs_diff(stack_position()) > MAX_EVALUATION_STACK {
            stop(Stopped::Nested);
        }
    }
    let length = match value {
        Val::BStr(bytes) | Val::TStr(bytes) => bytes.len(),
        Val::Arr(items) => items.len(),
        Val::Obj(members) => members.len(),
        Val::Null | Val::Bool(_) | Val::Num(_) => 0,
    };
    if length > MAX_LENGTH {
        stop(Stopped::Oversized);
    }
}

/// Multiplies, unless it repeats a text, or makes a number, beyond measure.
fn product(left: Val, right: Val) -> jaq_json::ValR {
    let repeated = match (&left, &right) {
        (Val::TStr(text) | Val::BStr(text), Val::Num(times)) | (Val::Num(times), Val::TStr(text) | Val::BStr(text)) => {
            text.len() as f64 * real(times)
        }
        _ => 0.0,
    };
    let bits = |value: &Val| match value {
        Val::Num(Num::BigInt(number)) => number.bits(),
        _ => 64,
    };
    if repeated > MAX_LENGTH as f64 || bits(&left) + bits(&right) > MAX_BITS {
        stop(Stopped::Oversized);
    }
    left * right
}

/// A number as a floating-point number.
pub(super) fn real(number: &Num) -> f64 {
    match number {
        Num::Int(whole) => *whole as f64,
        Num::Float(real) => *real,
        Num::BigInt(whole) => whole.to_string().parse().unwrap_or(f64::NAN),
        Num::Dec(text) => text.parse().unwrap_or(f64::NAN),
    }
}

/// The natives that a metered program calls.
pub(super) fn funs<D: for<'a> DataT<V<'a> = Val>>() -> [Fun<D>; 2] {
    let stepped = run::<D>((STEP, v(0), |cv| {
        step(&cv.1);
        box_once(Ok(Val::Bool(false)))
    }));
    let multiplied = run::<D>((PRODUCT, v(2), |mut cv| {
        let right = cv.0.pop_var();
        let left = cv.0.pop_var();
        bome(product(left, right))
    }));
    [stepped, multiplied]
}

type Tree<'s> = Term<&'s str>;

/// Puts the meter into a definition.
pub(super) fn definition(def: Def<&str>) -> Def<&str> {
    Def { body: after_step(term(def.body)), ..def }
}

/// A step, which passes its input on. An `if`, so that it can stand in a path.
fn a_step<'s>() -> Tree<'s> {
    Term::IfThenElse(vec![(Term::Call(STEP, Vec::new()), Term::Id)], None)
}

fn after_step(tree: Tree<'_>) -> Tree<'_> {
    Term::BinOp(Box::new(a_step()), BinaryOp::Pipe(None), Box::new(tree))
}

/// Counts what a part hands over.
fn counted(tree: Tree<'_>) -> Tree<'_> {
    match tree {
        Term::Id | Term::Num(_) | Term::Var(_) => tree,
        tree => Term::BinOp(Box::new(term(tree)), BinaryOp::Pipe(None), Box::new(a_step())),
    }
}

fn boxed(tree: Tree<'_>) -> Box<Tree<'_>> {
    Box::new(term(tree))
}

/// Puts steps into a part. What is last in it stays last, so that a tail call stays one.
fn term(tree: Tree<'_>) -> Tree<'_> {
    match tree {
        Term::Id | Term::Recurse | Term::Num(_) | Term::Var(_) | Term::Break(_) => tree,
        Term::Str(format, parts) => {
            let parts = parts.into_iter().map(|part| match part {
                StrPart::Term(part) => StrPart::Term(counted(part)),
                part @ (StrPart::Str(_) | StrPart::Char(_)) => part,
            });
            Term::Str(format, parts.collect())
        }
        Term::Arr(items) => Term::Arr(items.map(|items| Box::new(counted(*items)))),
        Term::Obj(members) => {
            Term::Obj(members.into_iter().map(|(key, value)| (key_of(key), value.map(counted))).collect())
        }
        Term::Neg(inner) => Term::Neg(Box::new(counted(*inner))),
        Term::BinOp(left, op, right) => operation(*left, op, *right),
        Term::Label(name, inner) => Term::Label(name, boxed(*inner)),
        Term::Fold(name, source, binding, parts) => {
            Term::Fold(name, Box::new(counted(*source)), pattern(binding), parts.into_iter().map(counted).collect())
        }
        Term::TryCatch(inner, handler) => {
            Term::TryCatch(Box::new(counted(*inner)), handler.map(|handler| boxed(*handler)))
        }
        Term::IfThenElse(cases, otherwise) => Term::IfThenElse(
            cases.into_iter().map(|(condition, then)| (counted(condition), term(then))).collect(),
            otherwise.map(|otherwise| boxed(*otherwise)),
        ),
        Term::Def(defs, rest) => Term::Def(defs.into_iter().map(definition).collect(), boxed(*rest)),
        Term::Call(name, arguments) => Term::Call(name, arguments.into_iter().map(counted).collect()),
        Term::Path(head, path) => Term::Path(Box::new(counted(*head)), self::path(path)),
    }
}

/// A plain key has to stay one: `{a}` is short for `{a: .a}`.
fn key_of(key: Tree<'_>) -> Tree<'_> {
    match key {
        Term::Str(None, parts) if parts.iter().all(|part| !matches!(part, StrPart::Term(_))) => Term::Str(None, parts),
        key @ Term::Var(_) => key,
        key => counted(key),
    }
}

fn operation<'s>(left: Tree<'s>, op: BinaryOp<&'s str>, right: Tree<'s>) -> Tree<'s> {
    let (left, right) = match op {
        BinaryOp::Pipe(binding) => {
            let op = BinaryOp::Pipe(binding.map(pattern));
            return Term::BinOp(Box::new(term(left)), op, Box::new(after_step(term(right))));
        }
        BinaryOp::Comma => return Term::BinOp(Box::new(term(left)), op, Box::new(term(right))),
        BinaryOp::Alt => return Term::BinOp(Box::new(counted(left)), op, Box::new(term(right))),
        BinaryOp::Math(Math::Mul) => return Term::Call(PRODUCT, vec![counted(left), counted(right)]),
        BinaryOp::UpdateMath(Math::Mul) => {
            let multiplied = Term::Call(PRODUCT, vec![Term::Id, Term::Var(FACTOR)]);
            let update = Term::BinOp(Box::new(counted(left)), BinaryOp::Update, Box::new(multiplied));
            let binding = BinaryOp::Pipe(Some(Pattern::Var(FACTOR)));
            return Term::BinOp(Box::new(counted(right)), binding, Box::new(update));
        }
        BinaryOp::Or
        | BinaryOp::And
        | BinaryOp::Math(_)
        | BinaryOp::Cmp(_)
        | BinaryOp::Assign
        | BinaryOp::Update
        | BinaryOp::UpdateMath(_)
        | BinaryOp::UpdateAlt => (counted(left), counted(right)),
    };
    Term::BinOp(Box::new(left), op, Box::new(right))
}

fn pattern(binding: Pattern<&str>) -> Pattern<&str> {
    match binding {
        Pattern::Var(name) => Pattern::Var(name),
        Pattern::Arr(items) => Pattern::Arr(items.into_iter().map(pattern).collect()),
        Pattern::Obj(members) => {
            Pattern::Obj(members.into_iter().map(|(key, value)| (key_of(key), pattern(value))).collect())
        }
    }
}

fn path(path: Path<Tree<'_>>) -> Path<Tree<'_>> {
    let parts = path.0.into_iter().map(|(part, opt)| {
        let part = match part {
            Part::Index(index) => Part::Index(counted(index)),
            Part::Range(from, upto) => Part::Range(from.map(counted), upto.map(counted)),
        };
        (part, opt)
    });
    Path(parts.collect())
}
