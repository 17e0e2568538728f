//! The host's own collections, as the migrations make them. Their field names are the columns' and the wire's.

use serde_json::{Value, json};

use super::{Association, AssociationKind, Collection, Field, FieldType, Generated, Origin};
use crate::Record;

/// All built-in collections.
pub(super) fn collections() -> Vec<Collection> {
    vec![
        users(),
        roles(),
        roles_users(),
        data_source_resources(),
        data_sources(),
        collections_table(),
        fields_table(),
        workflows(),
        flow_nodes(),
        executions(),
        jobs(),
        workflow_tasks(),
        approvals(),
        notifications(),
        buttons(),
        button_bindings(),
    ]
}

fn users() -> Collection {
    let mut fields = vec![
        id(Generated::Sequence),
        field("username", FieldType::STRING).unique().ignoring_case(),
        field("email", FieldType::STRING).unique().ignoring_case(),
        field("nickname", FieldType::STRING),
        field("phone", FieldType::STRING),
        field("password", FieldType::Password).hidden(),
        field("passwordChangeTz", FieldType::BigInt),
        field("appLang", FieldType::STRING),
        field("systemSettings", FieldType::Json).default(json!({})),
        belongs_to_many("roles", "roles", "rolesUsers", "userId", "roleName", "id", "name"),
    ];
    fields.extend(stamps());
    fields.extend(authors());
    collection("users", &["id"], fields)
}

fn roles() -> Collection {
    let mut fields = vec![
        field("name", FieldType::STRING).required(),
        field("title", FieldType::STRING),
        field("snippets", FieldType::Json).default(json!([])),
        field("strategy", FieldType::Json).default(json!({})),
        field("default", FieldType::Boolean).default(json!(false)),
        has_many("resources", "dataSourceResources", "roleName", "name", "id"),
        belongs_to_many("users", "users", "rolesUsers", "roleName", "userId", "name", "id"),
    ];
    fields.extend(stamps());
    collection("roles", &["name"], fields)
}

fn roles_users() -> Collection {
    collection(
        "rolesUsers",
        &["userId", "roleName"],
        vec![
            field("userId", FieldType::BigInt).required(),
            field("roleName", FieldType::STRING).required(),
            field("default", FieldType::Boolean).default(json!(false)),
        ],
    )
}

fn data_source_resources() -> Collection {
    let mut fields = vec![
        id(Generated::Sequence),
        field("roleName", FieldType::STRING).required(),
        field("dataSourceKey", FieldType::STRING).default(json!("main")),
        field("name", FieldType::STRING).required(),
        field("usingActionsConfig", FieldType::Boolean).default(json!(true)),
        field("actions", FieldType::Json).default(json!([])),
        belongs_to("role", "roles", "roleName", "name"),
    ];
    fields.extend(stamps());
    collection("dataSourceResources", &["id"], fields)
}

fn data_sources() -> Collection {
    let mut fields = vec![
        field("key", FieldType::STRING).required(),
        field("displayName", FieldType::STRING),
        field("type", FieldType::STRING).required(),
        field("options", FieldType::Json).default(json!({})),
        field("secrets", FieldType::Json).default(json!({})).hidden(),
        field("enabled", FieldType::Boolean).default(json!(true)),
    ];
    fields.extend(stamps());
    collection("dataSources", &["key"], fields)
}

fn collections_table() -> Collection {
    collection(
        "collections",
        &["name"],
        vec![
            field("name", FieldType::STRING).required(),
            field("title", FieldType::STRING),
            field("options", FieldType::Json).default(json!({})),
            has_many("fields", "fields", "collectionName", "name", "id"),
        ],
    )
}

fn fields_table() -> Collection {
    collection(
        "fields",
        &["id"],
        vec![
            id(Generated::Sequence),
            field("collectionName", FieldType::STRING).required(),
            field("name", FieldType::STRING).required(),
            field("type", FieldType::STRING).required(),
            field("options", FieldType::Json).default(json!({})),
        ],
    )
}

fn workflows() -> Collection {
    let mut fields = vec![
        id(Generated::EngineId),
        field("key", FieldType::STRING).required(),
        field("title", FieldType::STRING),
        field("description", FieldType::Text),
        field("type", FieldType::STRING).required(),
        field("triggerTitle", FieldType::STRING),
        field("config", FieldType::Json).default(json!({})),
        field("secrets", FieldType::Json).default(json!({})).hidden(),
        field("options", FieldType::Json).default(json!({})),
        field("enabled", FieldType::Boolean).default(json!(false)),
        field("current", FieldType::Boolean),
        field("sync", FieldType::Boolean).default(json!(false)),
        field("invalid", FieldType::Boolean).default(json!(false)),
        field("executed", FieldType::BigInt).default(json!(0)),
        field("allExecuted", FieldType::BigInt).default(json!(0)),
        has_many("nodes", "flow_nodes", "workflowId", "id", "id"),
        has_many("executions", "executions", "workflowId", "id", "id"),
    ];
    fields.extend(stamps());
    fields.extend(authors());
    collection("workflows", &["id"], fields)
}

