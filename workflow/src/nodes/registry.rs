//! The node types there are, by name, and the check of a node's configuration.

use std::{collections::BTreeMap, sync::Arc};

use jsonschema::{
    ValidationError, Validator,
    error::{TypeKind, ValidationErrorKind},
};
use serde_json::Value;

use super::{
    FaultPoint, Node, NodeType, Typed, aggregate::Aggregate, calculation::Calculation, condition::Condition,
    create::Create, date_calculation::DateCalculation, delay::Delay, destroy::Destroy, end::End, json_query::JsonQuery,
    json_variable_mapping::JsonVariableMapping, r#loop::Loop, manual::Manual, multi_conditions::MultiConditions,
    notification::Notification, output::Output, parallel::Parallel, provided::Provided, query::Query, request::Request,
    response_message::ResponseMessage, script::Script, sql::Sql, subflow::Subflow, update::Update, variable::Variable,
};
use crate::{
    EngineError, NodeTypeInfo,
    expression::Expressions,
    provided::{ProvidedError, ProvidedNode, ProvidedNodes},
    variables::holds_variable,
};

/// The node types of an engine.
pub(crate) struct NodeTypes {
    by_name: BTreeMap<&'static str, Entry>,
    others: Option<Arc<dyn ProvidedNodes>>,
    faults: FaultPoint,
}

struct Entry {
    node: Arc<dyn Node>,
    config_schema: Value,
    validator: Validator,
}

impl NodeTypes {
    /// The built-in ones.
    pub(crate) fn built_in(faults: FaultPoint) -> Result<Self, EngineError> {
        let mut types = Self { by_name: BTreeMap::new(), others: None, faults };
        types.add::<Condition>()?;
        types.add::<Calculation>()?;
        types.add::<Create>()?;
        types.add::<Update>()?;
        types.add::<Query>()?;
        types.add::<Destroy>()?;
        types.add::<End>()?;
        types.add::<ResponseMessage>()?;
        types.add::<Delay>()?;
        types.add::<Aggregate>()?;
        types.add::<DateCalculation>()?;
        types.add::<JsonQuery>()?;
        types.add::<JsonVariableMapping>()?;
        types.add::<Request>()?;
        types.add::<Script>()?;
        types.add::<MultiConditions>()?;
        types.add::<Loop>()?;
        types.add::<Parallel>()?;
        types.add::<Variable>()?;
        types.add::<Output>()?;
        types.add::<Subflow>()?;
        types.add::<Sql>()?;
        types.add::<Manual>()?;
        types.add::<Notification>()?;
        Ok(types)
    }

    fn add<T: NodeType>(&mut self) -> Result<(), EngineError> {
        let node: Arc<dyn Node> = Arc::new(Typed::<T>::new(self.faults.clone()));
        let config_schema = node.config_schema();
        let validator = jsonschema::validator_for(&config_schema)
            .map_err(|error| EngineError::Invalid(format!("the schema of {} nodes: {error}", T::NAME)))?;
        self.by_name.insert(T::NAME, Entry { node, config_schema, validator });
        Ok(())
    }

    /// With those that others provide.
    pub(crate) fn with_others(mut self, others: Arc<dyn ProvidedNodes>) -> Self {
        self.others = Some(others);
        self
    }

    /// Finds a node type. What is not built in may be provided by others, if not now then later.
    pub(crate) fn get(&self, name: &str) -> Option<Arc<dyn Node>> {
        if let Some(entry) = self.by_name.get(name) {
            return Some(Arc::clone(&entry.node));
        }
        let others = self.others.as_ref()?;
        Some(Arc::new(Provided::new(name, Arc::clone(others), self.faults.clone())))
    }

    /// Finds a node type that others provide now.
    pub(crate) fn provided(&self, name: &str) -> Result<Arc<dyn ProvidedNode>, ProvidedError> {
        let others = self.others.as_ref().ok_or_else(|| ProvidedError::Unknown(name.to_owned()))?;
        Provided::new(name, Arc::clone(others), self.faults.clone()).find()
    }

