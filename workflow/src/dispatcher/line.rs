//! The line in which tasks wait for a worker. Each task is in it once, or as often as its workflow runs executions side by
//! side, so it is no longer than there are workers, workflows with work and executions to be gone on with; the executions
//! themselves wait in the store.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use store::WorkflowId;
use tokio::sync::Notify;

use crate::processor::Task;

/// Tasks, first come first served.
#[derive(Default)]
pub(super) struct Line {
    state: Mutex<State>,
    pushed: Notify,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Ticket>,
    known: HashMap<TicketKey, Place>,
    /// How many places workflows have of which several executions may run at once.
    widths: HashMap<WorkflowId, u32>,
}

type TicketKey = (bool, i64, u32);

/// A task, at one of the places its workflow has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) task: Task,
    /// Counted from 0.
    slot: u32,
}

/// Where a known task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the line.
    Waiting,
    /// With a worker.
    Running,
    /// With a worker, and asked for once more.
    RunningAgain,
}

fn key(ticket: Ticket) -> TicketKey {
    match ticket.task {
        Task::Next(workflow) => (false, workflow.0, ticket.slot),
        Task::This(execution) => (true, execution.0, 0),
    }
}

impl Line {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a task at the back, unless it is in the line. One that is running at all its places is done once more
    /// afterwards: what the hint is about may have come too late for the worker to see.
    pub(super) fn push(&self, task: Task) {
        let mut state = self.state();
        let width = match task {
            Task::Next(workflow) => state.widths.get(&workflow).copied().unwrap_or(1),
            Task::This(_) => 1,
        };
        for slot in 0..width {
            let ticket = Ticket { task, slot };
            match state.known.get(&key(ticket)) {
                Some(Place::Waiting) => return,
                Some(Place::Running | Place::RunningAgain) => {}
                None => return self.enter(&mut state, ticket),
            }
        }
        state.known.insert(key(Ticket { task, slot: 0 }), Place::RunningAgain);
    }

    /// Takes note that as many executions of a workflow may run at once, of which one runs with this ticket, and puts the
    /// workflow into the line for the next one.
    pub(super) fn widen(&self, ticket: Ticket, width: u32) {
        let Task::Next(workflow) = ticket.task else { return };
        let mut state = self.state();
        if width <= 1 {
            if !state.widths.is_empty() {
                state.widths.remove(&workflow);
            }
            return;
        }
        state.widths.insert(workflow, width);
        let next = (0..width).map(|slot| Ticket { slot, ..ticket }).find(|next| !state.known.contains_key(&key(*next)));
        let waits = (0..width)
            .any(|slot| state.known.get(&key(Ticket { slot, ..ticket })).is_some_and(|place| *place == Place::Waiting));
        if let (Some(next), false) = (next, waits) {
            self.enter(&mut state, next);
        }
    }

    fn enter(&self, state: &mut State, ticket: Ticket) {
        state.known.insert(key(ticket), Place::Waiting);
        state.waiting.push_back(ticket);
        self.pushed.notify_one();
    }

    /// Takes the task at the front; waits until there is one.
    pub(super) async fn take(&self) -> Ticket {
        loop {
            let pushed = self.pushed.notified();
            {
                let mut state = self.state();
                if let Some(ticket) = state.waiting.pop_front() {
                    state.known.insert(key(ticket), Place::Running);
                    if !state.waiting.is_empty() {
                        self.pushed.notify_one();
                    }
                    return ticket;
                }
            }
            pushed.await;
        }
    }

    /// Takes note that a worker is through with a task, and puts it at the back if there is more to do.
    pub(super) fn done(&self, ticket: Ticket, more: bool) {
        let mut state = self.state();
        let place = state.known.remove(&key(ticket));
        if more || place == Some(Place::RunningAgain) {
            self.enter(&mut state, ticket);
        }
    }

    /// How many tasks are with workers.
    pub(super) fn running(&self) -> usize {
        let state = self.state();
        state.known.len() - state.waiting.len()
    }

    /// Says whether no task waits or runs.
    pub(super) fn is_empty(&self) -> bool {
        self.state().known.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use store::ExecutionId;

    use super::*;

    const A: Task = Task::Next(WorkflowId(1));
    const B: Task = Task::Next(WorkflowId(2));
    const C: Task = Task::This(ExecutionId(1));

    async fn take(line: &Line) -> Task {
        line.take().await.task
    }

    fn done(line: &Line, task: Task, more: bool) {
        line.done(Ticket { task, slot: 0 }, more);
    }

    #[tokio::test]
    async fn tasks_are_in_line_once_and_served_in_order() {
        let line = Line::default();
        for task in [A, B, A, C, B] {
            line.push(task);
        }
        assert_eq!([take(&line).await, take(&line).await, take(&line).await], [A, B, C]);
        for task in [A, B, C] {
            assert!(!line.is_empty());
            done(&line, task, false);
        }
        assert!(line.is_empty());
    }

    #[tokio::test]
    async fn a_running_task_goes_to_the_back_if_there_is_more() {
        let line = Line::default();
        line.push(A);
        line.push(B);
        assert_eq!(take(&line).await, A);
        line.push(A);
        done(&line, A, false);
        assert_eq!([take(&line).await, take(&line).await], [B, A]);
        done(&line, B, true);
        done(&line, A, false);
        assert_eq!(take(&line).await, B);
        done(&line, B, false);
        assert!(line.is_empty());
    }

    #[tokio::test]
    async fn a_wide_workflow_has_several_places() {
        let line = Line::default();
        line.push(A);
        let first = line.take().await;
        line.widen(first, 3);
        line.push(B);
        let second = line.take().await;
        assert_eq!((second.task, second.slot), (A, 1));
        line.widen(second, 3);
        line.widen(first, 3);
        assert_eq!(take(&line).await, B);
        let third = line.take().await;
        assert_eq!((third.task, third.slot), (A, 2));
        // All places are taken: it is done once more.
        line.push(A);
        line.widen(third, 3);
        line.done(second, false);
        line.done(third, false);
        line.done(first, false);
        assert_eq!(line.take().await, first);
        done(&line, B, false);
        line.widen(first, 1);
        line.done(first, false);
        assert!(line.is_empty());
    }
}
