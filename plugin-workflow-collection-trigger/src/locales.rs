//! What people read about the trigger, beyond what it shares with others that watch a collection.

use plugin_api::Translations;

/// The trigger type's name.
pub(crate) const TITLE: Translations = Translations {
    en: "Collection event",
    fr: "Événement de collection",
    ru: "Событие коллекции",
    ko: "컬렉션 이벤트",
    nl: "Collectiegebeurtenis",
    zh: "数据表事件",
};

/// What the trigger type is for.
pub(crate) const DESCRIPTION: Translations = Translations {
    en: "Starts when records of a collection are created, updated or deleted, whoever does it: a user, an API request, \
         another workflow, or a change of a related record.",
    fr: "Démarre lorsque des enregistrements d'une collection sont créés, modifiés ou supprimés, quelle qu'en soit \
         l'origine : utilisateur, requête d'API, autre flux ou modification d'un enregistrement lié.",
    ru: "Запускается, когда записи коллекции создаются, изменяются или удаляются, кто бы это ни сделал: пользователь, \
         запрос API, другой рабочий процесс или изменение связанной записи.",
    ko: "컬렉션의 레코드가 생성, 수정 또는 삭제되면 시작됩니다. 사용자, API 요청, 다른 워크플로, 연관 레코드의 변경 등 \
         누가 바꾸었는지는 상관없습니다.",
    nl: "Start wanneer records van een collectie worden gemaakt, gewijzigd of verwijderd, door wie dan ook: een \
         gebruiker, een API-aanvraag, een andere workflow of een wijziging van een gerelateerd record.",
    zh: "当数据表的记录被创建、更新或删除时启动,无论来源是用户、API 请求、其他工作流,还是关联记录的变更。",
};

/// The field `actions`.
pub(crate) const ACTIONS: Translations = Translations {
    en: "Changes that start it",
    fr: "Changements déclencheurs",
    ru: "Запускающие изменения",
    ko: "시작하는 변경",
    nl: "Wijzigingen die starten",
    zh: "触发的变更",
};

/// The field `previous`, and the variable that it adds.
pub(crate) const PREVIOUS: Translations = Translations {
    en: "Record before the change",
    fr: "Enregistrement avant le changement",
    ru: "Запись до изменения",
    ko: "변경 전 레코드",
    nl: "Record vóór de wijziging",
    zh: "变更前的记录",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_its_own_in_every_language() {
        for text in [TITLE, DESCRIPTION, ACTIONS, PREVIOUS] {
            assert_eq!(text.slips(), [""; 0], "{}", text.en);
        }
    }
}
