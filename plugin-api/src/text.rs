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

/// One text in every language, for a constant; one that lacks a language does not compile. In JSON, as [`LocalizedText`].
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Translations {
    /// English.
    pub en: &'static str,
    /// French.
    pub fr: &'static str,
    /// Russian.
    pub ru: &'static str,
    /// Korean.
    pub ko: &'static str,
    /// Dutch.
    pub nl: &'static str,
    /// Chinese, simplified.
    pub zh: &'static str,
}

impl Translations {
    /// Hands the text over as the host takes it.
    pub fn text(&self) -> LocalizedText {
        LocalizedText::new(self.en)
            .with(Language::French, self.fr)
            .with(Language::Russian, self.ru)
            .with(Language::Korean, self.ko)
            .with(Language::Dutch, self.nl)
            .with(Language::Chinese, self.zh)
    }

    /// Names what a slip of the hand leaves behind, for the tests of a plugin: languages that are empty, repeat another one
    /// or are not written in their script.
    pub fn slips(&self) -> Vec<&'static str> {
        let mut slips = Vec::new();
        let texts = [self.en, self.fr, self.ru, self.ko, self.nl, self.zh];
        for (position, language) in Language::ALL.into_iter().enumerate() {
            let text = texts[position];
            let repeats = texts[..position].contains(&text);
            let has = |from: char, to: char| text.chars().any(|c| (from..=to).contains(&c));
            let in_script = match language {
                Language::English | Language::French | Language::Dutch => text.chars().all(|c| c < '\u{250}'),
                Language::Russian => has('а', 'я'),
                Language::Korean => has('가', '힣'),
                Language::Chinese => has('\u{4e00}', '\u{9fff}'),
            };
            if text.trim().is_empty() || repeats || !in_script {
                slips.push(language.code());
            }
        }
        slips
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: Translations = Translations {
        en: "Record",
        fr: "Enregistrement",
        ru: "Запись",
        ko: "레코드",
        nl: "Gegevensrecord",
        zh: "记录",
    };

    #[test]
    fn a_constant_says_the_same_as_its_text() {
        let json = serde_json::to_value(RECORD).expect("texts are plain JSON");
        assert_eq!(json, serde_json::to_value(RECORD.text()).expect("texts are plain JSON"));
        assert_eq!(RECORD.text().get(Language::Korean), "레코드");
    }

    #[test]
    fn slips_are_found() {
        let slips = |text: Translations| text.slips();
        assert_eq!(slips(RECORD), [""; 0]);
        assert_eq!(slips(Translations { nl: "Record", ..RECORD }), ["nl"], "it repeats the English one");
        assert_eq!(slips(Translations { fr: " ", ..RECORD }), ["fr"]);
        assert_eq!(slips(Translations { ko: "Record!", zh: "記録?", ..RECORD }), ["ko"], "not in its script");
        assert_eq!(slips(Translations { en: "Запись", ru: "Record", ..RECORD }), ["en", "ru"]);
    }

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
