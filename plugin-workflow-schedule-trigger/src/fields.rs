//! The JSON Schema of each field of the configuration, for the console's form.

use plugin_api::{
    Translations,
    watch::{fields, texts},
};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::json;

use crate::{config::Unit, locales};

/// Shortest time between two moments of an interval, in milliseconds.
pub(crate) const SHORTEST_INTERVAL_MS: i64 = 1_000;

pub(crate) fn mode(_: &mut SchemaGenerator) -> Schema {
    fields::titled(&locales::MODE, json_schema!({"enum": [0, 1], "default": 0}))
}

pub(crate) fn collection(_: &mut SchemaGenerator) -> Schema {
    let schema = json_schema!({
        "type": ["string", "null"],
        "default": null,
        "x-selector": "collection",
        "x-visible-if": {"mode": 1},
    });
    fields::titled(&texts::COLLECTION, schema)
}

/// A moment, or a date field of the collection.
fn boundary(title: &Translations) -> Schema {
    let date = json!({
        "type": "object",
        "required": ["field"],
        "properties": {
            "field": {"type": "string", "x-selector": "date-field", "x-collection-field": "collection"},
            "offset": {"type": "integer", "default": 0},
            "unit": {"enum": Unit::ALL, "default": Unit::default().ms()},
        },
        "additionalProperties": false,
    });
    let schema = json_schema!({
        "anyOf": [{"type": "string", "x-format": "date-time"}, date, {"type": "null"}],
        "default": null,
    });
    fields::titled(title, schema)
}

pub(crate) fn starts_on(_: &mut SchemaGenerator) -> Schema {
    boundary(&locales::STARTS_ON)
}

pub(crate) fn ends_on(_: &mut SchemaGenerator) -> Schema {
    boundary(&locales::ENDS_ON)
}

pub(crate) fn repeat(_: &mut SchemaGenerator) -> Schema {
    let schema = json_schema!({
        "anyOf": [
            {"type": "integer", "minimum": SHORTEST_INTERVAL_MS},
            {"type": "string", "x-format": "cron"},
            {"type": "null"},
        ],
        "default": null,
    });
    fields::titled(&locales::REPEAT, schema)
}

pub(crate) fn limit(_: &mut SchemaGenerator) -> Schema {
    fields::titled(&locales::LIMIT, json_schema!({"type": ["integer", "null"], "minimum": 1, "default": null}))
}

pub(crate) fn time_zone(_: &mut SchemaGenerator) -> Schema {
    fields::titled(&locales::TIME_ZONE, json_schema!({"type": "string", "default": "UTC", "x-selector": "time-zone"}))
}

pub(crate) fn missed(_: &mut SchemaGenerator) -> Schema {
    fields::titled(&locales::MISSED, json_schema!({"enum": ["skip", "once", "all"], "default": "once"}))
}

pub(crate) fn appends(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = fields::appends(generator);
    schema.insert("x-visible-if".to_owned(), json!({"mode": 1}));
    schema
}
