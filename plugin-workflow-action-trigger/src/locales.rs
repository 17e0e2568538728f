//! What people read about the trigger, in the languages of the console. A text without one of the languages does not
//! compile.

use plugin_api::{Language, LocalizedText};
use serde::Serialize;

/// One text in every language; as JSON, an object by language code.
#[derive(Serialize)]
pub(crate) struct Translations {
    pub(crate) en: &'static str,
    fr: &'static str,
    ru: &'static str,
    ko: &'static str,
    nl: &'static str,
    zh: &'static str,
}

/// The trigger type's name.
pub(crate) const TITLE: Translations = Translations {
    en: "Post-action event",
    fr: "Événement après action",
    ru: "Событие после действия",
    ko: "작업 후 이벤트",
    nl: "Gebeurtenis na actie",
    zh: "操作后事件",
};

/// What the trigger type is for.
pub(crate) const DESCRIPTION: Translations = Translations {
    en: "Starts when a user's action on a record has succeeded: a submitted form, an update button or an API request. \
         Bind it to single buttons, or let it watch every action on a collection.",
    fr: "Démarre lorsqu'une action d'un utilisateur sur un enregistrement a réussi : formulaire envoyé, bouton de mise \
         à jour ou requête d'API. Liez-le à certains boutons, ou laissez-le suivre toutes les actions d'une collection.",
    ru: "Запускается, когда действие пользователя над записью выполнено: отправлена форма, нажата кнопка обновления \
         или пришёл запрос API. Привяжите его к отдельным кнопкам или пусть он следит за всеми действиями коллекции.",
    ko: "사용자가 레코드에 한 작업이 성공하면 시작됩니다. 양식 제출, 업데이트 버튼, API 요청이 해당합니다. \
         특정 버튼에 연결하거나 컬렉션의 모든 작업을 지켜보게 할 수 있습니다.",
    nl: "Start zodra een actie van een gebruiker op een record is gelukt: een verzonden formulier, een bijwerkknop of \
         een API-aanvraag. Koppel hem aan losse knoppen of laat hem elke actie op een collectie volgen.",
    zh: "当用户对记录的操作成功后启动:提交表单、点击更新按钮或调用 API。可以绑定到单个按钮,也可以监听数据表的所有操作。",
};

/// The variable `data`.
pub(crate) const DATA: Translations = Translations {
    en: "Trigger data",
    fr: "Données du déclencheur",
    ru: "Данные триггера",
    ko: "트리거 데이터",
    nl: "Triggergegevens",
    zh: "触发数据",
};

/// The variable `user`.
pub(crate) const USER: Translations = Translations {
    en: "Acting user",
    fr: "Utilisateur à l'origine de l'action",
    ru: "Пользователь, выполнивший действие",
    ko: "작업한 사용자",
    nl: "Handelende gebruiker",
    zh: "操作用户",
};

/// The variable `roleName`.
pub(crate) const ROLE_NAME: Translations = Translations {
    en: "Role of the acting user",
    fr: "Rôle de l'utilisateur à l'origine de l'action",
    ru: "Роль пользователя, выполнившего действие",
    ko: "작업한 사용자의 역할",
    nl: "Rol van de handelende gebruiker",
    zh: "操作用户的角色",
};

/// The field `collection`.
pub(crate) const COLLECTION: Translations = Translations {
    en: "Collection",
    fr: "Collection de données",
    ru: "Коллекция",
    ko: "컬렉션",
    nl: "Collectie",
    zh: "数据表",
};

/// The field `global`.
pub(crate) const GLOBAL: Translations = Translations {
    en: "Fire for every button and request",
    fr: "Déclencher pour tous les boutons et requêtes",
    ru: "Запускать для всех кнопок и запросов",
    ko: "모든 버튼과 요청에서 시작",
    nl: "Starten bij elke knop en aanvraag",
    zh: "对所有按钮和请求触发",
};

/// The field `actions`.
pub(crate) const ACTIONS: Translations = Translations {
    en: "Actions that fire",
    fr: "Actions déclenchantes",
    ru: "Запускающие действия",
    ko: "시작하는 작업",
    nl: "Acties die starten",
    zh: "触发的操作",
};

/// The field `appends`.
pub(crate) const APPENDS: Translations = Translations {
    en: "Associations to load",
    fr: "Associations à charger",
    ru: "Загружаемые связи",
    ko: "함께 불러올 연관 데이터",
    nl: "Te laden relaties",
    zh: "预加载的关联数据",
};

/// The field `condition`.
pub(crate) const CONDITION: Translations = Translations {
    en: "Only if",
    fr: "Seulement si",
    ru: "Только если",
    ko: "시작 조건",
    nl: "Alleen als",
    zh: "触发条件",
};

/// The field `changed`.
pub(crate) const CHANGED: Translations = Translations {
    en: "On update, only if one of these fields changes",
    fr: "À la mise à jour, seulement si l'un de ces champs change",
    ru: "При обновлении — только если изменилось одно из этих полей",
    ko: "업데이트할 때 다음 필드 중 하나가 바뀐 경우에만",
    nl: "Bij bijwerken alleen als een van deze velden verandert",
    zh: "更新时,仅当以下字段之一发生变化",
};

/// The field `previous`, and the variable that it adds.
pub(crate) const PREVIOUS: Translations = Translations {
    en: "Record before the action",
    fr: "Enregistrement avant l'action",
    ru: "Запись до действия",
    ko: "작업 전 레코드",
    nl: "Record vóór de actie",
    zh: "操作前的记录",
};

/// The field `batch`.
pub(crate) const BATCH: Translations = Translations {
    en: "Executions for several records",
    fr: "Exécutions pour plusieurs enregistrements",
    ru: "Выполнения для нескольких записей",
    ko: "여러 레코드의 실행 방식",
    nl: "Uitvoeringen bij meerdere records",
    zh: "多条记录的执行方式",
};

impl Translations {
    /// Hands the text over as the host takes it.
    pub(crate) fn text(&self) -> LocalizedText {
        LocalizedText::new(self.en)
            .with(Language::French, self.fr)
            .with(Language::Russian, self.ru)
            .with(Language::Korean, self.ko)
            .with(Language::Dutch, self.nl)
            .with(Language::Chinese, self.zh)
    }
}

#[cfg(test)]
mod tests;
