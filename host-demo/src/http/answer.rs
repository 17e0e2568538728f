//! The bodies of successful answers.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use store::{Page, Record};

use crate::pipeline::Considered;

/// A successful answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    /// `{"data": …}`.
    Data(Value),
    /// `{"data": [...], "meta": {count, page, pageSize, totalPage}}`.
    List {
        /// This page.
        records: Vec<Record>,
        /// All matches.
        count: u64,
        /// Which page.
        page: Page,
    },
    /// `{}`.
    Empty,
}

impl Answer {
    /// One record.
    pub(crate) fn record(record: Record) -> Self {
        Self::Data(Value::Object(record))
    }

    /// Records without a count.
    pub(crate) fn records(records: Vec<Record>) -> Self {
        Self::Data(records.into_iter().map(Value::Object).collect())
    }

    fn body(self) -> Value {
        match self {
            Self::Data(data) => json!({ "data": data }),
            Self::List { records, count, page } => json!({
                "data": records,
                "meta": {"count": count, "page": page.number, "pageSize": page.size, "totalPage": count.div_ceil(page.size)},
            }),
            Self::Empty => json!({}),
        }
    }
}

/// An answer with what synchronous workflows said.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reply {
    /// The action's answer.
    pub(crate) answer: Answer,
    /// Their messages, in order; left out of the body when empty.
    pub(crate) messages: Vec<String>,
    /// Why workflows fired or did not, if that was asked.
    pub(crate) explain: Option<Vec<Considered>>,
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        Self { answer, messages: Vec::new(), explain: None }
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let mut body = self.answer.body();
        if !self.messages.is_empty() {
            body["messages"] = self.messages.iter().map(|message| json!({ "message": message })).collect();
        }
        if let Some(considered) = self.explain {
            body["explain"] = json!(considered);
        }
        Json(body).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_rounded_up() {
        let list = |count, size| {
            Answer::List { records: vec![], count, page: Page { number: 2, size } }.body()["meta"].clone()
        };
        assert_eq!(list(3, 2), json!({"count": 3, "page": 2, "pageSize": 2, "totalPage": 2}));
        assert_eq!(list(0, 20)["totalPage"], 0);
        assert_eq!(list(40, 20)["totalPage"], 2);
    }
}
