//! Expressions in CEL, with the engine's variables in them.
//!
//! `{{$context.data.amount}} * 2 > 500` is compiled once: every variable becomes a name that is bound to its value when the
//! expression is evaluated. A value is never put into the text, so it cannot change what the expression means.
//!
//! CEL keeps whole numbers and fractions apart and refuses to mix them, which people who write conditions do not expect.
//! So arithmetic and comparisons are redirected to [`arithmetic`], where all numbers are one kind.

mod arithmetic;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use cel::{
    Context, Env, IdedExpr,
    common::ast::{EntryExpr, Expr, LiteralValue},
};
use serde_json::Value;

use crate::variables::{Part, Path, Scope, parts};

/// Longest expression in bytes: a page of conditions fits, and it bounds what parsing costs.
const MAX_BYTES: usize = 4 * 1024;

/// Deepest nesting of brackets. The parser recurses through every precedence level at each of them, which takes up to
/// 256 KiB of stack, so this times that stays within [`STACK_BYTES`].
const MAX_BRACKET_DEPTH: usize = 32;

/// Deepest syntax tree: evaluation recurses, with up to 48 KiB of stack at each level.
const MAX_TREE_DEPTH: usize = 128;

/// Trees up to this depth are evaluated on the caller's stack, of which they take at most 400 KiB.
const SHALLOW_TREE_DEPTH: usize = 8;

/// The stack on which expressions are parsed and deep ones are evaluated.
const STACK_BYTES: usize = 16 * 1024 * 1024;

/// Deepest nesting of `map`, `filter`, `all` and `exists`: each level multiplies the work by the length of a list.
const MAX_LOOP_DEPTH: usize = 2;

/// Most compiled expressions kept. Each takes a few kilobytes; beyond it the cache starts anew.
const MAX_CACHED: usize = 1_000;

/// What is wrong with an expression: the configurer's, or that of the data it met.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum ExpressionError {
    /// Longer than [`MAX_BYTES`].
    #[error("the expression is longer than {MAX_BYTES} bytes")]
    TooLong,
    /// Brackets in brackets, or a chain of operators without end.
    #[error("the expression is nested too deeply")]
    TooDeep,
    /// Loops in loops in loops.
    #[error("the expression nests loops deeper than {MAX_LOOP_DEPTH} levels")]
    TooManyLoops,
    /// The system gave no thread to work on.
    #[error("the expression could not be evaluated now")]
    NoThread(#[source] Arc<std::io::Error>),
    /// Not CEL.
    #[error("the expression cannot be read: {0}")]
    Syntax(String),
    /// `'{{…}}'`: between quotes a variable would be plain text.
    #[error("a variable cannot stand between quotes in an expression")]
    QuotedVariable,
    /// It cannot be carried out with these values.
    #[error("the expression failed: {0}")]
    Evaluation(String),
}

/// Expressions that were compiled before. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expressions {
    cached: Arc<Mutex<HashMap<String, Arc<Expression>>>>,
}

impl Expressions {
    /// Evaluates an expression. One that is deep or loops over lists is evaluated where it may take its time.
    pub(crate) async fn evaluate(&self, text: &str, scope: &Scope) -> Result<Value, ExpressionError> {
        let expression = self.compiled(text)?;
        let values = expression.values(scope);
        if expression.loop_depth == 0 && expression.tree_depth <= SHALLOW_TREE_DEPTH {
            return expression.evaluate(values);
        }
        tokio::task::spawn_blocking(move || on_large_stack(|| expression.evaluate(values)))
            .await
            .map_err(|error| ExpressionError::Evaluation(error.to_string()))?
    }

    /// Checks an expression.
    pub(crate) fn check(&self, text: &str) -> Result<(), ExpressionError> {
        self.compiled(text).map(|_| ())
    }

    fn compiled(&self, text: &str) -> Result<Arc<Expression>, ExpressionError> {
        if let Some(expression) = self.cached.lock().unwrap_or_else(PoisonError::into_inner).get(text) {
            return Ok(Arc::clone(expression));
        }
        let expression = Arc::new(on_large_stack(|| Expression::compile(text))?);
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        if cached.len() >= MAX_CACHED {
            cached.clear();
        }
        cached.insert(text.to_owned(), Arc::clone(&expression));
        Ok(expression)
    }
}

