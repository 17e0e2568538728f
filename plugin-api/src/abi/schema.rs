//! Today's schema: the host's [`SchemaView`], asked by a plugin for the time of one call.

use std::cell::RefCell;

use abi_stable::{
    StableAbi, sabi_trait,
    sabi_trait::TD_Opaque,
    sabi_types::RRef,
    std_types::{RNone, ROption, RSome, RStr, RString},
};

use super::{
    error::{AbiResult, answer, read, result, write},
    guard::guarded,
};
use crate::{
    error::PluginError,
    plan::Condition,
    schema::{Association, Cardinality, CollectionRef, SchemaView},
};

/// A [`SchemaView`] for the time of a call.
pub type SchemaObject<'a> = RawSchema_TO<'a, RRef<'a, ()>>;

/// The host's side of a [`SchemaView`].
#[sabi_trait]
pub trait RawSchema {
    /// Says whether the data source exists.
    fn has_data_source(&self, data_source: RStr<'_>) -> bool;
    /// Says whether the collection exists.
    fn has_collection(&self, data_source: RStr<'_>, name: RStr<'_>) -> bool;
    /// Says where an association field leads. The frozen prefix ends here.
    #[sabi(last_prefix_field)]
    fn association(&self, data_source: RStr<'_>, name: RStr<'_>, field: RStr<'_>) -> ROption<AbiAssociation>;
    /// Checks a [`Condition`] (JSON text). Since 1.1.
    fn check_condition(&self, data_source: RStr<'_>, name: RStr<'_>, condition: RStr<'_>) -> AbiResult<()> {
        let _ = (data_source, name, condition);
        answer(Err(PluginError::invalid("This host does not judge conditions")))
    }
    /// Checks that a field's values can be compared. Since 1.1.
    fn check_comparable(&self, data_source: RStr<'_>, name: RStr<'_>, field: RStr<'_>) -> AbiResult<()> {
        let _ = (data_source, name, field);
        answer(Err(PluginError::invalid("This host does not compare fields")))
    }
    /// Checks that a field holds a moment or a day. Since 1.3.
    fn check_date(&self, data_source: RStr<'_>, name: RStr<'_>, field: RStr<'_>) -> AbiResult<()> {
        let _ = (data_source, name, field);
        answer(Err(PluginError::invalid("This host does not know which fields hold dates")))
    }
}

/// An [`Association`]. Frozen.
#[repr(C)]
#[derive(StableAbi, Debug, Clone)]
pub struct AbiAssociation {
    /// The target's data source.
    pub data_source: RString,
    /// The target's name.
    pub name: RString,
    /// Whether it leads to several records.
    pub to_many: bool,
}

/// Offers a host's view. The first panic of the view is kept, and becomes the outcome of the call it happened in.
pub struct SchemaProvider<'a> {
    view: &'a dyn SchemaView,
    fault: RefCell<Option<PluginError>>,
}

impl<'a> SchemaProvider<'a> {
    /// Offers `view`.
    pub fn new(view: &'a dyn SchemaView) -> Self {
        Self { view, fault: RefCell::new(None) }
    }

    /// The object to pass on.
    pub fn object(&self) -> SchemaObject<'_> {
        RawSchema_TO::from_ptr(RRef::new(self), TD_Opaque)
    }

    /// Ends the call: its result, unless the view failed underneath it.
    ///
    /// # Errors
    ///
    /// The call's own, or the view's.
    pub fn finish<T>(self, result: Result<T, PluginError>) -> Result<T, PluginError> {
        match self.fault.into_inner() {
            Some(fault) => Err(fault),
            None => result,
        }
    }

    fn ask<T>(&self, fallback: T, question: impl FnOnce(&dyn SchemaView) -> T) -> T {
        guarded("the host's schema", || Ok(question(self.view))).unwrap_or_else(|fault| {
            self.fault.borrow_mut().get_or_insert(fault);
            fallback
        })
    }
}

impl RawSchema for SchemaProvider<'_> {
    fn has_data_source(&self, data_source: RStr<'_>) -> bool {
        self.ask(false, |view| view.has_data_source(data_source.as_str()))
    }

    fn has_collection(&self, data_source: RStr<'_>, name: RStr<'_>) -> bool {
        self.ask(false, |view| view.has_collection(&CollectionRef::new(data_source.as_str(), name.as_str())))
    }

    fn association(&self, data_source: RStr<'_>, name: RStr<'_>, field: RStr<'_>) -> ROption<AbiAssociation> {
        let found = self.ask(None, |view| {
            view.association(&CollectionRef::new(data_source.as_str(), name.as_str()), field.as_str())
        });
        match found {
            Some(association) => RSome(AbiAssociation {
                data_source: association.target.data_source().into(),
                name: association.target.name().into(),
                to_many: association.cardinality == Cardinality::Many,
            }),
            None => RNone,
        }
    }

    fn check_condition(&self, data_source: RStr<'_>, name: RStr<'_>, condition: RStr<'_>) -> AbiResult<()> {
        let collection = CollectionRef::new(data_source.as_str(), name.as_str());
        answer(self.ask(Ok(()), |view| {
            view.check_condition(&collection, &read::<Condition>("condition", condition.as_str())?)
        }))
    }

    fn check_comparable(&self, data_source: RStr<'_>, name: RStr<'_>, field: RStr<'_>) -> AbiResult<()> {
        let collection = CollectionRef::new(data_source.as_str(), name.as_str());
        answer(self.ask(Ok(()), |view| view.check_comparable(&collection, field.as_str())))
    }

    fn check_date(&self, data_source: RStr<'_>, name: RStr<'_>, field: RStr<'_>) -> AbiResult<()> {
        let collection = CollectionRef::new(data_source.as_str(), name.as_str());
        answer(self.ask(Ok(()), |view| view.check_date(&collection, field.as_str())))
    }
}

/// Makes a [`SchemaView`] of the object, on the plugin's side.
pub(crate) struct SchemaClient<'a>(pub(crate) SchemaObject<'a>);

impl SchemaView for SchemaClient<'_> {
    fn has_data_source(&self, data_source: &str) -> bool {
        self.0.has_data_source(data_source.into())
    }

    fn has_collection(&self, collection: &CollectionRef) -> bool {
        self.0.has_collection(collection.data_source().into(), collection.name().into())
    }

    fn association(&self, collection: &CollectionRef, field: &str) -> Option<Association> {
        let found = self.0.association(collection.data_source().into(), collection.name().into(), field.into());
        found.into_option().map(|association| Association {
            target: CollectionRef::new(association.data_source, association.name),
            cardinality: if association.to_many { Cardinality::Many } else { Cardinality::One },
        })
    }

    fn check_condition(&self, collection: &CollectionRef, condition: &Condition) -> Result<(), PluginError> {
        let condition = write("condition", condition)?;
        result(self.0.check_condition(collection.data_source().into(), collection.name().into(), condition.as_rstr()))
    }

    fn check_comparable(&self, collection: &CollectionRef, field: &str) -> Result<(), PluginError> {
        result(self.0.check_comparable(collection.data_source().into(), collection.name().into(), field.into()))
    }

    fn check_date(&self, collection: &CollectionRef, field: &str) -> Result<(), PluginError> {
        result(self.0.check_date(collection.data_source().into(), collection.name().into(), field.into()))
    }
}
