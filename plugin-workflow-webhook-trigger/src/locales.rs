//! What people read about the trigger.

use plugin_api::Translations;

/// The trigger type's name.
pub(crate) const TITLE: Translations = Translations {
    en: "Webhook",
    fr: "Webhook entrant",
    ru: "Вебхук",
    ko: "웹훅",
    nl: "Inkomende webhook",
    zh: "Webhook 触发",
};

/// What the trigger type is for.
pub(crate) const DESCRIPTION: Translations = Translations {
    en: "Starts when another system sends an HTTP request to the workflow's address.",
    fr: "Démarre lorsqu'un autre système envoie une requête HTTP à l'adresse du flux.",
    ru: "Запускается, когда другая система отправляет HTTP-запрос на адрес рабочего процесса.",
    ko: "다른 시스템이 워크플로의 주소로 HTTP 요청을 보내면 시작됩니다.",
    nl: "Start wanneer een ander systeem een HTTP-aanvraag naar het adres van de workflow stuurt.",
    zh: "当其他系统向工作流的地址发送 HTTP 请求时启动。",
};

/// The field `method`.
pub(crate) const METHOD: Translations = Translations {
    en: "Request method",
    fr: "Méthode de la requête",
    ru: "Метод запроса",
    ko: "요청 메서드",
    nl: "Methode van de aanvraag",
    zh: "请求方法",
};

/// The field `body`.
pub(crate) const BODY_KIND: Translations = Translations {
    en: "Format of the body",
    fr: "Format du corps",
    ru: "Формат тела",
    ko: "본문 형식",
    nl: "Formaat van de inhoud",
    zh: "请求体格式",
};

/// The field `secret`.
pub(crate) const SECRET: Translations = Translations {
    en: "Signing secret",
    fr: "Secret de signature",
    ru: "Секрет подписи",
    ko: "서명 비밀 키",
    nl: "Geheim voor de handtekening",
    zh: "签名密钥",
};

/// The field `signatureHeader`.
pub(crate) const SIGNATURE_HEADER: Translations = Translations {
    en: "Header with the signature",
    fr: "En-tête de la signature",
    ru: "Заголовок с подписью",
    ko: "서명이 담긴 헤더",
    nl: "Header met de handtekening",
    zh: "签名所在的请求头",
};

/// The field `timestampHeader`.
pub(crate) const TIMESTAMP_HEADER: Translations = Translations {
    en: "Header with the time",
    fr: "En-tête de l'horodatage",
    ru: "Заголовок со временем",
    ko: "시각이 담긴 헤더",
    nl: "Header met het tijdstip",
    zh: "时间戳所在的请求头",
};

/// The field `toleranceSeconds`.
pub(crate) const TOLERANCE: Translations = Translations {
    en: "Tolerance in seconds",
    fr: "Tolérance en secondes",
    ru: "Допуск в секундах",
    ko: "허용 오차(초)",
    nl: "Tolerantie in seconden",
    zh: "允许误差(秒)",
};

/// The field `token`.
pub(crate) const TOKEN: Translations = Translations {
    en: "Access token",
    fr: "Jeton d'accès",
    ru: "Токен доступа",
    ko: "액세스 토큰",
    nl: "Toegangstoken",
    zh: "访问令牌",
};

/// The variable `headers`.
pub(crate) const HEADERS: Translations = Translations {
    en: "Request headers",
    fr: "En-têtes de la requête",
    ru: "Заголовки запроса",
    ko: "요청 헤더",
    nl: "Headers van de aanvraag",
    zh: "请求头",
};

/// The variable `query`.
pub(crate) const QUERY: Translations = Translations {
    en: "Query parameters",
    fr: "Paramètres de l'URL",
    ru: "Параметры запроса",
    ko: "쿼리 매개변수",
    nl: "Queryparameters",
    zh: "查询参数",
};

/// The variable `body`.
pub(crate) const BODY: Translations = Translations {
    en: "Request body",
    fr: "Corps de la requête",
    ru: "Тело запроса",
    ko: "요청 본문",
    nl: "Inhoud van de aanvraag",
    zh: "请求体",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_its_own_in_every_language() {
        let fields = [METHOD, BODY_KIND, SECRET, SIGNATURE_HEADER, TIMESTAMP_HEADER, TOLERANCE, TOKEN];
        for text in [TITLE, DESCRIPTION, HEADERS, QUERY, BODY].into_iter().chain(fields) {
            assert_eq!(text.slips(), [""; 0], "{}", text.en);
        }
    }
}
