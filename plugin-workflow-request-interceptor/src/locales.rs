//! What people read about the trigger, beyond what it shares with others that watch a collection.

use plugin_api::Translations;

/// The trigger type's name.
pub(crate) const TITLE: Translations = Translations {
    en: "Before-action event",
    fr: "Événement avant action",
    ru: "Событие до действия",
    ko: "작업 전 이벤트",
    nl: "Gebeurtenis vóór actie",
    zh: "操作前事件",
};

/// What the trigger type is for.
pub(crate) const DESCRIPTION: Translations = Translations {
    en: "Runs before a user's action on a record is done: a form is submitted, a record updated or deleted. It may refuse \
         the action, leave it out or change its values. Bind it to single buttons, or let it watch every action on a \
         collection.",
    fr: "S'exécute avant qu'une action d'un utilisateur sur un enregistrement soit faite : formulaire envoyé, \
         enregistrement modifié ou supprimé. Il peut refuser l'action, l'omettre ou changer ses valeurs. Liez-le à \
         certains boutons, ou laissez-le suivre toutes les actions d'une collection.",
    ru: "Выполняется до действия пользователя над записью: отправки формы, обновления или удаления. Может отклонить \
         действие, пропустить его или изменить значения. Привяжите его к отдельным кнопкам или пусть он следит за всеми \
         действиями коллекции.",
    ko: "사용자가 레코드에 작업을 하기 전에 실행됩니다. 양식 제출, 레코드 업데이트, 삭제가 해당합니다. 작업을 거부하거나 \
         건너뛰거나 값을 바꿀 수 있습니다. 특정 버튼에 연결하거나 컬렉션의 모든 작업을 지켜보게 할 수 있습니다.",
    nl: "Wordt uitgevoerd voordat een actie van een gebruiker op een record gebeurt: een formulier verzenden, een record \
         bijwerken of verwijderen. Hij kan de actie weigeren, overslaan of de waarden wijzigen. Koppel hem aan losse \
         knoppen of laat hem elke actie op een collectie volgen.",
    zh: "在用户对记录的操作执行之前运行:提交表单、更新或删除记录。可以拒绝该操作、跳过它或修改提交的值。可以绑定到单个按钮,\
         也可以监听数据表的所有操作。",
};

/// The variable `params`.
pub(crate) const PARAMS: Translations = Translations {
    en: "Request parameters",
    fr: "Paramètres de la requête",
    ru: "Параметры запроса",
    ko: "요청 매개변수",
    nl: "Parameters van de aanvraag",
    zh: "请求参数",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_its_own_in_every_language() {
        for text in [TITLE, DESCRIPTION, PARAMS] {
            assert_eq!(text.slips(), [""; 0], "{}", text.en);
        }
    }
}
