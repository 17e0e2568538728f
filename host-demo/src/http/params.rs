//! The query parameters of a request, typed.
//!
//! The query string becomes a tree (`filter[title][$eq]=x`, `fields[]=a`), and the tree becomes [`Params`]; parameters
//! that nobody knows are passed over. Whether field names exist is for the store to say.

use serde_json::{Map, Value};
use store::{Page, Select};

use super::{address::key_value, error::ApiError};
use crate::pipeline::Curiosity;

/// Longest `triggerWorkflows`, in bytes: some 400 keys with paths.
const BINDINGS_MAX_BYTES: usize = 8_192;
/// Deepest bracket nesting: filters are bounded to the same depth.
const DEPTH_MAX: usize = 16;
/// Most records on a page: what one answer may hold in memory.
pub(crate) const PAGE_SIZE_MAX: u64 = 2_000;
/// Records on a page when nothing is said.
const PAGE_SIZE_DEFAULT: u64 = 20;

/// Whether a list is cut into pages and counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paging {
    /// One page, with the count of all matches.
    Counted(Page),
    /// The first [`PAGE_SIZE_MAX`] records at most, not counted.
    Uncounted(Page),
}

impl Paging {
    /// The slice to read.
    pub(crate) fn page(self) -> Page {
        match self {
            Self::Counted(page) | Self::Uncounted(page) => page,
        }
    }
}

/// The parameters of the query string.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Params {
    /// The key, or an array of keys, of the records meant.
    pub(crate) filter_by_tk: Option<Value>,
    /// The filter in its wire form.
    pub(crate) filter: Option<Value>,
    /// Which fields and associations come back.
    pub(crate) select: Select,
    /// Sort keys; a leading `-` is descending.
    pub(crate) sort: Vec<String>,
    /// Which slice of a list.
    pub(crate) paging: Paging,
    /// The raw bindings; empty without any.
    pub(crate) trigger_workflows: String,
    /// The button that was pressed.
    pub(crate) button: Option<String>,
    /// Association paths whose existing records may be changed by nested values.
    pub(crate) update_association_values: Vec<String>,
    /// The fields that decide whether `updateOrCreate` and `firstOrCreate` find a record.
    pub(crate) filter_keys: Vec<String>,
    /// Whether a manual run also makes a new version.
    pub(crate) auto_revision: bool,
    /// The node from which an execution is run again.
    pub(crate) node_id: Option<Value>,
    /// The job that a person ends.
    pub(crate) job_id: Option<Value>,
    /// Whether the caller asks why workflows fire or do not.
    pub(crate) curiosity: Curiosity,
    /// Whose records are read, where people have some of their own.
    pub(crate) whose: Whose,
    /// Which action of which collection is asked about.
    pub(crate) question: Question,
    /// The token, for callers that cannot send headers.
    pub(crate) token: Option<String>,
}

/// An action that is asked about, as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Question {
    /// The collection's name.
    pub(crate) collection: Option<String>,
    /// The action's name.
    pub(crate) action: Option<String>,
    /// Who does it.
    pub(crate) origin: Origin,
}

/// Whose records are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Whose {
    /// Those of the one who asks.
    #[default]
    Own,
    /// Those of all, for administrators.
    All,
}

/// Who writes a record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A user, over this API.
    #[default]
    User,
    /// A node of a workflow.
    Node,
}

