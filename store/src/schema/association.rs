//! How collections are joined.

/// How two collections are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AssociationKind {
    /// The foreign key is here; at most one record.
    BelongsTo,
    /// The foreign key is there; at most one record.
    HasOne,
    /// The foreign key is there; any number.
    HasMany,
    /// Both foreign keys are in a through collection; any number.
    BelongsToMany,
}

/// Where an association field leads, and over which columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Association {
    /// The kind of join.
    pub kind: AssociationKind,
    /// The collection at the other end.
    pub target: String,
    /// `belongsTo`: column here; `hasOne`/`hasMany`: column there; `belongsToMany`: column in `through` that points here.
    pub foreign_key: String,
    /// `belongsTo`: column there that the foreign key holds; otherwise the target's key.
    pub target_key: String,
    /// Column here that the foreign key holds (not for `belongsTo`).
    pub source_key: String,
    /// `belongsToMany`: the collection between.
    pub through: Option<String>,
    /// `belongsToMany`: column in `through` that points to the target.
    pub other_key: Option<String>,
}

impl AssociationKind {
    /// Says whether it leads to at most one record.
    pub fn is_to_one(self) -> bool {
        matches!(self, Self::BelongsTo | Self::HasOne)
    }
}

/// An association with the columns of its join, so that no code has to ask again whether they are there.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Join<'a> {
    /// `source.foreign_key = target.target_key`
    BelongsTo,
    /// `source.source_key = target.foreign_key`
    Has,
    /// `source.source_key = through.foreign_key` and `through.other_key = target.target_key`
    Through { through: &'a str, other_key: &'a str },
}

impl Association {
    /// The join's shape.
    pub(crate) fn join(&self) -> Join<'_> {
        match self.kind {
            AssociationKind::BelongsTo => Join::BelongsTo,
            AssociationKind::HasOne | AssociationKind::HasMany => Join::Has,
            AssociationKind::BelongsToMany => Join::Through {
                through: self.through.as_deref().unwrap_or_default(),
                other_key: self.other_key.as_deref().unwrap_or_default(),
            },
        }
    }

    /// The column of the source whose value decides which targets belong to it.
    pub(crate) fn source_column(&self) -> &str {
        match self.kind {
            AssociationKind::BelongsTo => &self.foreign_key,
            AssociationKind::HasOne | AssociationKind::HasMany | AssociationKind::BelongsToMany => &self.source_key,
        }
    }

    /// The column of the target that is compared in the join.
    pub(crate) fn target_column(&self) -> &str {
        match self.kind {
            AssociationKind::BelongsTo | AssociationKind::BelongsToMany => &self.target_key,
            AssociationKind::HasOne | AssociationKind::HasMany => &self.foreign_key,
        }
    }
}