/// A compiled expression.
#[derive(Debug)]
struct Expression {
    tree: IdedExpr,
    /// The variables, in the order of their names.
    variables: Vec<Path>,
    loop_depth: usize,
    tree_depth: usize,
}

/// The name of the variable at `index`. It has no counterpart in `{{…}}`; an expression that spells it reads that variable.
fn name_of(index: usize) -> String {
    format!("{NAME_PREFIX}{index}")
}

const NAME_PREFIX: &str = "__variable_";

static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

impl Expression {
    fn compile(text: &str) -> Result<Self, ExpressionError> {
        if text.len() > MAX_BYTES {
            return Err(ExpressionError::TooLong);
        }
        if bracket_depth(text) > MAX_BRACKET_DEPTH {
            return Err(ExpressionError::TooDeep);
        }
        let (mut source, mut variables) = (String::with_capacity(text.len()), Vec::new());
        for part in parts(text) {
            match part {
                Part::Text(text) => source.push_str(text),
                Part::Variable(path) => {
                    source.push_str(&format!(" {} ", name_of(variables.len())));
                    variables.push(path);
                }
            }
        }
        let program =
            ENV.compile(&source).map_err(|errors| ExpressionError::Syntax(first_line(&errors.to_string())))?;
        let mut tree = program.expression().clone();
        let mut walk = Walk { names: (0..variables.len()).map(name_of).collect(), ..Walk::default() };
        walk.visit(&mut tree);
        if walk.quoted {
            return Err(ExpressionError::QuotedVariable);
        }
        if walk.tree_deepest > MAX_TREE_DEPTH {
            return Err(ExpressionError::TooDeep);
        }
        if walk.loop_deepest > MAX_LOOP_DEPTH {
            return Err(ExpressionError::TooManyLoops);
        }
        Ok(Self { tree, variables, loop_depth: walk.loop_deepest, tree_depth: walk.tree_deepest })
    }

    fn values(&self, scope: &Scope) -> Vec<Value> {
        self.variables.iter().map(|path| scope.lookup(path).unwrap_or(Value::Null)).collect()
    }

    fn evaluate(&self, values: Vec<Value>) -> Result<Value, ExpressionError> {
        let failed = |error: cel::ExecutionError| ExpressionError::Evaluation(error.to_string());
        let mut context = Context::with_env(Arc::clone(&ENV));
        arithmetic::install(&mut context).map_err(|error| ExpressionError::Evaluation(error.to_string()))?;
        for (index, value) in values.into_iter().enumerate() {
            context.add_variable_from_value(name_of(index), arithmetic::from_json(value));
        }
        let value = cel::Value::resolve(&self.tree, &context).map_err(failed)?;
        arithmetic::to_json(&value).ok_or_else(|| {
            ExpressionError::Evaluation(format!("a result of type {} cannot be stored", value.type_of()))
        })
    }
}

/// The parser points at the place in lines below the message.
fn first_line(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    line.trim_start_matches("ERROR: <input>:").to_owned()
}

/// How deeply brackets nest. Those in quotes count too, which is on the safe side.
fn bracket_depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0usize, 0);
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// Runs `work` on a stack of [`STACK_BYTES`] and waits for it.
fn on_large_stack<T: Send>(work: impl FnOnce() -> Result<T, ExpressionError> + Send) -> Result<T, ExpressionError> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("expression".into()).stack_size(STACK_BYTES);
        let running = thread.spawn_scoped(scope, work).map_err(|error| ExpressionError::NoThread(Arc::new(error)))?;
        running.join().unwrap_or_else(|_| Err(ExpressionError::Evaluation("the evaluator stopped".into())))
    })
}

/// Redirects the operators of a syntax tree, and looks for what is not allowed.
#[derive(Default)]
struct Walk {
    names: HashSet<String>,
    quoted: bool,
    loop_depth: usize,
    loop_deepest: usize,
    tree_depth: usize,
    tree_deepest: usize,
}

