//! What people read about the trigger, beyond what it shares with others that watch a collection.

use plugin_api::Translations;

/// The trigger type's name.
pub(crate) const TITLE: Translations = Translations {
    en: "Custom action",
    fr: "Action personnalisée",
    ru: "Пользовательское действие",
    ko: "사용자 지정 작업",
    nl: "Aangepaste actie",
    zh: "自定义操作",
};

/// What the trigger type is for.
pub(crate) const DESCRIPTION: Translations = Translations {
    en: "Starts when a user presses a \"Trigger workflow\" button, or an API request does the same. It gets one record, \
         several records, or the data that the caller sends.",
    fr: "Démarre lorsqu'un utilisateur appuie sur un bouton « Déclencher le flux », ou qu'une requête d'API fait de même. \
         Il reçoit un enregistrement, plusieurs enregistrements ou les données envoyées par l'appelant.",
    ru: "Запускается, когда пользователь нажимает кнопку «Запустить рабочий процесс» или то же делает запрос API. Получает \
         одну запись, несколько записей или данные, которые отправил вызывающий.",
    ko: "사용자가 \"워크플로 실행\" 버튼을 누르거나 API 요청이 같은 일을 하면 시작됩니다. 레코드 하나, 여러 레코드 또는 \
         호출자가 보낸 데이터를 받습니다.",
    nl: "Start wanneer een gebruiker op een knop \"Workflow starten\" drukt, of een API-aanvraag hetzelfde doet. Hij krijgt \
         één record, meerdere records of de gegevens die de aanroeper stuurt.",
    zh: "当用户点击“触发工作流”按钮或 API 请求执行同样操作时启动。获得一条记录、多条记录或调用方发送的数据。",
};

/// The field `type`.
pub(crate) const GETS: Translations = Translations {
    en: "The workflow gets",
    fr: "Le flux reçoit",
    ru: "Рабочий процесс получает",
    ko: "워크플로가 받는 것",
    nl: "De workflow krijgt",
    zh: "工作流获得",
};

/// Type 0.
pub(crate) const INPUT: Translations = Translations {
    en: "What the caller sends",
    fr: "Ce que l'appelant envoie",
    ru: "То, что отправил вызывающий",
    ko: "호출자가 보낸 데이터",
    nl: "Wat de aanroeper stuurt",
    zh: "调用方发送的数据",
};

/// Type 1.
pub(crate) const RECORD: Translations = Translations {
    en: "One record",
    fr: "Un enregistrement",
    ru: "Одну запись",
    ko: "레코드 하나",
    nl: "Eén record",
    zh: "单条记录",
};

/// Type 2.
pub(crate) const RECORDS: Translations = Translations {
    en: "Several records",
    fr: "Plusieurs enregistrements",
    ru: "Несколько записей",
    ko: "여러 레코드",
    nl: "Meerdere records",
    zh: "多条记录",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_its_own_in_every_language() {
        for text in [TITLE, DESCRIPTION, GETS, INPUT, RECORD, RECORDS] {
            assert_eq!(text.slips(), [""; 0], "{}", text.en);
        }
    }
}