impl Params {
    /// Reads a query string.
    ///
    /// # Errors
    ///
    /// 400 `INVALID_PARAMETER` for values of another shape.
    pub(crate) fn parse(query: &str) -> Result<Self, ApiError> {
        let mut tree: Map<String, Value> = serde_qs::Config::new()
            .max_depth(DEPTH_MAX)
            .use_form_encoding(true)
            .deserialize_str(query)
            .map_err(|error| invalid(format!("the query string cannot be read: {error}")))?;
        let mut take =
            |name: &str| tree.remove(name).filter(|value| !matches!(value, Value::String(s) if s.is_empty()));
        let page = Page {
            number: number(take("page"), "page", 1, u64::from(u32::MAX))?.unwrap_or(1),
            size: number(take("pageSize"), "pageSize", 1, PAGE_SIZE_MAX)?.unwrap_or(PAGE_SIZE_DEFAULT),
        };
        let paging = match take("paginate").as_ref().and_then(Value::as_str) {
            Some("false" | "0") => Paging::Uncounted(Page { number: 1, size: PAGE_SIZE_MAX }),
            _ => Paging::Counted(page),
        };
        Ok(Self {
            filter_by_tk: take("filterByTk").map(key).transpose()?,
            filter: take("filter").map(filter).transpose()?,
            select: Select {
                fields: list(take("fields"), "fields")?,
                except: list(take("except"), "except")?,
                appends: list(take("appends"), "appends")?,
            },
            sort: list(take("sort"), "sort")?,
            paging,
            trigger_workflows: bindings(take("triggerWorkflows"))?,
            button: button(take("button"))?,
            update_association_values: list(take("updateAssociationValues"), "updateAssociationValues")?,
            filter_keys: list(take("filterKeys"), "filterKeys")?,
            auto_revision: matches!(take("autoRevision").as_ref().and_then(Value::as_str), Some("1" | "true")),
            node_id: take("nodeId").map(key).transpose()?,
            job_id: take("jobId").map(key).transpose()?,
            curiosity: match text(take("explain")).as_deref() {
                Some("1" | "true") => Curiosity::Why,
                Some(_) | None => Curiosity::Silent,
            },
            whose: match text(take("all")).as_deref() {
                Some("1" | "true") => Whose::All,
                Some(_) | None => Whose::Own,
            },
            question: Question {
                collection: text(take("collection")),
                action: text(take("action")),
                origin: origin(take("origin"))?,
            },
            token: take("token").and_then(|value| value.as_str().map(str::to_owned)),
        })
    }
}

fn text(value: Option<Value>) -> Option<String> {
    value.and_then(|value| value.as_str().map(str::to_owned))
}

fn origin(value: Option<Value>) -> Result<Origin, ApiError> {
    match text(value).as_deref() {
        None | Some("user") => Ok(Origin::User),
        Some("node") => Ok(Origin::Node),
        Some(_) => Err(invalid("\"origin\" has to be \"user\" or \"node\"")),
    }
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::invalid("INVALID_PARAMETER", message)
}

fn number(value: Option<Value>, name: &str, min: u64, max: u64) -> Result<Option<u64>, ApiError> {
    let Some(value) = value else { return Ok(None) };
    match value.as_str().and_then(|text| text.parse().ok()) {
        Some(number) if (min..=max).contains(&number) => Ok(Some(number)),
        _ => Err(invalid(format!("\"{name}\" has to be a whole number from {min} to {max}"))),
    }
}

fn key(value: Value) -> Result<Value, ApiError> {
    match value {
        Value::String(text) => key_value(&text),
        Value::Array(keys) => keys.into_iter().map(key).collect(),
        other => Ok(other),
    }
}

fn filter(value: Value) -> Result<Value, ApiError> {
    let value = match value {
        Value::String(text) => {
            serde_json::from_str(&text).map_err(|error| invalid(format!("\"filter\" is not JSON: {error}")))?
        }
        other => other,
    };
    if value.is_object() { Ok(value) } else { Err(invalid("\"filter\" has to be an object")) }
}

fn list(value: Option<Value>, name: &str) -> Result<Vec<String>, ApiError> {
    let texts = match value {
        None => return Ok(Vec::new()),
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(items)) => {
            texts(items).ok_or_else(|| invalid(format!("\"{name}\" has to be a list of names")))?
        }
        Some(_) => return Err(invalid(format!("\"{name}\" has to be a list of names"))),
    };
    Ok(texts
        .iter()
        .flat_map(|text| text.split(','))
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect())
}

fn bindings(value: Option<Value>) -> Result<String, ApiError> {
    let text = match value {
        None => return Ok(String::new()),
        Some(Value::String(text)) => text,
        Some(Value::Array(items)) => {
            texts(items).ok_or_else(|| invalid("\"triggerWorkflows\" has to be text"))?.join(",")
        }
        Some(_) => return Err(invalid("\"triggerWorkflows\" has to be text")),
    };
    if text.len() > BINDINGS_MAX_BYTES {
        return Err(invalid(format!("\"triggerWorkflows\" is longer than {BINDINGS_MAX_BYTES} bytes")));
    }
    Ok(text)
}

fn button(value: Option<Value>) -> Result<Option<String>, ApiError> {
    match value {
        None => Ok(None),
        Some(Value::String(key)) => Ok(Some(key)),
        Some(_) => Err(invalid("\"button\" has to be the key of one button")),
    }
}