fn flow_nodes() -> Collection {
    let mut fields = vec![
        id(Generated::EngineId),
        field("key", FieldType::STRING).required(),
        field("workflowId", FieldType::BigInt).required(),
        field("title", FieldType::STRING),
        field("type", FieldType::STRING).required(),
        field("config", FieldType::Json).default(json!({})),
        field("upstreamId", FieldType::BigInt),
        field("branchIndex", FieldType::BigInt),
        field("downstreamId", FieldType::BigInt),
        belongs_to("workflow", "workflows", "workflowId", "id"),
        belongs_to("upstream", "flow_nodes", "upstreamId", "id"),
        belongs_to("downstream", "flow_nodes", "downstreamId", "id"),
    ];
    fields.extend(stamps());
    collection("flow_nodes", &["id"], fields)
}

fn executions() -> Collection {
    let mut fields = vec![
        id(Generated::EngineId),
        field("workflowId", FieldType::BigInt).required(),
        field("key", FieldType::STRING).required(),
        field("eventKey", FieldType::STRING).required(),
        field("context", FieldType::Json),
        field("status", FieldType::Integer),
        field("dispatched", FieldType::Boolean).default(json!(false)),
        field("manually", FieldType::Boolean),
        field("stack", FieldType::Json),
        field("parentExecutionId", FieldType::BigInt),
        field("output", FieldType::Json),
        field("reason", FieldType::STRING),
        field("startedAt", FieldType::DateTime),
        field("expiresAt", FieldType::DateTime),
        field("waitsFor", FieldType::BigInt).hidden(),
        field("claimedBy", FieldType::STRING).hidden(),
        field("ready", FieldType::Boolean).hidden(),
        field("takeovers", FieldType::Integer).default(json!(0)).hidden(),
        field("attempt", FieldType::Integer).default(json!(1)),
        field("retryOf", FieldType::BigInt),
        field("notBefore", FieldType::DateTime),
        field("deadLetter", FieldType::Boolean),
        field("concurrencyKey", FieldType::STRING),
        field("heldBack", FieldType::Boolean).hidden(),
        belongs_to("workflow", "workflows", "workflowId", "id"),
        has_many("jobs", "jobs", "executionId", "id", "id"),
    ];
    fields.extend(stamps());
    collection("executions", &["id"], fields)
}

fn jobs() -> Collection {
    let mut fields = vec![
        id(Generated::EngineId),
        field("executionId", FieldType::BigInt).required(),
        field("nodeId", FieldType::BigInt).required(),
        field("nodeKey", FieldType::STRING).required(),
        field("upstreamId", FieldType::BigInt),
        field("status", FieldType::Integer).required(),
        field("result", FieldType::Json),
        field("meta", FieldType::Json),
        field("log", FieldType::Text),
        field("startedAt", FieldType::DateTime),
        field("dueAt", FieldType::BigInt).hidden(),
        field("returnsTo", FieldType::BigInt),
        belongs_to("node", "flow_nodes", "nodeId", "id"),
        belongs_to("execution", "executions", "executionId", "id"),
    ];
    fields.extend(stamps());
    collection("jobs", &["id"], fields)
}

fn workflow_tasks() -> Collection {
    let mut fields = vec![
        id(Generated::Sequence),
        field("title", FieldType::STRING).required(),
        field("description", FieldType::Text).default(json!("")),
        field("status", FieldType::Integer).required(),
        field("form", FieldType::Json),
        field("actions", FieldType::Json),
        field("result", FieldType::Json),
        field("comment", FieldType::Text),
        field("decidedAt", FieldType::DateTime),
        field("userId", FieldType::BigInt).required(),
        field("workflowId", FieldType::BigInt).required(),
        field("executionId", FieldType::BigInt).required(),
        field("nodeId", FieldType::BigInt).required(),
        field("jobId", FieldType::BigInt).required(),
        field("approvalsNeeded", FieldType::Integer).required(),
        field("rejectionsNeeded", FieldType::Integer).required(),
        field("action", FieldType::STRING),
        field("round", FieldType::Integer).default(json!(1)),
        field("delegatedFrom", FieldType::BigInt),
        field("returnTo", FieldType::STRING),
        belongs_to("user", "users", "userId", "id"),
        belongs_to("workflow", "workflows", "workflowId", "id"),
        belongs_to("execution", "executions", "executionId", "id"),
        belongs_to("node", "flow_nodes", "nodeId", "id"),
        belongs_to("job", "jobs", "jobId", "id"),
    ];
    fields.extend(stamps());
    collection("workflowTasks", &["id"], fields)
}