    /// Describes all of them, by name.
    pub(crate) fn infos(&self) -> Vec<NodeTypeInfo> {
        let info = |(name, config_schema): (String, Value)| NodeTypeInfo { name, config_schema };
        let built_in = self.by_name.iter().map(|(name, entry)| ((*name).to_owned(), entry.config_schema.clone()));
        let others = self.others.iter().flat_map(|others| others.all());
        let all: BTreeMap<String, Value> = others.chain(built_in).collect();
        all.into_iter().map(info).collect()
    }

    /// Checks a configuration. Where a variable stands, any type will do until it is resolved.
    pub(crate) fn check(&self, name: &str, config: &Value, expressions: &Expressions) -> Result<(), EngineError> {
        let Some(entry) = self.by_name.get(name) else { return self.check_other(name, config, expressions) };
        against(&entry.validator, config)?;
        entry.node.check(config, expressions).map_err(EngineError::Invalid)
    }

    fn check_other(&self, name: &str, config: &Value, expressions: &Expressions) -> Result<(), EngineError> {
        let found = self.provided(name).map_err(|error| match error {
            ProvidedError::Unknown(name) => EngineError::UnknownNodeType(name),
            other => other.into(),
        })?;
        let validator = jsonschema::validator_for(found.config_schema())
            .map_err(|error| EngineError::Fault(format!("the schema of {name} nodes: {error}")))?;
        against(&validator, config)?;
        let node = self.get(name).ok_or_else(|| EngineError::UnknownNodeType(name.to_owned()))?;
        node.check(config, expressions).map_err(EngineError::Invalid)
    }
}

/// Whether the engine itself has a node type of this name.
pub fn is_built_in(name: &str) -> bool {
    NodeTypes::built_in(FaultPoint::default()).is_ok_and(|types| types.by_name.contains_key(name))
}

/// Checks against a schema, where no variable stands.
fn against(validator: &Validator, config: &Value) -> Result<(), EngineError> {
    let mistake = validator.iter_errors(config).find(|error| !holds_variable(error.instance()));
    mistake.map_or(Ok(()), |error| Err(EngineError::Invalid(sentence(&error, "config"))))
}

/// Says what is wrong with a value, in one sentence for whoever wrote it. `whole` is what the value itself is called.
pub(crate) fn sentence(error: &ValidationError<'_>, whole: &str) -> String {
    let path = error.instance_path().to_string().trim_start_matches('/').replace('/', ".");
    let named = |name: &str| format!("\"{name}\"");
    let subject = if path.is_empty() { named(whole) } else { named(&path) };
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            let property = property.as_str().unwrap_or_default();
            let full = if path.is_empty() { property.to_owned() } else { format!("{path}.{property}") };
            format!("{} is required", named(&full))
        }
        ValidationErrorKind::Type { kind } => format!("{subject} must be {}", type_names(kind)),
        ValidationErrorKind::Enum { options } => format!("{subject} must be one of {options}"),
        ValidationErrorKind::Minimum { limit } => format!("{subject} must be at least {limit}"),
        ValidationErrorKind::Maximum { limit } => format!("{subject} must be at most {limit}"),
        ValidationErrorKind::MinLength { limit } => format!("{subject} must have at least {limit} characters"),
        ValidationErrorKind::MaxLength { limit } => format!("{subject} must have at most {limit} characters"),
        _ => format!("{subject} is invalid"),
    }
}

fn type_names(kind: &TypeKind) -> String {
    let types = match kind {
        TypeKind::Single(one) => vec![one.to_string()],
        TypeKind::Multiple(several) => several.iter().map(|one| one.to_string()).collect(),
    };
    let types: Vec<String> = types.into_iter().filter(|name| name != "null").map(|name| article(&name)).collect();
    types.join(" or ")
}

fn article(name: &str) -> String {
    let article = if name.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {name}")
}

