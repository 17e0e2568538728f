//! What people read about what all these trigger types have.

use crate::text::Translations;

/// The variable `data`.
pub const DATA: Translations = Translations {
    en: "Trigger data",
    fr: "Données du déclencheur",
    ru: "Данные триггера",
    ko: "트리거 데이터",
    nl: "Triggergegevens",
    zh: "触发数据",
};

/// The variable `user`.
pub const USER: Translations = Translations {
    en: "Acting user",
    fr: "Utilisateur à l'origine de l'action",
    ru: "Пользователь, выполнивший действие",
    ko: "작업한 사용자",
    nl: "Handelende gebruiker",
    zh: "操作用户",
};

/// The variable `roleName`.
pub const ROLE_NAME: Translations = Translations {
    en: "Role of the acting user",
    fr: "Rôle de l'utilisateur à l'origine de l'action",
    ru: "Роль пользователя, выполнившего действие",
    ko: "작업한 사용자의 역할",
    nl: "Rol van de handelende gebruiker",
    zh: "操作用户的角色",
};

/// The field `collection`.
pub const COLLECTION: Translations = Translations {
    en: "Collection",
    fr: "Collection de données",
    ru: "Коллекция",
    ko: "컬렉션",
    nl: "Collectie",
    zh: "数据表",
};

/// The field `global`.
pub const GLOBAL: Translations = Translations {
    en: "Fire for every button and request",
    fr: "Déclencher pour tous les boutons et requêtes",
    ru: "Запускать для всех кнопок и запросов",
    ko: "모든 버튼과 요청에서 시작",
    nl: "Starten bij elke knop en aanvraag",
    zh: "对所有按钮和请求触发",
};

/// The field `actions`.
pub const ACTIONS: Translations = Translations {
    en: "Actions that fire",
    fr: "Actions déclenchantes",
    ru: "Запускающие действия",
    ko: "시작하는 작업",
    nl: "Acties die starten",
    zh: "触发的操作",
};

/// The field `appends`.
pub const APPENDS: Translations = Translations {
    en: "Associations to load",
    fr: "Associations à charger",
    ru: "Загружаемые связи",
    ko: "함께 불러올 연관 데이터",
    nl: "Te laden relaties",
    zh: "预加载的关联数据",
};

/// The field `condition`.
pub const CONDITION: Translations = Translations {
    en: "Only if",
    fr: "Seulement si",
    ru: "Только если",
    ko: "시작 조건",
    nl: "Alleen als",
    zh: "触发条件",
};

/// The field `changed`.
pub const CHANGED: Translations = Translations {
    en: "On update, only if one of these fields changes",
    fr: "À la mise à jour, seulement si l'un de ces champs change",
    ru: "При обновлении — только если изменилось одно из этих полей",
    ko: "업데이트할 때 다음 필드 중 하나가 바뀐 경우에만",
    nl: "Bij bijwerken alleen als een van deze velden verandert",
    zh: "更新时,仅当以下字段之一发生变化",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_its_own_in_every_language() {
        for text in [DATA, USER, ROLE_NAME, COLLECTION, GLOBAL, ACTIONS, APPENDS, CONDITION, CHANGED] {
            assert_eq!(text.slips(), [""; 0], "{}", text.en);
        }
    }
}
