//! A plugin that is linked into the program that calls it, without a library; for tests of plugins.

use std::sync::Arc;

use serde_json::Value;

use super::{
    guard::guarded,
    registrar::{self, Offers},
};
use crate::{
    error::PluginError,
    plugin::{Plugin, Registrar},
    service::Services,
};

/// Makes a plugin, which may keep `services`, and takes what it offers, through the same objects as from a library. Its tracing needs no way across.
///
/// # Errors
///
/// The settings do not fit, or the plugin refuses or is at fault; what it offered until then is dropped.
pub fn make<P: Plugin>(settings: &Value, services: Arc<dyn Services>) -> Result<Offers, PluginError> {
    guarded("register", || {
        let settings = serde_json::from_value(settings.clone())
            .map_err(|error| PluginError::invalid(format!("the settings do not fit: {error}")))?;
        let mut offers = Offers::new(services);
        let mut registrar = Registrar::new(registrar::host(&offers.object()));
        P::register(settings, &mut registrar)?;
        registrar::hand_over(registrar, offers.object())?;
        Ok(offers)
    })
}