impl Walk {
    fn visit(&mut self, node: &mut IdedExpr) {
        self.tree_depth += 1;
        self.tree_deepest = self.tree_deepest.max(self.tree_depth);
        self.visit_inside(node);
        self.tree_depth -= 1;
    }

    fn visit_inside(&mut self, node: &mut IdedExpr) {
        match &mut node.expr {
            Expr::Call(call) => {
                // What the macros collect their results with stays as it is: it is no arithmetic, and faster.
                let collects = call
                    .args
                    .first()
                    .is_some_and(|first| matches!(&first.expr, Expr::Ident(name) if name.starts_with('@')));
                if let (Some(own), false) = (arithmetic::redirected(&call.func_name), collects) {
                    own.clone_into(&mut call.func_name);
                }
                call.target.iter_mut().for_each(|target| self.visit(target));
                call.args.iter_mut().for_each(|argument| self.visit(argument));
            }
            Expr::Comprehension(looped) => {
                self.visit(&mut looped.iter_range);
                self.visit(&mut looped.accu_init);
                self.loop_depth += 1;
                self.loop_deepest = self.loop_deepest.max(self.loop_depth);
                self.visit(&mut looped.loop_cond);
                self.visit(&mut looped.loop_step);
                self.loop_depth -= 1;
                self.visit(&mut looped.result);
            }
            Expr::List(list) => list.elements.iter_mut().for_each(|element| self.visit(element)),
            Expr::Map(map) => map.entries.iter_mut().for_each(|entry| self.visit_entry(&mut entry.expr)),
            Expr::Struct(made) => made.entries.iter_mut().for_each(|entry| self.visit_entry(&mut entry.expr)),
            Expr::Select(select) => self.visit(&mut select.operand),
            Expr::Literal(LiteralValue::String(text)) => {
                self.quoted |=
                    text.inner().contains(NAME_PREFIX) && self.names.iter().any(|name| text.inner().contains(name));
            }
            Expr::Literal(_) | Expr::Ident(_) | Expr::Unspecified => {}
        }
    }

