//! The terms under which a firing hands a record over: its condition, the fields that have to change, and the record before.
//!
//! A condition is a filter like any other, on one imaginary record whose associations are `data`, `previous` and `user` and
//! whose field is `roleName`; so names, operators and operands are checked as everywhere. It is judged on what was loaded,
//! never by the database: the record before the action is not there any more.

use std::{collections::HashMap, sync::Arc};

use plugin_api::{Firing, Previous};
use serde_json::Value;
use store::{
    Association, AssociationKind, Collection, Conn, Field, FieldType, Filter, Origin, Record, Schema, Select,
    StoreError,
};

/// The names that a condition starts with.
const DATA: &str = "data";
const PREVIOUS: &str = "previous";
const USER: &str = "user";
const ROLE_NAME: &str = "roleName";

/// Checks a condition on records of a collection.
///
/// # Errors
///
/// [`StoreError::Invalid`] as for any filter.
pub(crate) fn parse_condition(
    schema: &Schema,
    collection: &Collection,
    condition: &Record,
) -> Result<Filter, StoreError> {
    Filter::parse(schema, &situation(collection), &Value::Object(condition.clone()))
}

/// Names the field of a record whose value tells whether `field` changed: itself, or a foreign key.
///
/// # Errors
///
/// [`StoreError::Invalid`] for fields that are not there, or lead to records by keys of theirs.
pub(crate) fn compared_field<'c>(collection: &'c Collection, field: &str) -> Result<&'c str, StoreError> {
    let unfit = |message: String| StoreError::Invalid { code: "UNKNOWN_FIELD", message };
    let found = collection.field(field)?;
    match &found.field_type {
        _ if found.hidden => Err(unfit(format!("{} has no field {field}", collection.name))),
        FieldType::Association(Association { kind: AssociationKind::BelongsTo, foreign_key, .. }) => {
            collection.field(foreign_key).map(|key| key.name.as_str())
        }
        FieldType::Association(_) => Err(unfit(format!(
            "{}.{field} leads to records that hold the key, and cannot be compared",
            collection.name
        ))),
        _ => Ok(&found.name),
    }
}

/// The imaginary collection of what a condition is about.
fn situation(collection: &Collection) -> Collection {
    let field = |name: &str, field_type| Field {
        name: name.to_owned(),
        field_type,
        required: false,
        unique: false,
        ignores_case: false,
        default: None,
        generated: None,
        hidden: false,
        native: None,
        options: Record::new(),
    };
    let one = |name: &str, target: &str| {
        // There are no columns: it is never joined.
        let association = Association {
            kind: AssociationKind::BelongsTo,
            target: target.to_owned(),
            foreign_key: String::new(),
            target_key: String::new(),
            source_key: String::new(),
            through: None,
            other_key: None,
        };
        field(name, FieldType::Association(association))
    };
    Collection {
        name: "the condition".to_owned(),
        title: None,
        origin: Origin::BuiltIn,
        key: Vec::new(),
        fields: vec![
            one(DATA, &collection.name),
            one(PREVIOUS, &collection.name),
            one(USER, "users"),
            field(ROLE_NAME, FieldType::Text),
        ],
        options: Record::new(),
    }
}

/// A firing's terms, checked against today's schema.
#[derive(Debug)]
pub(super) struct Terms {
    /// The collection of the records handed over.
    collection: Arc<Collection>,
    condition: Option<Condition>,
    /// The fields of a record of which one has to change.
    changed: Vec<String>,
    previous: Previous,
}

#[derive(Debug)]
struct Condition {
    situation: Collection,
    filter: Filter,
    /// What it looks at, below `data` and so on.
    associations: Vec<String>,
}

/// A record as it was before the action.
#[derive(Debug)]
pub(super) struct Before {
    /// With the firing's preloads.
    shown: Record,
    /// With the associations that the condition looks at, if there is one.
    judged: Option<Record>,
}

/// The records before the action, by key.
pub(super) type BeforeByKey = HashMap<String, Before>;

/// Who acts, as conditions see it.
pub(super) struct Actor<'a> {
    /// Nobody, if a node does.
    pub(super) user: Option<&'a Record>,
    pub(super) role: Option<&'a str>,
}

/// Records that passed, with what they were before.
#[derive(Debug, Default)]
pub(super) struct Passed {
    pub(super) records: Vec<(Record, Option<Record>)>,
    /// How many had no other value in any of the fields that have to change.
    pub(super) unchanged: usize,
}

impl Terms {
    /// Checks the terms of a firing that hands over records of `collection`.
    pub(super) fn new(schema: &Schema, collection: &Arc<Collection>, firing: &Firing) -> Result<Self, StoreError> {
        let condition = match firing.condition.as_ref().filter(|condition| !condition.0.is_empty()) {
            None => None,
            Some(condition) => {
                let filter = parse_condition(schema, collection, &condition.0)?;
                let associations = filter.associations();
                Some(Condition { situation: situation(collection), filter, associations })
            }
        };
        let changed = firing.changed.iter().map(|field| compared_field(collection, field).map(str::to_owned));
        Ok(Self {
            collection: Arc::clone(collection),
            condition,
            changed: changed.collect::<Result<_, _>>()?,
            previous: firing.previous,
        })
    }

