//! Text in the languages of the console.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A language the console can be shown in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Language {
    /// English, the fallback of every other language.
    #[serde(rename = "en")]
    English,
    /// French.
    #[serde(rename = "fr")]
    French,
    /// Russian.
    #[serde(rename = "ru")]
    Russian,
    /// Korean.
    #[serde(rename = "ko")]
    Korean,
    /// Dutch.
    #[serde(rename = "nl")]
    Dutch,
    /// Chinese, simplified.
    #[serde(rename = "zh")]
    Chinese,
}

/// One text in several languages; English is always there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalizedText {
    en: String,
    #[serde(flatten)]
    translations: BTreeMap<String, String>,
}
