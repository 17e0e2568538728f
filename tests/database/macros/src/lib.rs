//! The attribute of `test-database`, which says what it does.

use proc_macro::{TokenStream, TokenTree};

/// Makes two tests of an async function: `NAME::sqlite` and `NAME::postgres`. Takes the arguments of `tokio::test`.
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, function: TokenStream) -> TokenStream {
    tests(&arguments, function, &[("sqlite", "Sqlite"), ("postgres", "Postgres")])
}

/// Makes three tests of an async function: `NAME::sqlite`, `NAME::postgres` and `NAME::mysql`. Takes the arguments of `tokio::test`.
#[proc_macro_attribute]
pub fn test_all(arguments: TokenStream, function: TokenStream) -> TokenStream {
    tests(&arguments, function, &[("sqlite", "Sqlite"), ("postgres", "Postgres"), ("mysql", "Mysql")])
}

fn tests(arguments: &TokenStream, function: TokenStream, databases: &[(&str, &str)]) -> TokenStream {
    let Some(name) = name_of(&function) else {
        return r#"compile_error!("an async function is expected");"#.parse().unwrap_or_default();
    };
    let arguments = if arguments.is_empty() { String::new() } else { format!("({arguments})") };
    let test = |(module, database): &(&str, &str)| {
        format!(
            "#[tokio::test{arguments}]
             async fn {module}() {{
                 if ::test_database::begin(::test_database::Database::{database}) {{
                     ::test_database::Verdict::verdict(super::{name}().await);
                 }}
             }}"
        )
    };
    let tests = format!("mod {name} {{ {} }}", databases.iter().map(test).collect::<String>());
    let mut made = function;
    made.extend(tests.parse::<TokenStream>().unwrap_or_default());
    made
}

fn name_of(function: &TokenStream) -> Option<String> {
    let mut tokens = function.clone().into_iter();
    tokens.find(|token| matches!(token, TokenTree::Ident(word) if word.to_string() == "fn"))?;
    tokens.next().map(|name| name.to_string())
}
