//! The plugin's tracing on its way to the host. A library has tracing's global state for itself, so nothing of it
//! reaches the host's subscriber unless it is sent: [`super::proxy`] sends it, the host implements [`RawLogSink`].

use abi_stable::{
    StableAbi, sabi_trait,
    std_types::{RBox, RSlice, RStr, RString},
};

/// The host's log, owned by the plugin's library until the process ends.
pub type LogObject = RawLogSink_TO<RBox<()>>;

/// Takes spans and events. Callsites are described once and named by the number that the host gave them.
#[sabi_trait]
pub trait RawLogSink: Send + Sync + 'static {
    /// Takes a callsite; its number.
    fn register(&self, callsite: Callsite<'_>) -> u64;
    /// Says whether anyone listens to the callsite now.
    fn enabled(&self, callsite: u64) -> bool;
    /// Takes an event.
    fn event(&self, callsite: u64, parent: Parent, fields: RSlice<'_, Field>);
    /// Opens a span; its number, above zero.
    fn new_span(&self, callsite: u64, parent: Parent, fields: RSlice<'_, Field>) -> u64;
    /// Adds fields to a span of the callsite.
    fn record(&self, callsite: u64, span: u64, fields: RSlice<'_, Field>);
    /// Says that one span follows from another.
    fn follows_from(&self, span: u64, follows: u64);
    /// Enters a span on this thread.
    fn enter(&self, span: u64);
    /// Leaves a span on this thread.
    fn exit(&self, span: u64);
    /// Counts one more holder of the span; the number to use from now on.
    fn clone_span(&self, span: u64) -> u64;
    /// Counts one holder less; says whether it was the last. The frozen prefix ends here.
    #[sabi(last_prefix_field)]
    fn try_close(&self, span: u64) -> bool;
}

/// Describes a place in the plugin's code. Frozen.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, Copy)]
pub struct Callsite<'a> {
    /// The span's or event's name.
    pub name: RStr<'a>,
    /// What filters match, usually the module's path.
    pub target: RStr<'a>,
    /// The module's path, or nothing.
    pub module_path: RStr<'a>,
    /// The source file, or nothing.
    pub file: RStr<'a>,
    /// The line, from 1; 0 is unknown.
    pub line: u32,
    /// 1 = error, 2 = warn, 3 = info, 4 = debug, 5 = trace.
    pub level: u8,
    /// A span's, not an event's.
    pub is_span: bool,
    /// The fields' names.
    pub fields: RSlice<'a, RStr<'a>>,
}

/// One value. Frozen.
#[repr(C)]
#[derive(StableAbi, Debug, Clone)]
pub struct Field {
    /// Which of the callsite's fields.
    pub index: u32,
    /// Its value.
    pub value: FieldValue,
}

/// A field's value. Frozen.
#[repr(u8)]
#[derive(StableAbi, Debug, Clone)]
pub enum FieldValue {
    /// A signed integer.
    I64(i64),
    /// An unsigned integer.
    U64(u64),
    /// A float.
    F64(f64),
    /// A boolean.
    Bool(bool),
    /// Text that is a value.
    Str(RString),
    /// Text that shows a value.
    Debug(RString),
}

/// Which span encloses an event or a span. Frozen; other numbers name a span.
#[repr(transparent)]
#[derive(StableAbi, Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parent(pub u64);

impl Parent {
    /// The span that is entered on this thread, which may be one of the host's.
    pub const CURRENT: Self = Self(0);
    /// None.
    pub const NONE: Self = Self(u64::MAX);
}
