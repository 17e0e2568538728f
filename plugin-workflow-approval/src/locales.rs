//! What people read about approvals, beyond what triggers that watch a collection share.

use plugin_api::Translations;

/// The trigger type's name.
pub(crate) const EVENT: Translations = Translations {
    en: "Approval event",
    fr: "Événement d'approbation",
    ru: "Событие согласования",
    ko: "승인 이벤트",
    nl: "Goedkeuringsgebeurtenis",
    zh: "审批事件",
};

/// What the trigger type is for.
pub(crate) const EVENT_DESCRIPTION: Translations = Translations {
    en: "Starts when a user submits a record for approval: a submitted form, an update button or an API request. The \
         user is the applicant. Bind it to single buttons, or let it watch every action on a collection.",
    fr: "Démarre lorsqu'un utilisateur soumet un enregistrement à approbation : formulaire envoyé, bouton de mise à \
         jour ou requête d'API. L'utilisateur est le demandeur. Liez-le à certains boutons, ou laissez-le suivre \
         toutes les actions d'une collection.",
    ru: "Запускается, когда пользователь отправляет запись на согласование: отправлена форма, нажата кнопка \
         обновления или пришёл запрос API. Пользователь становится заявителем. Привяжите его к отдельным кнопкам или \
         пусть он следит за всеми действиями коллекции.",
    ko: "사용자가 승인을 받기 위해 레코드를 제출하면 시작됩니다. 양식 제출, 업데이트 버튼, API 요청이 해당합니다. 그 사용자가 신청자입니다. 특정 버튼에 연결하거나 컬렉션의 모든 작업을 지켜보게 \
         할 수 있습니다.",
    nl: "Start wanneer een gebruiker een record ter goedkeuring indient: een verzonden formulier, een bijwerkknop of \
         een API-aanvraag. De gebruiker is de aanvrager. Koppel hem aan losse knoppen of laat hem elke actie op een \
         collectie volgen.",
    zh: "当用户提交记录以供审批时启动:提交表单、点击更新按钮或调用 API。该用户即为申请人。可以绑定到单个按钮,也可以监听数据表的所有操作。",
};

/// The variable `user`.
pub(crate) const APPLICANT: Translations =
    Translations {
        en: "Applicant", fr: "Demandeur", ru: "Заявитель", ko: "신청자", nl: "Aanvrager", zh: "申请人"
    };

/// The node type's name.
pub(crate) const NODE: Translations =
    Translations {
        en: "Approval", fr: "Approbation", ru: "Согласование", ko: "승인", nl: "Goedkeuring", zh: "审批"
    };

/// What the node type is for.
pub(crate) const NODE_DESCRIPTION: Translations = Translations {
    en: "Asks people to approve, and waits for their decision.",
    fr: "Demande à des personnes d'approuver et attend leur décision.",
    ru: "Просит людей согласовать и ждёт их решения.",
    ko: "사람들에게 승인을 요청하고 결정을 기다립니다.",
    nl: "Vraagt mensen om goedkeuring en wacht op hun besluit.",
    zh: "请求相关人员审批,并等待他们的决定。",
};

/// The branch 1.
pub(crate) const APPROVED: Translations =
    Translations {
        en: "Approved", fr: "Approuvé", ru: "Согласовано", ko: "승인됨", nl: "Goedgekeurd", zh: "已通过"
    };

/// The branch 0.
pub(crate) const REJECTED: Translations =
    Translations {
        en: "Rejected", fr: "Rejeté", ru: "Отклонено", ko: "거부됨", nl: "Afgewezen", zh: "已拒绝"
    };

/// The branch 2.
pub(crate) const RETURNED: Translations =
    Translations {
        en: "Returned", fr: "Renvoyé", ru: "Возвращено", ko: "반려됨", nl: "Teruggestuurd", zh: "已退回"
    };

/// The field `assignees`.
pub(crate) const ASSIGNEES: Translations = Translations {
    en: "Assignees",
    fr: "Responsables",
    ru: "Исполнители",
    ko: "담당자",
    nl: "Behandelaars",
    zh: "审批人",
};

