//! The host's end of the plugins' tracing: gives each place in a plugin's code a real callsite of the host, so that
//! filters, targets, levels and spans work as if the code were the host's own.

use std::{
    fmt,
    sync::{
        OnceLock, PoisonError, RwLock,
        atomic::{AtomicU8, Ordering},
    },
};

use abi_stable::std_types::{RSlice, RStr};
use plugin_api::abi::{
    guard::guarded_or,
    log::{Callsite as Description, Field, FieldValue, Parent, RawLogSink},
};
use tracing_core::{
    Event, Interest, Level, Metadata,
    callsite::{self, Callsite, Identifier},
    dispatcher,
    field::{self, FieldSet, Value, ValueSet},
    metadata::Kind,
    span,
};

/// Takes the spans and events of a plugin's library.
pub(crate) struct LogSink;

/// The places of all libraries; a place's number is its position, from 1. It grows with the code of the plugins, which
/// is never unloaded, and with nothing else.
static PLACES: RwLock<Vec<&'static Place>> = RwLock::new(Vec::new());

struct Place {
    metadata: OnceLock<Metadata<'static>>,
    interest: AtomicU8,
}

const NEVER: u8 = 0;
const SOMETIMES: u8 = 1;
const ALWAYS: u8 = 2;

impl Callsite for Place {
    fn set_interest(&self, interest: Interest) {
        let interest = if interest.is_never() {
            NEVER
        } else if interest.is_always() {
            ALWAYS
        } else {
            SOMETIMES
        };
        self.interest.store(interest, Ordering::Relaxed);
    }

    fn metadata(&self) -> &Metadata<'_> {
        self.described()
    }
}

impl Place {
    fn described(&self) -> &Metadata<'static> {
        self.metadata.get().expect("a place is described before anyone can name it")
    }

    fn number(number: u64) -> Option<&'static Self> {
        let position = usize::try_from(number).ok()?.checked_sub(1)?;
        PLACES.read().unwrap_or_else(PoisonError::into_inner).get(position).copied()
    }

    fn leak(description: &Description<'_>) -> &'static Self {
        let fields: Vec<&'static str> = description.fields.iter().map(leaked).collect();
        let place: &'static Self =
            Box::leak(Box::new(Self { metadata: OnceLock::new(), interest: AtomicU8::new(SOMETIMES) }));
        let optional = |text: &RStr<'_>| (!text.is_empty()).then(|| leaked(text));
        place.metadata.get_or_init(|| {
            Metadata::new(
                leaked(&description.name),
                leaked(&description.target),
                level(description.level),
                optional(&description.file),
                (description.line > 0).then_some(description.line),
                optional(&description.module_path),
                FieldSet::new(Box::leak(fields.into_boxed_slice()), Identifier(place)),
                if description.is_span { Kind::SPAN } else { Kind::EVENT },
            )
        });
        callsite::register(place);
        place
    }

    /// Calls `use_values` with the fields as the host's tracing wants them.
    fn with_values<R>(&'static self, fields: &[Field], use_values: impl FnOnce(&ValueSet<'_>) -> R) -> R {
        let metadata = self.described();
        let values: Vec<HostValue<'_>> = fields.iter().map(|field| HostValue::of(&field.value)).collect();
        let mut slots: Vec<Option<&dyn Value>> = vec![None; metadata.fields().len()];
        for (field, value) in fields.iter().zip(&values) {
            if let Some(slot) = usize::try_from(field.index).ok().and_then(|index| slots.get_mut(index)) {
                *slot = Some(value.as_value());
            }
        }
        use_values(&metadata.fields().value_set_all(&slots))
    }
}