    /// Says whether the records have to be read before the action.
    pub(super) fn look_back(&self) -> bool {
        self.previous == Previous::Included
            || !self.changed.is_empty()
            || self.condition.as_ref().is_some_and(|condition| condition.associations.iter().any(|it| it == PREVIOUS))
    }

    /// Says whether all records pass, whatever is in them.
    pub(super) fn are_none(&self) -> bool {
        self.condition.is_none() && self.changed.is_empty()
    }

    /// Keeps records as they are before the action.
    pub(super) async fn remember(&self, conn: &mut Conn, records: Vec<Record>) -> Result<BeforeByKey, StoreError> {
        let judged = self.complete(conn, &self.collection, &records, PREVIOUS).await?;
        let mut judged = judged.into_iter();
        let pairs = records.into_iter().map(|shown| Before { shown, judged: judged.next() });
        Ok(pairs.filter_map(|before| Some((self.key(&before.shown)?, before))).collect())
    }

    /// Keeps records of which only is known what they were: associations of theirs are not looked at.
    pub(super) fn remember_as_given(&self, records: impl Iterator<Item = Record>) -> BeforeByKey {
        let before = |shown: Record| {
            let judged = self.condition.as_ref().map(|_| shown.clone());
            Some((self.key(&shown)?, Before { shown, judged }))
        };
        records.filter_map(before).collect()
    }

    /// Passes the records that fulfil the terms, in their order.
    pub(super) async fn pass(
        &self,
        conn: &mut Conn,
        records: Vec<Record>,
        mut before: BeforeByKey,
        actor: &Actor<'_>,
    ) -> Result<Passed, StoreError> {
        let mut judged = self.complete(conn, &self.collection, &records, DATA).await?.into_iter();
        let users = Arc::clone(conn.schema().collection("users")?);
        let user = match actor.user {
            Some(user) => self.complete(conn, &users, std::slice::from_ref(user), USER).await?.pop(),
            None => None,
        };
        let schema = Arc::clone(conn.schema());
        let mut passed = Passed::default();
        for record in records {
            let judged = judged.next();
            let before = self.key(&record).and_then(|key| before.remove(&key));
            // A record that was not there before has changed as a whole.
            if let Some(before) = before.as_ref().filter(|_| !self.changed.is_empty())
                && self.changed.iter().all(|field| before.shown.get(field) == record.get(field))
            {
                passed.unchanged += 1;
                continue;
            }
            if let (Some(condition), Some(judged)) = (&self.condition, judged) {
                let before = before.as_ref().and_then(|before| before.judged.as_ref());
                if !condition.holds(&schema, judged, before, user.as_ref(), actor.role) {
                    continue;
                }
            }
            passed.records.push((record, before.map(|before| before.shown)));
        }
        Ok(passed)
    }

    fn key(&self, record: &Record) -> Option<String> {
        self.collection.key_of(record).map(|key| key.to_string())
    }

    /// Reads the associations below `root` that the condition looks at; without a condition there is nothing to judge.
    async fn complete(
        &self,
        conn: &mut Conn,
        collection: &Arc<Collection>,
        records: &[Record],
        root: &str,
    ) -> Result<Vec<Record>, StoreError> {
        let Some(condition) = &self.condition else { return Ok(Vec::new()) };
        let appends: Vec<String> = condition.below(root).map(str::to_owned).collect();
        let keys: Vec<Value> = records.iter().filter_map(|record| collection.key_of(record)).collect();
        if appends.is_empty() || keys.len() < records.len() {
            return Ok(records.to_vec());
        }
        let found = conn.follow(collection, &keys, &[], &Select { appends, ..Select::default() }).await?;
        let mut by_key: HashMap<String, Record> = found
            .into_iter()
            .filter_map(|record| collection.key_of(&record).map(|key| (key.to_string(), record)))
            .collect();
        let complete = records
            .iter()
            .zip(keys)
            .map(|(record, key)| by_key.remove(&key.to_string()).unwrap_or_else(|| record.clone()));
        Ok(complete.collect())
    }
}

impl Condition {
    fn below(&self, root: &str) -> impl Iterator<Item = &str> {
        self.associations.iter().filter_map(move |path| path.strip_prefix(root)?.strip_prefix('.'))
    }

    fn holds(
        &self,
        schema: &Schema,
        data: Record,
        previous: Option<&Record>,
        user: Option<&Record>,
        role: Option<&str>,
    ) -> bool {
        let record = |record: Option<&Record>| record.cloned().map_or(Value::Null, Value::Object);
        let situation: Record = [
            (DATA.to_owned(), Value::Object(data)),
            (PREVIOUS.to_owned(), record(previous)),
            (USER.to_owned(), record(user)),
            (ROLE_NAME.to_owned(), role.into()),
        ]
        .into_iter()
        .collect();
        self.filter.matches(schema, &self.situation, &situation)
    }
}
