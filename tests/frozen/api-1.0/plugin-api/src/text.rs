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

impl Language {
    /// Every language, English first.
    pub const ALL: [Self; 6] = [Self::English, Self::French, Self::Russian, Self::Korean, Self::Dutch, Self::Chinese];

    /// The two-letter code, as in JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::French => "fr",
            Self::Russian => "ru",
            Self::Korean => "ko",
            Self::Dutch => "nl",
            Self::Chinese => "zh",
        }
    }
}

/// One text in several languages; English is always there. In JSON: `{"en": "…", "fr": "…"}`.
///
/// Translations are kept by language code, so that a host passes on languages it does not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalizedText {
    en: String,
    #[serde(flatten)]
    translations: BTreeMap<String, String>,
}

impl LocalizedText {
    /// Starts with the English text.
    pub fn new(en: impl Into<String>) -> Self {
        Self { en: en.into(), translations: BTreeMap::new() }
    }

    /// Adds, or replaces, the text in one language.
    #[must_use]
    pub fn with(mut self, language: Language, text: impl Into<String>) -> Self {
        match language {
            Language::English => self.en = text.into(),
            Language::French | Language::Russian | Language::Korean | Language::Dutch | Language::Chinese => {
                self.translations.insert(language.code().to_owned(), text.into());
            }
        }
        self
    }

    /// The text in a language, or in English if there is no translation.
    pub fn get(&self, language: Language) -> &str {
        self.translations.get(language.code()).unwrap_or(&self.en)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_translation_falls_back_to_english() {
        let text = LocalizedText::new("Collection").with(Language::Dutch, "Collectie");
        assert_eq!(text.get(Language::Dutch), "Collectie");
        assert_eq!(text.get(Language::Korean), "Collection");
        assert_eq!(text.get(Language::English), "Collection");
    }

    #[test]
    fn json_is_one_flat_object_and_keeps_unknown_languages() {
        let text: LocalizedText =
            serde_json::from_str(r#"{"en":"Record","fr":"Enregistrement","sv":"Post"}"#).expect("a localised text");
        assert_eq!(text.get(Language::French), "Enregistrement");
        let json = serde_json::to_value(&text).expect("serialises");
        assert_eq!(json, serde_json::json!({"en": "Record", "fr": "Enregistrement", "sv": "Post"}));
    }

    #[test]
    fn codes_are_the_names_in_json() {
        for language in Language::ALL {
            assert_eq!(serde_json::to_value(language).expect("serialises"), language.code());
        }
    }
}