fn leaked(text: &RStr<'_>) -> &'static str {
    Box::leak(text.as_str().to_owned().into_boxed_str())
}

const fn level(number: u8) -> Level {
    match number {
        1 => Level::ERROR,
        2 => Level::WARN,
        3 => Level::INFO,
        4 => Level::DEBUG,
        _ => Level::TRACE,
    }
}

enum HostValue<'a> {
    I64(i64),
    U64(u64),
    F64(f64),
    Bool(bool),
    Str(&'a str),
    Shown(field::DebugValue<Shown<'a>>),
}

impl<'a> HostValue<'a> {
    fn of(value: &'a FieldValue) -> Self {
        match value {
            FieldValue::I64(value) => Self::I64(*value),
            FieldValue::U64(value) => Self::U64(*value),
            FieldValue::F64(value) => Self::F64(*value),
            FieldValue::Bool(value) => Self::Bool(*value),
            FieldValue::Str(text) => Self::Str(text.as_str()),
            FieldValue::Debug(text) => Self::Shown(field::debug(Shown(text.as_str()))),
        }
    }

    fn as_value(&self) -> &dyn Value {
        match self {
            Self::I64(value) => value,
            Self::U64(value) => value,
            Self::F64(value) => value,
            Self::Bool(value) => value,
            Self::Str(text) => text,
            Self::Shown(value) => value,
        }
    }
}

/// Text that the plugin's `Debug` has written already.
struct Shown<'a>(&'a str);

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl RawLogSink for LogSink {
    fn register(&self, description: Description<'_>) -> u64 {
        guarded_or("the host's log", 0, || {
            let place = Place::leak(&description);
            let mut places = PLACES.write().unwrap_or_else(PoisonError::into_inner);
            places.push(place);
            places.len() as u64
        })
    }

    fn enabled(&self, callsite: u64) -> bool {
        guarded_or("the host's log", false, || match Place::number(callsite) {
            Some(place) => match place.interest.load(Ordering::Relaxed) {
                NEVER => false,
                ALWAYS => true,
                _ => dispatcher::get_default(|subscriber| subscriber.enabled(place.described())),
            },
            None => false,
        })
    }

    fn event(&self, callsite: u64, parent: Parent, fields: RSlice<'_, Field>) {
        guarded_or("the host's log", (), || {
            let Some(place) = Place::number(callsite) else { return };
            let metadata = place.described();
            place.with_values(fields.as_slice(), |values| match parent {
                Parent::CURRENT => Event::dispatch(metadata, values),
                Parent::NONE => Event::child_of(None, metadata, values),
                Parent(span) => Event::child_of(span::Id::from_u64(span), metadata, values),
            });
        });
    }

    fn new_span(&self, callsite: u64, parent: Parent, fields: RSlice<'_, Field>) -> u64 {
        guarded_or("the host's log", 1, || {
            let Some(place) = Place::number(callsite) else { return 1 };
            let metadata = place.described();
            place.with_values(fields.as_slice(), |values| {
                let span = match parent {
                    Parent::CURRENT => span::Attributes::new(metadata, values),
                    Parent::NONE => span::Attributes::new_root(metadata, values),
                    Parent(parent) => span::Attributes::child_of(span::Id::from_u64(parent), metadata, values),
                };
                dispatcher::get_default(|subscriber| subscriber.new_span(&span).into_u64())
            })
        })
    }

    fn record(&self, callsite: u64, span: u64, fields: RSlice<'_, Field>) {
        with_span(span, |span| {
            if let Some(place) = Place::number(callsite) {
                place.with_values(fields.as_slice(), |values| {
                    dispatcher::get_default(|subscriber| subscriber.record(&span, &span::Record::new(values)));
                });
            }
        });
    }

    fn follows_from(&self, span: u64, follows: u64) {
        with_span(span, |span| {
            with_span(follows, |follows| {
                dispatcher::get_default(|subscriber| subscriber.record_follows_from(&span, &follows));
            });
        });
    }

    fn enter(&self, span: u64) {
        with_span(span, |span| dispatcher::get_default(|subscriber| subscriber.enter(&span)));
    }

    fn exit(&self, span: u64) {
        with_span(span, |span| dispatcher::get_default(|subscriber| subscriber.exit(&span)));
    }

    fn clone_span(&self, span: u64) -> u64 {
        let mut clone = span;
        with_span(span, |span| {
            clone = dispatcher::get_default(|subscriber| subscriber.clone_span(&span).into_u64());
        });
        clone
    }

    fn try_close(&self, span: u64) -> bool {
        let mut closed = false;
        with_span(span, |span| {
            closed = dispatcher::get_default(|subscriber| subscriber.try_close(span.clone()));
        });
        closed
    }
}

/// Contains the host's panics; zero names no span.
fn with_span(number: u64, call: impl FnOnce(span::Id)) {
    guarded_or("the host's log", (), || {
        if number > 0 {
            call(span::Id::from_u64(number));
        }
    });
}
