//! Compares the layout of a library's root module with the host's, and says in at most four lines where they differ.
//!
//! The check of abi_stable accepts libraries that have more than the host knows. A library that has less is just as
//! safe, because what is missing is asked for at run time; so the check is tried in both directions.

use abi_stable::{
    StableAbi,
    abi_stability::abi_checking::{AbiInstability, AbiInstabilityErrors, check_layout_compatibility},
    type_layout::{TLFieldOrFunction, TypeLayout},
};
use plugin_api::abi::module::PluginModuleRef;

/// The most lines a digest has.
const MOST_LINES: usize = 4;

/// Checks a library's layout against the host's.
///
/// # Errors
///
/// The differences, the deepest first.
pub(crate) fn check(theirs: &'static TypeLayout) -> Result<(), Vec<String>> {
    either_way(<PluginModuleRef as StableAbi>::LAYOUT, theirs)
}

fn either_way(ours: &'static TypeLayout, theirs: &'static TypeLayout) -> Result<(), Vec<String>> {
    match check_layout_compatibility(ours, theirs) {
        Ok(()) => Ok(()),
        Err(errors) => match check_layout_compatibility(theirs, ours) {
            Ok(()) => Ok(()),
            Err(_) => Err(digest(&errors)),
        },
    }
}

/// The whole text has some hundred kilobytes. The deepest difference is the cause, its parents only repeat it.
fn digest(errors: &AbiInstabilityErrors) -> Vec<String> {
    let mut found: Vec<(usize, String)> = Vec::new();
    for error in &errors.errors {
        let path: Vec<String> = error.stack_trace.iter().filter_map(|step| name(&step.expected)).collect();
        for difference in &error.errs {
            let line = format!("{}: {}", path.join(" > "), describe(difference));
            let line = line.strip_prefix(": ").map_or_else(|| line.clone(), |rest| format!("root: {rest}"));
            if !found.iter().any(|(_, known)| *known == line) {
                found.push((path.len(), line));
            }
        }
    }
    found.sort_by_key(|(depth, _)| std::cmp::Reverse(*depth));
    let mut lines: Vec<String> = found.into_iter().map(|(_, line)| line).collect();
    if lines.len() > MOST_LINES {
        let more = lines.len() - (MOST_LINES - 1);
        lines.truncate(MOST_LINES - 1);
        lines.push(format!("and {more} more"));
    }
    lines
}

/// A step of the path, without the plumbing of trait objects and pointers.
fn name(step: &TLFieldOrFunction) -> Option<String> {
    match step {
        TLFieldOrFunction::Field(field) => {
            let plumbing = ["obj", "vtable", "ptr", "0"];
            (!plumbing.contains(&field.name())).then(|| field.name().to_owned())
        }
        TLFieldOrFunction::Function(function) => Some(format!("fn {}", function.name)),
    }
}

fn describe(difference: &AbiInstability) -> String {
    use AbiInstability as Kind;
    fn pair(what: &str, host: impl std::fmt::Display, plugin: impl std::fmt::Display) -> String {
        format!("{what} is {host} in the host and {plugin} in the plugin")
    }
    match difference {
        Kind::Name(it) => pair("the type", it.expected, it.found),
        Kind::Package(it) => pair("the crate", it.expected, it.found),
        Kind::PackageVersion(it) => pair("the crate's version", it.expected, it.found),
        Kind::MismatchedPrefixSize(it) => pair("the frozen prefix", it.expected, it.found),
        Kind::Size(it) => pair("the size in bytes", it.expected, it.found),
        Kind::Alignment(it) => pair("the alignment", it.expected, it.found),
        Kind::FieldCountMismatch(it) => pair("the number of fields", it.expected, it.found),
        Kind::TooManyVariants(it) => pair("the number of variants", it.expected, it.found),
        Kind::UnexpectedField(it) => pair("the field", it.expected.name(), it.found.name()),
        Kind::UnexpectedVariant(it) => pair("the variant", it.expected, it.found),
        // The rest is rare; its debug text can be as long as a layout.
        other => format!("{other:?}").split(['(', '{', ' ']).next().unwrap_or("difference").to_owned(),
    }
}

