use std::collections::HashSet;

use plugin_api::Language;

use super::{
    ACTIONS, APPENDS, BATCH, CHANGED, COLLECTION, CONDITION, DATA, DESCRIPTION, GLOBAL, PREVIOUS, ROLE_NAME, TITLE,
    Translations, USER,
};

const ALL: [&Translations; 13] = [
    &TITLE,
    &DESCRIPTION,
    &DATA,
    &USER,
    &ROLE_NAME,
    &COLLECTION,
    &GLOBAL,
    &ACTIONS,
    &APPENDS,
    &CONDITION,
    &CHANGED,
    &PREVIOUS,
    &BATCH,
];

#[test]
fn every_text_is_its_own_in_every_language() {
    for text in ALL {
        let text = text.text();
        let distinct: HashSet<&str> = Language::ALL.map(|language| text.get(language).trim()).into();
        assert_eq!(distinct.len(), 6, "a language repeats another one: {}", text.get(Language::English));
        assert!(!distinct.contains(""), "a language is empty: {}", text.get(Language::English));
    }
}

#[test]
fn each_language_is_written_in_its_script() {
    for text in ALL {
        assert!(text.ru.chars().any(|c| ('а'..='я').contains(&c)), "{}", text.ru);
        assert!(text.ko.chars().any(|c| ('가'..='힣').contains(&c)), "{}", text.ko);
        assert!(text.zh.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)), "{}", text.zh);
        for latin in [text.en, text.fr, text.nl] {
            assert!(latin.chars().all(|c| c < '\u{250}'), "{latin}");
        }
    }
}

#[test]
fn the_schema_and_the_host_read_the_same_text() {
    for text in ALL {
        let schema = serde_json::to_value(text).expect("texts are plain JSON");
        assert_eq!(schema, serde_json::to_value(text.text()).expect("texts are plain JSON"));
    }
}
