//! Collections, records and the execution queue in a SQL database.
//!
//! Data flows one way: a caller takes a [`Conn`] to read or hands a closure to [`Store::write`]; inside, typed requests
//! ([`Find`], [`Filter`], [`NewExecution`]) become SQL with bound parameters and checked identifiers. Nothing here knows
//! HTTP, access rights, plugins or node types.
//!
//! Reading order:
//!
//! 1. [`id`], [`status`], [`error`]: the vocabulary
//! 2. [`schema`]: collections, fields and associations, built in or made at run time
//! 3. [`db`]: opening, reading, and the one writer that commits many requests together
//! 4. [`query`]: filters, sorting, pages, appends
//! 5. [`mod@write`]: records with their associations
//! 6. [`workflows`], [`executions`], [`jobs`]: the engine's rows and the queue
//! 7. [`changes`]: what commits changed in them, for those who watch
//! 8. [`clock`] and [`marks`]: what time it is, and how far the workflows have come that start by it
//! 9. [`tasks`]: what people are asked to decide, and [`approvals`]: what becomes of what they apply for
//! 10. [`buttons`]: what is bound to which button
//! 11. [`record_changes`]: what a request changes in records, for whoever starts something from it
//! 12. [`hosts`]: what the hosts that work on one database tell each other
//! 13. [`agreement`]: what they have in common
//! 14. [`data_sources`]: which further databases there are
//! 15. [`back_up`]: a copy of a database's file; [`transfer()`]: moving to another database
//! 16. [`secret`]: password hashing
//! 17. `catalog`: the structure of further databases, and our own tables in them: [`outbox`], for what is to be done elsewhere for a
//!     change, and [`write_receipts`], for what is to be written once

pub mod agreement;
pub mod approvals;
mod backup;
pub mod buttons;
mod catalog;
pub mod changes;
pub mod clock;
mod codec;
pub mod data_sources;
pub mod db;
pub mod error;
pub mod executions;
pub mod hosts;
pub mod id;
mod id_generator;
pub mod jobs;
pub mod marks;
mod moment;
pub mod outbox;
mod own_table;
pub mod query;
pub mod record_changes;
mod room;
pub mod schema;
pub mod secret;
pub mod status;
pub mod tasks;
pub mod transfer;
pub mod workflows;
pub mod write;
pub mod write_receipts;

pub use approvals::{Approval, ApprovalStatus, NewApproval};
pub use backup::back_up;
pub use buttons::{Binding, BindingDraft, Button, ButtonFacts};
pub use catalog::LeftOut;
pub use changes::{Change, ExecutionChange, ExecutionStep, JobChange};
pub use clock::Clock;
pub use data_sources::{DataSource, DataSourceFacts};
pub use db::{Conn, ConnectOptions, Faults, Native, Store, Tx, database_file};
pub use error::StoreError;
pub use executions::{
    Claimed, ClaimedBy, Execution, ExecutionFinish, HandBack, NewExecution, QueueFigures, Repetition, Retryable,
    Standing, Takeover,
};
pub use hosts::{Hint, HostChange, HostVersion};
pub use id::{ApprovalId, BindingId, ExecutionId, JobId, NodeId, TaskId, UserId, WorkflowId};
pub use jobs::{Job, NewJob};
pub use marks::{Mark, WorkflowClock};
pub use outbox::OutboxMessage;
pub use own_table::TableState;
pub use query::{Aggregate, Aggregator, Filter, Find, Page, RelatedTo, Repeated, Select, Sort, SqlQuery};
pub use record_changes::{Cause, RecordChange, RecordChangeKind, RecordListener};
pub use room::with_room;
pub use schema::{Association, AssociationKind, Collection, Field, FieldType, Generated, Origin, Schema};
pub use status::{ExecutionStatus, JobStatus};
pub use tasks::{Decision, NewTasks, Quorum, Submission, Task, TaskStatus};
pub use transfer::{TransferError, TransferEvent, TransferOptions, Transferred, transfer};
pub use workflows::{NodeRow, WorkflowRow};
pub use write::{AssociationChange, KeyValue, WriteOptions};
pub use write_receipts::{WriteKey, WriteReceipt};

/// One record: field names to JSON values, in the order of the collection's fields.
pub type Record = serde_json::Map<String, serde_json::Value>;
