//! Which package may depend on which.

use cargo_metadata::{DependencyKind, Metadata};

/// A package of the workspace and what its shipped code depends on.
pub(super) struct Package {
    name: String,
    /// The packages of the workspace among them.
    ours: Vec<String>,
    /// The ABI library is among them.
    names_abi_library: bool,
}

/// The library below the ABI, which has to stay replaceable.
const ABI_LIBRARY: &str = "abi_stable";
/// The packages that may know it.
const ABI_PACKAGES: [&str; 2] = ["plugin-api", "plugin-loader"];
/// What the names of test libraries start with that break the ABI on purpose: they have to know it.
const FIXTURE_PREFIX: &str = "fixture-";
/// What the names of plugins start with, and of these packages, which are none.
const PLUGIN_PREFIX: &str = "plugin-";
const NO_PLUGINS: [&str; 3] = ["plugin-api", "plugin-loader", "plugin-testkit"];

/// Reads the packages from cargo's metadata. Dependencies of tests and build scripts draw no arrows.
pub(super) fn packages(metadata: &Metadata) -> Vec<Package> {
    let members = metadata.workspace_packages();
    let is_member = |name: &str| members.iter().any(|member| *member.name == name);
    members
        .iter()
        .map(|package| {
            let shipped = package.dependencies.iter().filter(|dependency| dependency.kind == DependencyKind::Normal);
            let names: Vec<String> = shipped.map(|dependency| dependency.name.clone()).collect();
            Package {
                name: package.name.to_string(),
                names_abi_library: names.iter().any(|name| name == ABI_LIBRARY),
                ours: names.into_iter().filter(|name| is_member(name)).collect(),
            }
        })
        .collect()
}

/// Complains about each arrow that is not in the plan.
pub(super) fn check(packages: &[Package]) -> Vec<String> {
    packages.iter().flat_map(|package| forbidden(package).chain(abi(package))).collect()
}

fn forbidden(package: &Package) -> impl Iterator<Item = String> {
    let forbidden = package.ours.iter().filter(|target| !allowed(&package.name, target));
    forbidden.map(|target| format!("{} must not depend on {target}", package.name))
}

fn abi(package: &Package) -> Option<String> {
    let may = ABI_PACKAGES.contains(&package.name.as_str()) || package.name.starts_with(FIXTURE_PREFIX);
    (package.names_abi_library && !may).then(|| format!("{} must not depend on {ABI_LIBRARY}", package.name))
}

fn allowed(from: &str, to: &str) -> bool {
    match from {
        "plugin-api" | "store" | "xtask" => false,
        "workflow" => to == "store",
        "test-database" => to == "test-database-macros",
        // The host lists the plugins so that cargo builds their libraries; its code never names them (see `sources`).
        "host-demo" => ["plugin-api", "plugin-loader", "workflow", "store"].contains(&to) || is_plugin(to),
        "plugin-loader" => to == "plugin-api",
        "plugin-testkit" => ["plugin-api", "plugin-loader"].contains(&to),
        plugin if is_plugin(plugin) => to == "plugin-api",
        // A test library that is wrong in its answers, not in its layout, uses the layout.
        fixture if fixture.starts_with(FIXTURE_PREFIX) => to == "plugin-api",
        // System tests and benchmarks stand above everything.
        "tests" | "benches" => true,
        _ => false,
    }
}

fn is_plugin(name: &str) -> bool {
    name.starts_with(PLUGIN_PREFIX) && !NO_PLUGINS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::{Package, check};

    fn complaints(name: &str, ours: &[&str], names_abi_library: bool) -> Vec<String> {
        let ours = ours.iter().map(|&name| name.to_owned()).collect();
        check(&[Package { name: name.to_owned(), ours, names_abi_library }])
    }

    #[test]
    fn the_planned_arrows_pass() {
        assert_eq!(
            complaints("host-demo", &["plugin-api", "plugin-loader", "workflow", "store", "plugin-x"], false),
            [""; 0]
        );
        assert_eq!(complaints("workflow", &["store"], false), [""; 0]);
        assert_eq!(complaints("plugin-x", &["plugin-api"], false), [""; 0]);
        assert_eq!(complaints("fixture-x", &["plugin-api"], true), [""; 0]);
        assert_eq!(complaints("plugin-loader", &["plugin-api"], true), [""; 0]);
        assert_eq!(complaints("plugin-testkit", &["plugin-api", "plugin-loader"], false), [""; 0]);
    }

    #[test]
    fn other_arrows_do_not() {
        assert_eq!(complaints("workflow", &["plugin-api"], false), ["workflow must not depend on plugin-api"]);
        assert_eq!(complaints("store", &["workflow"], false), ["store must not depend on workflow"]);
        assert_eq!(complaints("plugin-x", &["plugin-y"], false), ["plugin-x must not depend on plugin-y"]);
        assert_eq!(complaints("plugin-testkit", &["plugin-x"], false), ["plugin-testkit must not depend on plugin-x"]);
        assert_eq!(complaints("plugin-x", &["plugin-testkit"], false), ["plugin-x must not depend on plugin-testkit"]);
        assert_eq!(complaints("plugin-x", &["plugin-loader"], false), ["plugin-x must not depend on plugin-loader"]);
        assert_eq!(complaints("plugin-loader", &["host-demo"], false), ["plugin-loader must not depend on host-demo"]);
        assert_eq!(complaints("plugin-api", &["store"], false), ["plugin-api must not depend on store"]);
        assert_eq!(complaints("newcomer", &["store"], false), ["newcomer must not depend on store"]);
    }

    #[test]
    fn the_abi_library_stays_where_it_is() {
        assert_eq!(complaints("plugin-x", &[], true), ["plugin-x must not depend on abi_stable"]);
        assert_eq!(complaints("host-demo", &[], true), ["host-demo must not depend on abi_stable"]);
        assert_eq!(complaints("fixture-old-abi", &[], true), [""; 0]);
    }
}