fn texts(items: Vec<Value>) -> Option<Vec<String>> {
    items.into_iter().map(|item| if let Value::String(text) = item { Some(text) } else { None }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(query: &str, want: &Value) {
        let params = Params::parse(query).unwrap_or_else(|error| panic!("{query}: {error}"));
        let got = json!({
            "tk": params.filter_by_tk, "filter": params.filter, "fields": params.select.fields,
            "appends": params.select.appends, "sort": params.sort, "bindings": params.trigger_workflows,
            "update": params.update_association_values,
        });
        let mut whole =
            json!({"tk": null, "filter": null, "fields": [], "appends": [], "sort": [], "bindings": "", "update": []});
        for (name, value) in want.as_object().expect("an object") {
            whole[name] = value.clone();
        }
        assert_eq!(got, whole, "{query}");
    }

    #[test]
    fn shapes() {
        check("", &json!({}));
        check("filterByTk=5", &json!({"tk": "5"}));
        check("filterByTk%5B%5D=86&filterByTk%5B%5D=87", &json!({"tk": ["86", "87"]}));
        check("filterByTk[]=86", &json!({"tk": ["86"]}));
        check("filterByTk[postId]=1&filterByTk[tagId]=2", &json!({"tk": {"postId": "1", "tagId": "2"}}));
        check("filterByTk=%7B%22a%22%3A1%7D", &json!({"tk": {"a": 1}}));
        check("filter=%7B%22id%22%3A%5B1%2C2%5D%7D", &json!({"filter": {"id": [1, 2]}}));
        check("filter[title][$eq]=x&filter[a.b]=y", &json!({"filter": {"title": {"$eq": "x"}, "a.b": "y"}}));
        check("filter[tag.$in][]=a&filter[tag.$in][]=b", &json!({"filter": {"tag.$in": ["a", "b"]}}));
        check("filter[$or][0][a]=1&filter[$or][1][b]=2", &json!({"filter": {"$or": [{"a": "1"}, {"b": "2"}]}}));
        check("fields=a,b&appends[]=c&sort=-id", &json!({"fields": ["a", "b"], "appends": ["c"], "sort": ["-id"]}));
        check("triggerWorkflows=a!b.c,d", &json!({"bindings": "a!b.c,d"}));
        check("triggerWorkflows=a&triggerWorkflows=b", &json!({"bindings": "a,b"}));
        check("triggerWorkflows=%25&nobody=1", &json!({"bindings": "%"}));
        check("triggerWorkflows=a+b%2Bc", &json!({"bindings": "a b+c"}));
        check(
            "updateAssociationValues[]=post&updateAssociationValues[]=post.category",
            &json!({"update": ["post", "post.category"]}),
        );
    }

    #[test]
    fn pages() {
        let page = |query: &str| Params::parse(query).expect(query).paging;
        assert_eq!(page(""), Paging::Counted(Page { number: 1, size: 20 }));
        assert_eq!(page("page=3&pageSize=2000"), Paging::Counted(Page { number: 3, size: 2_000 }));
        assert_eq!(page("paginate=false"), Paging::Uncounted(Page { number: 1, size: 2_000 }));
    }

    #[test]
    fn questions() {
        let check = |query: &str, curiosity: Curiosity, question: Question| {
            let params = Params::parse(query).expect(query);
            assert_eq!((params.curiosity, params.question), (curiosity, question), "{query}");
        };
        check("", Curiosity::Silent, Question::default());
        check("explain=0", Curiosity::Silent, Question::default());
        check("explain=1", Curiosity::Why, Question::default());
        check("explain=true", Curiosity::Why, Question::default());
        let (collection, action) = (Some("posts".to_owned()), Some("create".to_owned()));
        let about = |origin| Question { collection: collection.clone(), action: action.clone(), origin };
        check("collection=posts&action=create", Curiosity::Silent, about(Origin::User));
        check("collection=posts&action=create&origin=node", Curiosity::Silent, about(Origin::Node));
    }

    #[test]
    fn refusals() {
        for query in [
            "pageSize=0",
            "pageSize=2001",
            "page=x",
            "page=-1",
            "filter=%7B",
            "filter=1",
            "filter=[]",
            "filterByTk=%7B",
            "origin=moon",
            "triggerWorkflows[a]=1",
            "button[]=a",
            "button=a&button=b",
            "triggerWorkflows[][x]=1",
            "fields[a]=1",
            &format!("triggerWorkflows={}", "x".repeat(8_193)),
        ] {
            let error = Params::parse(query).expect_err(query);
            assert_eq!(error.status().as_u16(), 400, "{query}: {error}");
        }
    }

    #[test]
    fn odd_text_is_never_a_panic() {
        for query in [
            "&&&",
            "=",
            "[",
            "]",
            "a[",
            "a[b",
            "a[]]",
            "%",
            "%zz",
            "a[b][c][d][e][f][g][h][i][j][k][l][m][n][o][p][q][r]=1",
            "filter[]=1",
        ] {
            let _ = Params::parse(query);
        }
    }
}
