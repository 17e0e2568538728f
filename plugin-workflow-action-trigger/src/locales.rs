//! What people read about the trigger, beyond what it shares with others that watch a collection.

use plugin_api::Translations;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_its_own_in_every_language() {
        for text in [TITLE, DESCRIPTION, PREVIOUS, BATCH] {
            assert_eq!(text.slips(), [""; 0], "{}", text.en);
        }
    }
}