/// The field `roles`.
pub(crate) const ROLES: Translations =
    Translations { en: "Roles", fr: "Rôles", ru: "Роли", ko: "역할", nl: "Rollen", zh: "角色" };

/// The field `title`.
pub(crate) const TASK_TITLE: Translations =
    Translations { en: "Title", fr: "Titre", ru: "Заголовок", ko: "제목", nl: "Titel", zh: "标题" };

/// The field `description`.
pub(crate) const TASK_DESCRIPTION: Translations = Translations {
    en: "Description",
    fr: "Description détaillée",
    ru: "Описание",
    ko: "설명",
    nl: "Beschrijving",
    zh: "描述",
};

/// The field `form`.
pub(crate) const FORM: Translations =
    Translations { en: "Form", fr: "Formulaire", ru: "Форма", ko: "양식", nl: "Formulier", zh: "表单" };

/// The field `actions`.
pub(crate) const ACTIONS: Translations = Translations {
    en: "What assignees may do",
    fr: "Actions permises aux responsables",
    ru: "Что могут делать исполнители",
    ko: "담당자가 할 수 있는 작업",
    nl: "Wat behandelaars mogen doen",
    zh: "审批人可执行的操作",
};

/// The field `mode`.
pub(crate) const MODE: Translations = Translations {
    en: "Who decides",
    fr: "Qui décide",
    ru: "Кто решает",
    ko: "결정 방식",
    nl: "Wie beslist",
    zh: "决定方式",
};

/// The field `percent`.
pub(crate) const PERCENT: Translations = Translations {
    en: "Share in percent",
    fr: "Part en pourcentage",
    ru: "Доля в процентах",
    ko: "비율(퍼센트)",
    nl: "Aandeel in procenten",
    zh: "百分比",
};

/// The field `count`.
pub(crate) const COUNT: Translations = Translations {
    en: "Share as a number",
    fr: "Nombre d'approbations",
    ru: "Необходимое число",
    ko: "필요한 승인 수",
    nl: "Benodigd aantal",
    zh: "所需人数",
};

/// The field `outcome`.
pub(crate) const OUTCOME: Translations = Translations {
    en: "After the decision",
    fr: "Après la décision",
    ru: "После решения",
    ko: "결정 이후",
    nl: "Na het besluit",
    zh: "决定之后",
};

/// The field `onReturn`.
pub(crate) const ON_RETURN: Translations = Translations {
    en: "After a return",
    fr: "Après un renvoi",
    ru: "После возврата",
    ko: "반려 이후",
    nl: "Na terugsturen",
    zh: "退回之后",
};

/// The field `returnTo`.
pub(crate) const RETURN_TO: Translations = Translations {
    en: "A return goes back to",
    fr: "Un renvoi revient à",
    ru: "Возврат ведёт к",
    ko: "반려 시 돌아갈 곳",
    nl: "Terugsturen gaat naar",
    zh: "退回到",
};

/// The field `withdraw`.
pub(crate) const WITHDRAW: Translations = Translations {
    en: "When the applicant may withdraw",
    fr: "Quand le demandeur peut retirer sa demande",
    ru: "Когда заявитель может отозвать заявку",
    ko: "신청자가 철회할 수 있는 시점",
    nl: "Wanneer de aanvrager mag intrekken",
    zh: "申请人何时可以撤回",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_its_own_in_every_language() {
        for text in [
            EVENT,
            EVENT_DESCRIPTION,
            APPLICANT,
            NODE,
            NODE_DESCRIPTION,
            APPROVED,
            REJECTED,
            RETURNED,
            ASSIGNEES,
            ROLES,
            TASK_TITLE,
            TASK_DESCRIPTION,
            FORM,
            ACTIONS,
            MODE,
            PERCENT,
            COUNT,
            OUTCOME,
            ON_RETURN,
            RETURN_TO,
            WITHDRAW,
        ] {
            assert_eq!(text.slips(), [""; 0], "{}", text.en);
        }
    }
}
