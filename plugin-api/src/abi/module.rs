//! The root symbol: what a host finds when it opens a plugin's library.

use std::sync::Arc;

use abi_stable::{
    StableAbi,
    library::{CheckTypeLayout, LibHeader, RootModule, RootModuleResult},
    marker_type::ErasedPrefix,
    package_version_strings,
    prefix_type::{PrefixRefTrait, PrefixTypeTrait},
    sabi_types::VersionStrings,
    std_types::{ROk, RStr, RString},
};

use super::{
    error::{AbiResult, answer, read, result, write},
    guard::guarded,
    log::LogObject,
    proxy,
    registrar::{self, Offers, RegistrarObject},
};
use crate::{
    error::PluginError,
    plugin::{Plugin, Registrar},
    service::Services,
};

/// The version of this API.
pub const API_VERSION: &str = env!("CARGO_PKG_VERSION");

/// The name of the root symbol, as [`crate::export_plugin!`] has to write it.
pub const ROOT_SYMBOL: &str = abi_stable::library::ROOT_MODULE_LOADER_NAME;

/// What a library offers.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = PluginModuleRef, prefix_fields = PluginModulePrefix)))]
#[sabi(missing_field(option))]
pub struct PluginModule {
    /// [`Plugin::ID`].
    pub id: RStr<'static>,
    /// The version of the plugin's crate.
    pub version: RStr<'static>,
    /// The version of the API it was built with.
    pub api_version: RStr<'static>,
    /// The compiler it was built with.
    pub rustc: RStr<'static>,
    /// The JSON Schema of [`Plugin::Settings`].
    pub settings_schema: extern "C" fn() -> AbiResult<RString>,
    /// Makes the plugin from its settings (JSON text). The frozen prefix ends here.
    #[sabi(last_prefix_field)]
    pub register: extern "C" fn(settings: RStr<'_>, log: LogObject, host: RegistrarObject<'_>) -> AbiResult<()>,
    /// The names of [`Plugin::NEEDS`] (JSON text). Since 1.2.
    pub needs: extern "C" fn() -> AbiResult<RString>,
}

impl RootModule for PluginModuleRef {
    abi_stable::declare_root_module_statics! {PluginModuleRef}

    const BASE_NAME: &'static str = "plugin";
    const NAME: &'static str = "plugin-api";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}

/// A plugin with the version of its crate; [`crate::export_plugin!`] implements it.
pub trait Exported: Plugin {
    /// The version of the plugin's crate.
    const VERSION: &'static str;
}

/// What the root symbol of a plugin's library holds.
pub const fn library_header<P: Exported>() -> LibHeader {
    // SAFETY: `load` answers with a `PluginModuleRef`, the type named here.
    unsafe { LibHeader::from_constructor::<PluginModuleRef>(load::<P>, CheckTypeLayout::Yes) }
}

extern "C" fn load<P: Exported>() -> RootModuleResult {
    let module = PluginModule {
        id: P::ID.into(),
        version: P::VERSION.into(),
        api_version: API_VERSION.into(),
        rustc: env!("PLUGIN_API_RUSTC").into(),
        settings_schema: settings_schema::<P>,
        register: register::<P>,
        needs: needs::<P>,
    };
    // SAFETY: the cast only forgets the type, which the host knows from the header.
    ROk(unsafe { module.leak_into_prefix().to_prefix_ref().cast::<ErasedPrefix>() })
}

extern "C" fn settings_schema<P: Plugin>() -> AbiResult<RString> {
    answer(guarded("settings_schema", || {
        write("schema of the settings", &schemars::schema_for!(P::Settings).to_value())
    }))
}

extern "C" fn needs<P: Plugin>() -> AbiResult<RString> {
    answer(guarded("needs", || write("needs", &P::NEEDS)))
}

extern "C" fn register<P: Plugin>(settings: RStr<'_>, log: LogObject, host: RegistrarObject<'_>) -> AbiResult<()> {
    answer(guarded("register", || {
        proxy::install(log);
        let settings = serde_json::from_str(settings.as_str())
            .map_err(|error| PluginError::invalid(format!("the settings do not fit: {error}")))?;
        let mut registrar = Registrar::new(registrar::host(&host));
        P::register(settings, &mut registrar)?;
        registrar::hand_over(registrar, host)
    }))
}

impl PluginModuleRef {
    /// The JSON Schema of the plugin's settings.
    ///
    /// # Errors
    ///
    /// A fault of the plugin.
    pub fn read_settings_schema(self) -> Result<serde_json::Value, PluginError> {
        read("schema of the settings", &result(self.settings_schema()())?)
    }

    /// The names of the services that the plugin needs; a plugin of 1.0 or 1.1 needs none.
    ///
    /// # Errors
    ///
    /// A fault of the plugin.
    pub fn read_needs(self) -> Result<Vec<String>, PluginError> {
        match self.needs() {
            Some(needs) => read("needs", &result(needs())?),
            None => Ok(Vec::new()),
        }
    }

    /// Makes the plugin, which may keep `services`, and takes what it offers.
    ///
    /// # Errors
    ///
    /// The plugin refuses, or is at fault; what it offered until then is dropped.
    pub fn make_plugin(
        self,
        settings: &serde_json::Value,
        log: LogObject,
        services: Arc<dyn Services>,
    ) -> Result<Offers, PluginError> {
        let mut offers = Offers::new(services);
        result(self.register()(settings.to_string().as_str().into(), log, offers.object()))?;
        Ok(offers)
    }
}

/// Exports a [`Plugin`](crate::Plugin) as the one plugin of its library, whose crate is a `cdylib`.
///
/// ```
/// use plugin_api::{NoSettings, Plugin, PluginError, Registrar};
///
/// struct Nothing;
///
/// impl Plugin for Nothing {
///     const ID: &'static str = "nothing";
///     type Settings = NoSettings;
///
///     fn register(_: NoSettings, _: &mut Registrar) -> Result<(), PluginError> {
///         Ok(())
///     }
/// }
///
/// plugin_api::export_plugin!(Nothing);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! export_plugin {
    ($plugin:ty) => {
        impl $crate::abi::module::Exported for $plugin {
            const VERSION: &'static str = ::core::env!("CARGO_PKG_VERSION");
        }

        const _: () = {
            #[allow(unsafe_code, reason = "the root symbol; its name is abi_stable's, so nobody else defines it")]
            #[unsafe(export_name = "_1as_0lib_1header_0root_bmodule_bloader")]
            static PLUGIN: $crate::abi::LibHeader = $crate::abi::module::library_header::<$plugin>();
        };
    };
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_macro_writes_the_name_that_hosts_look_for() {
        assert_eq!(super::ROOT_SYMBOL, "_1as_0lib_1header_0root_bmodule_bloader");
    }
}
