//! Results of a query as JSON.

use jaq_json::{Num, Val};
use serde_json::{Map, Number, Value};

use super::meter::{Stopped, real};

/// Deepest result: as deep as JSON can be that is read back.
const MAX_DEPTH: usize = 100;

/// Largest result, in bytes as it is stored: it becomes a job's result.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Beyond this, whole numbers are not exact everywhere.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Makes JSON of outputs, as long as there is room.
pub(super) struct Writer {
    bytes_left: usize,
}

impl Writer {
    pub(super) fn new() -> Self {
        Self { bytes_left: MAX_BYTES }
    }

    /// Makes JSON of an output. What JSON does not have becomes `null`, or a text.
    pub(super) fn write(&mut self, output: &Val) -> Result<Value, Stopped> {
        self.at_depth(output, 0)
    }

    fn at_depth(&mut self, output: &Val, depth: usize) -> Result<Value, Stopped> {
        if depth > MAX_DEPTH {
            return Err(Stopped::Nested);
        }
        self.take(4)?;
        Ok(match output {
            Val::Null => Value::Null,
            Val::Bool(truth) => Value::Bool(*truth),
            Val::Num(number) => json_number(number),
            Val::TStr(text) | Val::BStr(text) => Value::String(self.text(text)?),
            Val::Arr(items) => items.iter().map(|item| self.at_depth(item, depth + 1)).collect::<Result<_, _>>()?,
            Val::Obj(members) => {
                let mut object = Map::with_capacity(members.len());
                for (name, value) in members.iter() {
                    let name = match name {
                        Val::TStr(text) | Val::BStr(text) => self.text(text)?,
                        other => self.at_depth(other, depth + 1)?.to_string(),
                    };
                    object.insert(name, self.at_depth(value, depth + 1)?);
                }
                Value::Object(object)
            }
        })
    }

    fn text(&mut self, bytes: &[u8]) -> Result<String, Stopped> {
        self.take(bytes.len())?;
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }

    fn take(&mut self, bytes: usize) -> Result<(), Stopped> {
        self.bytes_left = self.bytes_left.checked_sub(bytes).ok_or(Stopped::Oversized)?;
        Ok(())
    }
}

/// Whole numbers are written without a point, as everywhere here.
fn json_number(number: &Num) -> Value {
    if let Num::Int(whole) = number {
        return Value::from(*whole);
    }
    let number = real(number);
    if number.fract() == 0.0 && number.abs() <= EXACT {
        return Value::from(number as i64);
    }
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}