#[cfg(test)]
#[expect(unsafe_code, reason = "abi_stable's macros expand to it")]
mod tests {
    use abi_stable::std_types::RString;

    use super::*;

    mod ours {
        #[repr(C)]
        #[derive(abi_stable::StableAbi)]
        pub(super) struct Facts {
            pub(super) inner: Inner,
        }
        #[repr(C)]
        #[derive(abi_stable::StableAbi)]
        pub(super) struct Inner {
            pub(super) count: u64,
        }
    }

    mod theirs {
        #[repr(C)]
        #[derive(abi_stable::StableAbi)]
        pub(super) struct Facts {
            pub(super) inner: Inner,
        }
        #[repr(C)]
        #[derive(abi_stable::StableAbi)]
        pub(super) struct Inner {
            pub(super) count: u32,
            pub(super) more: super::RString,
        }
    }

    /// A module of three releases: a later one adds behind the prefix, a broken one changes it.
    #[expect(dead_code, reason = "accessors that no test calls")]
    mod older {
        #[repr(C)]
        #[derive(abi_stable::StableAbi)]
        #[sabi(kind(Prefix(prefix_ref = ModuleRef, prefix_fields = ModulePrefix)))]
        #[sabi(missing_field(option))]
        pub(super) struct Module {
            #[sabi(last_prefix_field)]
            pub(super) first: u64,
        }
    }

    #[expect(dead_code, reason = "accessors that no test calls")]
    mod newer {
        #[repr(C)]
        #[derive(abi_stable::StableAbi)]
        #[sabi(kind(Prefix(prefix_ref = ModuleRef, prefix_fields = ModulePrefix)))]
        #[sabi(missing_field(option))]
        pub(super) struct Module {
            #[sabi(last_prefix_field)]
            pub(super) first: u64,
            pub(super) second: u32,
        }
    }

    #[expect(dead_code, reason = "accessors that no test calls")]
    mod broken {
        #[repr(C)]
        #[derive(abi_stable::StableAbi)]
        #[sabi(kind(Prefix(prefix_ref = ModuleRef, prefix_fields = ModulePrefix)))]
        #[sabi(missing_field(option))]
        pub(super) struct Module {
            #[sabi(last_prefix_field)]
            pub(super) first: u32,
            pub(super) second: u32,
        }
    }

    #[test]
    fn older_and_newer_fit_either_way_and_a_changed_prefix_does_not() {
        let (older, newer) = (<older::ModuleRef as StableAbi>::LAYOUT, <newer::ModuleRef as StableAbi>::LAYOUT);
        assert_eq!(either_way(older, newer), Ok(()));
        assert_eq!(either_way(newer, older), Ok(()));
        assert!(check_layout_compatibility(newer, older).is_err(), "one direction alone would refuse it");
        let lines = either_way(newer, <broken::ModuleRef as StableAbi>::LAYOUT).expect_err("the prefix changed");
        assert!(lines.len() <= MOST_LINES && lines[0].starts_with("first: "), "{lines:#?}");
    }

    #[test]
    fn a_layout_fits_itself() {
        assert_eq!(check(<PluginModuleRef as StableAbi>::LAYOUT), Ok(()));
    }

    #[test]
    fn differences_are_few_lines_that_name_the_place() {
        let lines = either_way(<ours::Facts as StableAbi>::LAYOUT, <theirs::Facts as StableAbi>::LAYOUT)
            .expect_err("they differ");
        assert!(lines.len() <= MOST_LINES, "{lines:#?}");
        assert!(
            lines.iter().any(|line| line == "inner: the number of fields is 1 in the host and 2 in the plugin"),
            "{lines:#?}"
        );
        assert!(lines.iter().all(|line| line.len() < 200), "{lines:#?}");
    }
}
