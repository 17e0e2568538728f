//! What people read about the trigger.

use plugin_api::Translations;

/// The trigger type's name.
pub(crate) const TITLE: Translations =
    Translations {
        en: "Schedule", fr: "Planification", ru: "Расписание", ko: "일정", nl: "Planning", zh: "定时任务"
    };

/// What the trigger type is for.
pub(crate) const DESCRIPTION: Translations = Translations {
    en: "Starts at a time, once or again and again, or by the date field of each record of a collection.",
    fr: "Démarre à une heure donnée, une fois ou de façon répétée, ou selon un champ de date de chaque enregistrement d'une collection.",
    ru: "Запускается в заданное время, один раз или повторно, либо по полю даты каждой записи коллекции.",
    ko: "정해진 시각에 한 번 또는 반복해서, 또는 컬렉션의 각 레코드의 날짜 필드에 따라 시작됩니다.",
    nl: "Start op een tijdstip, eenmaal of herhaaldelijk, of op basis van het datumveld van elk record van een collectie.",
    zh: "在指定时间启动一次或重复启动,或根据数据表中每条记录的日期字段启动。",
};

/// The field `mode`.
pub(crate) const MODE: Translations = Translations {
    en: "What decides the time",
    fr: "Ce qui détermine l'heure",
    ru: "Чем определяется время",
    ko: "시각을 정하는 기준",
    nl: "Wat het tijdstip bepaalt",
    zh: "触发时间的依据",
};

/// The field `startsOn`.
pub(crate) const STARTS_ON: Translations =
    Translations {
        en: "Starts on", fr: "Commence le", ru: "Начало", ko: "시작 시각", nl: "Begint op", zh: "开始于"
    };

/// The field `repeat`.
pub(crate) const REPEAT: Translations =
    Translations {
        en: "Repeats", fr: "Répétition", ru: "Повторение", ko: "반복", nl: "Herhaling", zh: "重复"
    };

/// The field `endsOn`.
pub(crate) const ENDS_ON: Translations = Translations {
    en: "Ends on",
    fr: "Se termine le",
    ru: "Окончание",
    ko: "종료 시각",
    nl: "Eindigt op",
    zh: "结束于",
};

/// The field `limit`.
pub(crate) const LIMIT: Translations = Translations {
    en: "Number of runs",
    fr: "Nombre d'exécutions",
    ru: "Число запусков",
    ko: "실행 횟수",
    nl: "Aantal keren",
    zh: "执行次数",
};

/// The field `timeZone`.
pub(crate) const TIME_ZONE: Translations = Translations {
    en: "Time zone",
    fr: "Fuseau horaire",
    ru: "Часовой пояс",
    ko: "시간대",
    nl: "Tijdzone",
    zh: "时区",
};

/// The field `missed`.
pub(crate) const MISSED: Translations = Translations {
    en: "Missed runs",
    fr: "Exécutions manquées",
    ru: "Пропущенные запуски",
    ko: "놓친 실행",
    nl: "Gemiste keren",
    zh: "错过的执行",
};

/// The variable `date`.
pub(crate) const DATE: Translations = Translations {
    en: "Due time",
    fr: "Heure prévue",
    ru: "Назначенное время",
    ko: "예정 시각",
    nl: "Gepland tijdstip",
    zh: "计划时间",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_its_own_in_every_language() {
        let fields = [MODE, STARTS_ON, REPEAT, ENDS_ON, LIMIT, TIME_ZONE, MISSED];
        for text in [TITLE, DESCRIPTION, DATE].into_iter().chain(fields) {
            assert_eq!(text.slips(), [""; 0], "{}", text.en);
        }
    }
}
