//! The subscriber of a plugin's library: sends everything to the host's log and keeps nothing but numbers.

use std::{
    collections::HashMap,
    fmt, panic,
    sync::{Once, PoisonError, RwLock},
};

use abi_stable::std_types::{RSlice, RStr};
use tracing_core::{
    Event, Level, LevelFilter, Metadata, Subscriber,
    callsite::Identifier,
    dispatcher::{self, Dispatch},
    field::{self, Visit},
    span,
    subscriber::Interest,
};

use super::log::{Callsite, Field, FieldValue, LogObject, Parent};

/// Sends the library's spans, events and panics to `log`; the first call counts.
pub(crate) fn install(log: LogObject) {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // It fails only if the plugin's author installed a subscriber, which then stays.
        let _ = dispatcher::set_global_default(Dispatch::new(Proxy::new(log)));
        panic::set_hook(Box::new(|panic| {
            let message = panic.payload_as_str().unwrap_or("");
            let location = panic.location().map(ToString::to_string).unwrap_or_default();
            tracing::error!(location, "panic: {message}");
        }));
    });
}

struct Proxy {
    log: LogObject,
    /// The host's numbers of this library's callsites.
    callsites: RwLock<HashMap<Identifier, u64>>,
    /// The callsites of open spans, to name fields recorded later.
    spans: RwLock<HashMap<u64, u64>>,
}

impl Proxy {
    fn new(log: LogObject) -> Self {
        Self { log, callsites: RwLock::default(), spans: RwLock::default() }
    }

    fn callsite(&self, metadata: &Metadata<'_>) -> u64 {
        let id = metadata.callsite();
        if let Some(number) = self.callsites.read().unwrap_or_else(PoisonError::into_inner).get(&id) {
            return *number;
        }
        let fields: Vec<RStr<'_>> = metadata.fields().iter().map(|field| RStr::from_str(field.name())).collect();
        let number = self.log.register(Callsite {
            name: metadata.name().into(),
            target: metadata.target().into(),
            module_path: metadata.module_path().unwrap_or_default().into(),
            file: metadata.file().unwrap_or_default().into(),
            line: metadata.line().unwrap_or_default(),
            level: level_number(*metadata.level()),
            is_span: metadata.is_span(),
            fields: RSlice::from_slice(&fields),
        });
        // Two threads may race to here; the host then knows the place twice, which does no harm.
        *self.callsites.write().unwrap_or_else(PoisonError::into_inner).entry(id).or_insert(number)
    }
}

const fn level_number(level: Level) -> u8 {
    match level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

fn parent(is_root: bool, explicit: Option<&span::Id>) -> Parent {
    match explicit {
        Some(span) => Parent(span.into_u64()),
        None if is_root => Parent::NONE,
        None => Parent::CURRENT,
    }
}

impl Subscriber for Proxy {
    /// The host's filter may change at any time, so it is asked each time (about 30 ns where nobody listens).
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::TRACE)
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.log.enabled(self.callsite(metadata))
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        let callsite = self.callsite(span.metadata());
        let mut fields = Fields::default();
        span.record(&mut fields);
        let parent = parent(span.is_root(), span.parent());
        let number = self.log.new_span(callsite, parent, RSlice::from_slice(&fields.0)).max(1);
        self.spans.write().unwrap_or_else(PoisonError::into_inner).insert(number, callsite);
        span::Id::from_u64(number)
    }

    fn record(&self, span: &span::Id, values: &span::Record<'_>) {
        let number = span.into_u64();
        let callsite = self.spans.read().unwrap_or_else(PoisonError::into_inner).get(&number).copied();
        if let Some(callsite) = callsite {
            let mut fields = Fields::default();
            values.record(&mut fields);
            self.log.record(callsite, number, RSlice::from_slice(&fields.0));
        }
    }

    fn record_follows_from(&self, span: &span::Id, follows: &span::Id) {
        self.log.follows_from(span.into_u64(), follows.into_u64());
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let parent = parent(event.is_root(), event.parent());
        self.log.event(self.callsite(event.metadata()), parent, RSlice::from_slice(&fields.0));
    }

    fn enter(&self, span: &span::Id) {
        self.log.enter(span.into_u64());
    }

    fn exit(&self, span: &span::Id) {
        self.log.exit(span.into_u64());
    }

    fn clone_span(&self, span: &span::Id) -> span::Id {
        span::Id::from_u64(self.log.clone_span(span.into_u64()).max(1))
    }

    fn try_close(&self, span: span::Id) -> bool {
        let closed = self.log.try_close(span.into_u64());
        if closed {
            self.spans.write().unwrap_or_else(PoisonError::into_inner).remove(&span.into_u64());
        }
        closed
    }
}

#[derive(Default)]
struct Fields(Vec<Field>);

impl Fields {
    fn push(&mut self, field: &field::Field, value: FieldValue) {
        let index = u32::try_from(field.index()).unwrap_or(u32::MAX);
        self.0.push(Field { index, value });
    }
}

impl Visit for Fields {
    fn record_i64(&mut self, field: &field::Field, value: i64) {
        self.push(field, FieldValue::I64(value));
    }

    fn record_u64(&mut self, field: &field::Field, value: u64) {
        self.push(field, FieldValue::U64(value));
    }

    fn record_f64(&mut self, field: &field::Field, value: f64) {
        self.push(field, FieldValue::F64(value));
    }

    fn record_bool(&mut self, field: &field::Field, value: bool) {
        self.push(field, FieldValue::Bool(value));
    }

    fn record_str(&mut self, field: &field::Field, value: &str) {
        self.push(field, FieldValue::Str(value.into()));
    }

    fn record_debug(&mut self, field: &field::Field, value: &dyn fmt::Debug) {
        self.push(field, FieldValue::Debug(format!("{value:?}").into()));
    }
}
