//! Errors on their way across: [`PluginError`] as a frozen struct.

use abi_stable::{
    StableAbi,
    std_types::{RErr, ROk, RResult, RString},
};

use crate::error::{ErrorKind, PluginError};

/// The answer of every call that can fail.
pub type AbiResult<T> = RResult<T, AbiError>;

/// A [`PluginError`]. Frozen.
#[repr(C)]
#[derive(StableAbi, Debug, Clone)]
pub struct AbiError {
    /// An [`ErrorKind`] as a number; an unknown one is a fault.
    pub kind: u8,
    /// The sentence.
    pub message: RString,
}

const INVALID: u8 = 1;
const UNAVAILABLE: u8 = 2;
const FAULT: u8 = 3;

impl From<PluginError> for AbiError {
    fn from(error: PluginError) -> Self {
        let kind = match error.kind {
            ErrorKind::Invalid => INVALID,
            ErrorKind::Unavailable => UNAVAILABLE,
            ErrorKind::Fault => FAULT,
        };
        Self { kind, message: error.message.into() }
    }
}

impl From<AbiError> for PluginError {
    fn from(error: AbiError) -> Self {
        let kind = match error.kind {
            INVALID => ErrorKind::Invalid,
            UNAVAILABLE => ErrorKind::Unavailable,
            _ => ErrorKind::Fault,
        };
        Self { kind, message: error.message.into() }
    }
}

/// Makes an answer of a result.
pub(crate) fn answer<T>(result: Result<T, PluginError>) -> AbiResult<T> {
    match result {
        Ok(value) => ROk(value),
        Err(error) => RErr(error.into()),
    }
}

/// Makes a result of an answer.
pub(crate) fn result<T>(answer: AbiResult<T>) -> Result<T, PluginError> {
    answer.into_result().map_err(Into::into)
}

/// Writes a message for the other side.
pub(crate) fn write<T: serde::Serialize>(what: &str, value: &T) -> Result<RString, PluginError> {
    serde_json::to_string(value)
        .map(RString::from)
        .map_err(|error| PluginError::fault(format!("the {what} cannot be written: {error}")))
}

/// Reads a message of the other side, whose fault it is if it does not fit.
pub(crate) fn read<T: serde::de::DeserializeOwned>(what: &str, json: &str) -> Result<T, PluginError> {
    serde_json::from_str(json).map_err(|error| PluginError::fault(format!("the {what} cannot be read: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_survive_the_crossing() {
        for error in [PluginError::invalid("a"), PluginError::unavailable("b"), PluginError::fault("c")] {
            assert_eq!(PluginError::from(AbiError::from(error.clone())), error);
        }
    }

    #[test]
    fn an_unknown_kind_is_a_fault() {
        let error = AbiError { kind: 250, message: "from the future".into() };
        assert_eq!(PluginError::from(error), PluginError::fault("from the future"));
    }
}