    fn visit_entry(&mut self, entry: &mut EntryExpr) {
        match entry {
            EntryExpr::StructField(field) => self.visit(&mut field.value),
            EntryExpr::MapEntry(entry) => {
                self.visit(&mut entry.key);
                self.visit(&mut entry.value);
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "`json!` at the call reads best without a borrow")]
mod tests {
    use serde_json::json;

    use super::*;

    fn scope() -> Scope {
        let context = json!({"data": {
            "amount": 700, "share": 700.5, "decimal": "700.50", "title": "it's \"here\" || true", "empty": null,
            "tags": ["a", "b"], "items": [{"price": 2, "count": 3}, {"price": 1.5, "count": 2}],
            "createdAt": "2024-05-01T10:00:00.000Z",
        }});
        Scope::new(context, 0)
    }

    fn evaluate(text: &str) -> Result<Value, ExpressionError> {
        on_large_stack(|| {
            let expression = Expression::compile(text)?;
            expression.evaluate(expression.values(&scope()))
        })
    }

    #[track_caller]
    fn check(text: &str, want: Value) {
        assert_eq!(evaluate(text).unwrap(), want, "{text}");
    }

    #[track_caller]
    fn check_fails(text: &str, want: &str) {
        let error = evaluate(text).unwrap_err().to_string();
        assert!(error.contains(want), "{text}: {error}");
    }

    #[test]
    fn numbers_are_one_kind() {
        check("{{$context.data.amount}} * 2 > 500", json!(true));
        check("{{$context.data.share}} * 2 > 500", json!(true));
        check("{{$context.data.amount}} * 2", json!(1400));
        check("{{$context.data.share}} * 2", json!(1401));
        check("{{$context.data.share}} + 1", json!(701.5));
        check("1 + 2 * 3 - 4", json!(3));
        check("7 / 2", json!(3.5));
        check("8 / 2", json!(4));
        check("7.5 % 2", json!(1.5));
        check("-{{$context.data.amount}}", json!(-700));
        check("{{$context.data.amount}} == 700.0", json!(true));
        check("1 != 1.5", json!(true));
        check("9223372036854775807 + 1 > 0", json!(true));
        check("size({{$context.data.tags}}) * 1.5", json!(3));
        check("{{$context.data.tags}}[3 - 2]", json!("b"));
    }

    #[test]
    fn decimals_are_text_that_counts_as_a_number() {
        check("{{$context.data.decimal}} > 500", json!(true));
        check("{{$context.data.decimal}} * 2", json!(1401));
        check("{{$context.data.decimal}} + 1", json!(701.5));
        check("{{$context.data.decimal}} == 700.5", json!(true));
        check("'1' + '2'", json!("12"));
        check("'10' < '9'", json!(true));
    }

    #[test]
    fn values_cannot_change_the_meaning() {
        check("{{$context.data.title}} == 'x'", json!(false));
        check("{{$context.data.title}}", json!("it's \"here\" || true"));
        check("{{$context.data.title}} + '!'", json!("it's \"here\" || true!"));
        check_fails("'{{$context.data.title}}' == 'x'", "between quotes");
    }

    #[test]
    fn lists_texts_and_moments_keep_their_operators() {
        check("{{$context.data.tags}} + ['c']", json!(["a", "b", "c"]));
        check("'b' in {{$context.data.tags}}", json!(true));
        check("{{$context.data.items}}.map(i, i.price * i.count)", json!([6, 3]));
        check("{{$context.data.items}}.filter(i, i.price > 1.6).size()", json!(1));
        check("{{$context.data.items}}.exists_one(i, i.count == 3)", json!(true));
        check("{{$context.data.empty}} == null", json!(true));
        check("{'b': 1 + 1, 'a': [true]}", json!({"a": [true], "b": 2}));
        check("{{$context.data.title}}.contains('here') ? 1 : 2", json!(1));
        check("timestamp({{$context.data.createdAt}}) + duration('1h')", json!("2024-05-01T11:00:00.000Z"));
    }

    #[test]
    fn what_cannot_be_done_says_why() {
        check_fails("1 +", "cannot be read");
        check_fails("", "cannot be read");
        check_fails("{{name}}", "cannot be read");
        check_fails("nosuch(1)", "nosuch");
        check_fails("1 / 0", "Division by zero");
        check_fails("{{$context.data.empty}} > 1", "can not be compared");
        check_fails("1.0e308 * 10", "cannot be stored");
        check_fails(&"1+".repeat(5_000), "longer than");
        check_fails("[1].map(a, [1].map(b, [1].map(c, a + b + c)))", "deeper than 2 levels");
    }

    #[test]
    fn deep_nesting_is_refused_and_does_not_overflow_the_stack() {
        for (open, close) in [("(", ")"), ("[", "]"), ("size(", ")"), ("{1:", "}")] {
            let nested = |depth| format!("{}1{}", open.repeat(depth), close.repeat(depth));
            assert!(!matches!(evaluate(&nested(MAX_BRACKET_DEPTH)), Err(ExpressionError::TooDeep)), "{open}");
            check_fails(&nested(MAX_BRACKET_DEPTH + 1), "too deeply");
        }
        check(&format!("1{}", "+1".repeat(MAX_TREE_DEPTH - 1)), json!(MAX_TREE_DEPTH));
        check_fails(&format!("1{}", "+1".repeat(MAX_TREE_DEPTH)), "too deeply");
        check_fails(&format!("1{}", "+1".repeat(2_000)), "too deeply");
        check_fails(&format!("{{}}{}", ".a".repeat(2_000)), "too deeply");
        check(&format!("{}true", "!".repeat(4_000)), json!(true));
    }

    #[tokio::test]
    async fn compiled_expressions_are_kept_within_bounds() {
        let expressions = Expressions::default();
        for number in 0..MAX_CACHED + 10 {
            assert_eq!(expressions.evaluate(&format!("{number} + 1"), &scope()).await.unwrap(), json!(number + 1));
        }
        assert!(expressions.cached.lock().unwrap().len() <= MAX_CACHED);
        assert_eq!(
            expressions.evaluate("{{$context.data.tags}}.map(t, t + '!')", &scope()).await.unwrap(),
            json!(["a!", "b!"])
        );
    }
}