#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "`json!` at the call reads best without a borrow")]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(name: &str, config: Value, want: &str) {
        let types = NodeTypes::built_in(FaultPoint::default()).unwrap();
        let got = match types.check(name, &config, &Expressions::default()) {
            Ok(()) => String::new(),
            Err(error) => error.to_string(),
        };
        assert_eq!(got, want, "{name} {config}");
    }

    #[test]
    fn every_node_type_has_a_page() {
        let pages = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/nodes");
        for info in NodeTypes::built_in(FaultPoint::default()).unwrap().infos() {
            let page = std::fs::read_to_string(pages.join(format!("{}.md", info.name))).unwrap_or_default();
            assert!(page.starts_with(&format!("# {}\n", info.name)), "docs/nodes/{}.md", info.name);
            for member in info.config_schema["properties"].as_object().into_iter().flatten() {
                assert!(page.contains(&format!("`{}", member.0)), "docs/nodes/{}.md: {}", info.name, member.0);
            }
        }
    }

    #[test]
    fn right_configurations_pass() {
        check("end", json!({}), "");
        check("end", json!({"endStatus": -1}), "");
        check("delay", json!({"unit": 60000, "duration": "{{$context.data.minutes}}"}), "");
        check("create", json!({"collection": "posts", "params": {"values": {"title": "x"}}}), "");
        check(
            "query",
            json!({"collection": "posts", "params": {"filter": {"id": 1}, "sort": ["-id"], "pageSize": 3}}),
            "",
        );
        check("query", json!({"collection": "posts", "params": {"sort": [{"field": "id", "direction": "desc"}]}}), "");
        check(
            "update",
            json!({"collection": "posts", "params": {"filter": {"id": "{{$context.data.id}}"}, "values": {}}}),
            "",
        );
        check("destroy", json!({"collection": "posts", "params": {"filter": {"id": 1}}}), "");
        check("response-message", json!({"message": "hello {{$context.data.title}}"}), "");
        check("calculation", json!({"expression": "{{$context.data.read}} * 2"}), "");
        check("condition", json!({"engine": "cel", "expression": "true"}), "");
        let nested = json!({"group": {"type": "or", "calculations": [
            {"calculator": "equal", "operands": [1, 2]},
            {"group": {"type": "and", "calculations": [{"calculator": "gt", "operands": ["{{$context.data.read}}", 500]}]}}]}});
        check("condition", json!({"rejectOnFalse": false, "engine": "basic", "calculation": nested}), "");
    }

    #[test]
    fn mistakes_are_told_in_one_sentence() {
        check("nosuch", json!({}), "Node type \"nosuch\" is not registered");
        check("create", json!({}), "\"collection\" is required");
        check("create", json!({"collection": 1}), "\"collection\" must be a string");
        check("create", json!([]), "\"config\" must be an object");
        check("update", json!({"collection": "posts", "params": {"values": {}}}), "\"params.filter\" is required");
        check(
            "destroy",
            json!({"collection": "posts", "params": {"filter": 1}}),
            "\"params.filter\" must be an object",
        );
        check("end", json!({"endStatus": 0}), "\"endStatus\" must be one of [1,-1]");
        check("delay", json!({"duration": true}), "\"duration\" must be a number");
        check("delay", json!({}), "\"duration\" is required");
        check(
            "calculation",
            json!({"expression": "'{{$system.now}}'"}),
            "a variable cannot stand between quotes in an expression",
        );
        check(
            "condition",
            json!({"engine": "cel", "expression": "x".repeat(5_000)}),
            "the expression is longer than 4096 bytes",
        );
        check("manual", json!({"title": "t"}), "\"assignees\" or \"roles\" is required");
        check("manual", json!({"assignees": []}), "\"title\" is required");
        let share = json!({"title": "t", "assignees": 1, "mode": "share", "percent": 50, "count": 1});
        check("manual", share, "the mode \"share\" needs either \"percent\" or \"count\"");
        let rejecting = json!({"title": "t", "assignees": 1, "actions": ["reject"]});
        check("manual", rejecting, "\"actions\" has to hold \"approve\"");
        let form = json!({"title": "t", "assignees": 1, "form": {"type": "moon"}});
        check(
            "manual",
            form,
            "\"form\" is no JSON Schema: \"moon\" is not valid under any of the schemas listed in the 'anyOf' keyword",
        );
        check("notification", json!({"title": "t"}), "\"receivers\" or \"roles\" is required");
        check("condition", json!({"engine": "cel"}), "\"expression\" is required");
        check("condition", json!({"engine": "nosuch"}), "\"engine\" must be one of [\"basic\",\"cel\"]");
        check(
            "condition",
            json!({"calculation": {"group": {"type": "and", "calculations": [{"calculator": "nosuch", "operands": [1, 2]}]}}}),
            "\"calculation\" is invalid",
        );
    }
}
