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

/// What users are called beside the collections of a further database, which may have a table `users` of its own. No name of a
/// table that could be a collection has a colon.
const USERS_OF_MAIN: &str = "main:users";

/// The data source that records are in, and main, where users are.
#[derive(Debug, Clone)]
pub(crate) struct Realm {
    main: Arc<Schema>,
    schema: Arc<Schema>,
}

/// What a condition can lead to: the collections of its data source, and users.
#[derive(Debug)]
struct Reach {
    schema: Arc<Schema>,
    users: Arc<Collection>,
}

impl Realm {
    /// That of the data source with this schema, which may be the one of main.
    pub(crate) fn new(main: &Arc<Schema>, schema: &Arc<Schema>) -> Self {
        Self { main: Arc::clone(main), schema: Arc::clone(schema) }
    }

    /// The collections of the data source.
    pub(super) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// In another data source than main, nothing leads on from users.
    fn reach(&self) -> Result<Reach, StoreError> {
        let users = self.main.collection("users")?;
        if Arc::ptr_eq(&self.main, &self.schema) {
            return Ok(Reach { schema: Arc::clone(&self.schema), users: Arc::clone(users) });
        }
        let guests = Collection {
            name: USERS_OF_MAIN.to_owned(),
            fields: users.scalars().cloned().collect(),
            ..Collection::clone(users)
        };
        let schema = self.schema.with(guests);
        let users = Arc::clone(schema.collection(USERS_OF_MAIN)?);
        Ok(Reach { schema: Arc::new(schema), users })
    }
}

/// Checks a condition on records of a collection.
///
/// # Errors
///
/// [`StoreError::Invalid`] as for any filter.
pub(crate) fn check_condition(realm: &Realm, collection: &Collection, condition: &Record) -> Result<(), StoreError> {
    Condition::new(realm, collection, condition).map(drop)
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
fn situation(reach: &Reach, collection: &Collection) -> Collection {
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
        Field::plain(name, FieldType::Association(association))
    };
    Collection {
        name: "the condition".to_owned(),
        title: None,
        origin: Origin::BuiltIn,
        key: Vec::new(),
        fields: vec![
            one(DATA, &collection.name),
            one(PREVIOUS, &collection.name),
            one(USER, &reach.users.name),
            Field::plain(ROLE_NAME, FieldType::Text),
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
    reach: Reach,
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
    pub(super) fn new(realm: &Realm, collection: &Arc<Collection>, firing: &Firing) -> Result<Self, StoreError> {
        let condition = match firing.condition.as_ref().filter(|condition| !condition.0.is_empty()) {
            None => None,
            Some(condition) => Some(Condition::new(realm, collection, &condition.0)?),
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
        let user = match (actor.user, &self.condition) {
            (Some(user), Some(Condition { reach, .. })) => {
                self.complete(conn, &reach.users, std::slice::from_ref(user), USER).await?.pop()
            }
            (Some(_) | None, _) => None,
        };
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
                if !condition.holds(judged, before, user.as_ref(), actor.role) {
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
    fn new(realm: &Realm, collection: &Collection, condition: &Record) -> Result<Self, StoreError> {
        let reach = realm.reach()?;
        let situation = situation(&reach, collection);
        let filter = Filter::parse(&reach.schema, &situation, &Value::Object(condition.clone()))?;
        let associations = filter.associations();
        Ok(Self { reach, situation, filter, associations })
    }

    fn below(&self, root: &str) -> impl Iterator<Item = &str> {
        self.associations.iter().filter_map(move |path| path.strip_prefix(root)?.strip_prefix('.'))
    }

    fn holds(&self, data: Record, previous: Option<&Record>, user: Option<&Record>, role: Option<&str>) -> bool {
        let record = |record: Option<&Record>| record.cloned().map_or(Value::Null, Value::Object);
        let situation: Record = [
            (DATA.to_owned(), Value::Object(data)),
            (PREVIOUS.to_owned(), record(previous)),
            (USER.to_owned(), record(user)),
            (ROLE_NAME.to_owned(), role.into()),
        ]
        .into_iter()
        .collect();
        self.filter.matches(&self.reach.schema, &self.situation, &situation)
    }
}