fn approvals() -> Collection {
    let mut fields = vec![
        id(Generated::Sequence),
        field("title", FieldType::STRING).required(),
        field("status", FieldType::STRING).required(),
        field("userId", FieldType::BigInt),
        field("workflowId", FieldType::BigInt).required(),
        field("executionId", FieldType::BigInt).required(),
        field("nodeId", FieldType::BigInt).required(),
        field("jobId", FieldType::BigInt).required(),
        belongs_to("user", "users", "userId", "id"),
        belongs_to("workflow", "workflows", "workflowId", "id"),
        belongs_to("execution", "executions", "executionId", "id"),
        belongs_to("node", "flow_nodes", "nodeId", "id"),
        belongs_to("job", "jobs", "jobId", "id"),
    ];
    fields.extend(stamps());
    collection("approvals", &["id"], fields)
}

fn notifications() -> Collection {
    let mut fields = vec![
        id(Generated::Sequence),
        field("userId", FieldType::BigInt).required(),
        field("title", FieldType::STRING).required(),
        field("content", FieldType::Text).default(json!("")),
        field("read", FieldType::Boolean).default(json!(false)),
        belongs_to("user", "users", "userId", "id"),
    ];
    fields.extend(stamps());
    collection("notifications", &["id"], fields)
}

fn buttons() -> Collection {
    let mut fields = vec![
        field("key", FieldType::STRING).required(),
        field("title", FieldType::STRING),
        field("type", FieldType::STRING).required(),
        field("collection", FieldType::STRING).required(),
        field("blockId", FieldType::STRING),
        field("blockTitle", FieldType::STRING),
    ];
    fields.extend(stamps());
    collection("buttons", &["key"], fields)
}

fn button_bindings() -> Collection {
    collection(
        "buttonBindings",
        &["id"],
        vec![
            id(Generated::Sequence),
            field("buttonKey", FieldType::STRING).required(),
            field("workflowKey", FieldType::STRING).required(),
            field("path", FieldType::STRING).default(json!("")),
            field("position", FieldType::Integer).required(),
        ],
    )
}

fn collection(name: &str, key: &[&str], fields: Vec<Field>) -> Collection {
    Collection {
        name: name.to_owned(),
        title: None,
        origin: Origin::BuiltIn,
        key: key.iter().map(|&name| name.to_owned()).collect(),
        fields,
        options: Record::new(),
    }
}

fn field(name: &str, field_type: FieldType) -> Field {
    Field::plain(name, field_type)
}

fn id(generated: Generated) -> Field {
    Field { generated: Some(generated), ..field("id", FieldType::BigInt) }
}

fn stamps() -> [Field; 2] {
    [
        Field { generated: Some(Generated::CreatedAt), ..field("createdAt", FieldType::DateTime) },
        Field { generated: Some(Generated::UpdatedAt), ..field("updatedAt", FieldType::DateTime) },
    ]
}

fn authors() -> [Field; 4] {
    [
        Field { generated: Some(Generated::CreatedBy), ..field("createdById", FieldType::BigInt) },
        Field { generated: Some(Generated::UpdatedBy), ..field("updatedById", FieldType::BigInt) },
        belongs_to("createdBy", "users", "createdById", "id"),
        belongs_to("updatedBy", "users", "updatedById", "id"),
    ]
}

fn belongs_to(name: &str, target: &str, foreign_key: &str, target_key: &str) -> Field {
    associate(name, AssociationKind::BelongsTo, target, foreign_key, target_key, "", None)
}

fn has_many(name: &str, target: &str, foreign_key: &str, source_key: &str, target_key: &str) -> Field {
    associate(name, AssociationKind::HasMany, target, foreign_key, target_key, source_key, None)
}

fn belongs_to_many(
    name: &str,
    target: &str,
    through: &str,
    foreign_key: &str,
    other_key: &str,
    source_key: &str,
    target_key: &str,
) -> Field {
    let between = Some((through, other_key));
    associate(name, AssociationKind::BelongsToMany, target, foreign_key, target_key, source_key, between)
}

fn associate(
    name: &str,
    kind: AssociationKind,
    target: &str,
    foreign_key: &str,
    target_key: &str,
    source_key: &str,
    between: Option<(&str, &str)>,
) -> Field {
    let association = Association {
        kind,
        target: target.to_owned(),
        foreign_key: foreign_key.to_owned(),
        target_key: target_key.to_owned(),
        source_key: source_key.to_owned(),
        through: between.map(|(through, _)| through.to_owned()),
        other_key: between.map(|(_, other_key)| other_key.to_owned()),
    };
    field(name, FieldType::Association(association))
}

impl Field {
    fn required(self) -> Self {
        Self { required: true, ..self }
    }

    fn unique(self) -> Self {
        Self { unique: true, ..self }
    }

    fn ignoring_case(self) -> Self {
        Self { ignores_case: true, ..self }
    }

    fn hidden(self) -> Self {
        Self { hidden: true, ..self }
    }

    fn default(self, value: Value) -> Self {
        Self { default: Some(value), ..self }
    }
}
