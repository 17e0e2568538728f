//! Other hosts on the same database: what they are told of, and what is done about what they tell. All of it is hints; what is
//! missed, the sweep finds.

use store::{ExecutionId, Hint, WorkflowId};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::Dispatcher;
use crate::processor::Task;

impl Dispatcher {
    /// Takes the hint that these workflows have queued executions, and passes it on to other hosts if nobody here is free.
    pub(crate) fn wake_anybody(&self, workflows: &[WorkflowId]) {
        self.wake(workflows);
        if !self.works() || self.line.running() >= self.workers {
            workflows.iter().for_each(|workflow| self.store.hint(Hint::Queued(*workflow)));
        }
    }

    /// Takes the hint that an execution can be gone on with, here or wherever it is run.
    pub(crate) fn go_on(&self, execution: ExecutionId) {
        self.take_up(execution);
        self.store.hint(Hint::Ready(execution));
    }

    /// Goes on with an execution, or tells the run of it that a job of it was ended.
    pub(super) fn take_up(&self, execution: ExecutionId) {
        if self.works() {
            self.line.push(Task::This(execution));
        } else {
            self.processor.tell(execution);
        }
    }

    /// Hears other hosts, until told to stop.
    pub(super) async fn hear(&self, mut hints: Receiver<Hint>) {
        loop {
            let hint = tokio::select! {
                biased;
                () = self.draining.cancelled() => return,
                hint = hints.recv() => hint,
            };
            match hint {
                Ok(Hint::Queued(workflow)) => self.wake(&[workflow]),
                Ok(Hint::Ready(execution)) => self.take_up(execution),
                Ok(Hint::Changed) => {}
                Ok(Hint::Lost) | Err(RecvError::Lagged(_)) => self.alarm.set(self.store.clock().now_ms()),
                Err(RecvError::Closed) => return,
            }
        }
    }
}
