//! The line in which tasks wait for a worker. Each task is in it once, so it is no longer than there are workflows with work
//! and executions to be gone on with; the executions themselves wait in the store.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

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
    waiting: VecDeque<Task>,
    known: HashMap<TaskKey, Place>,
}

type TaskKey = (bool, i64);

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

fn key(task: Task) -> TaskKey {
    match task {
        Task::Next(workflow) => (false, workflow.0),
        Task::This(execution) => (true, execution.0),
    }
}

impl Line {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a task at the back, unless it is in the line. One that is running is done once more afterwards: what the hint
    /// is about may have come too late for the worker to see.
    pub(super) fn push(&self, task: Task) {
        let mut state = self.state();
        let place = state.known.get(&key(task)).copied();
        match place {
            Some(Place::Waiting | Place::RunningAgain) => {}
            Some(Place::Running) => {
                state.known.insert(key(task), Place::RunningAgain);
            }
            None => {
                state.known.insert(key(task), Place::Waiting);
                state.waiting.push_back(task);
                self.pushed.notify_one();
            }
        }
    }

    /// Takes the task at the front; waits until there is one.
    pub(super) async fn take(&self) -> Task {
        loop {
            let pushed = self.pushed.notified();
            {
                let mut state = self.state();
                if let Some(task) = state.waiting.pop_front() {
                    state.known.insert(key(task), Place::Running);
                    if !state.waiting.is_empty() {
                        self.pushed.notify_one();
                    }
                    return task;
                }
            }
            pushed.await;
        }
    }

    /// Takes note that a worker is through with a task, and puts it at the back if there is more to do.
    pub(super) fn done(&self, task: Task, more: bool) {
        let mut state = self.state();
        let place = state.known.remove(&key(task));
        if more || place == Some(Place::RunningAgain) {
            state.known.insert(key(task), Place::Waiting);
            state.waiting.push_back(task);
            self.pushed.notify_one();
        }
    }

    /// Says whether no task waits or runs.
    pub(super) fn is_empty(&self) -> bool {
        self.state().known.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use store::{ExecutionId, WorkflowId};

    use super::*;

    const A: Task = Task::Next(WorkflowId(1));
    const B: Task = Task::Next(WorkflowId(2));
    const C: Task = Task::This(ExecutionId(1));

    #[tokio::test]
    async fn tasks_are_in_line_once_and_served_in_order() {
        let line = Line::default();
        for task in [A, B, A, C, B] {
            line.push(task);
        }
        assert_eq!([line.take().await, line.take().await, line.take().await], [A, B, C]);
        for task in [A, B, C] {
            assert!(!line.is_empty());
            line.done(task, false);
        }
        assert!(line.is_empty());
    }

    #[tokio::test]
    async fn a_running_task_goes_to_the_back_if_there_is_more() {
        let line = Line::default();
        line.push(A);
        line.push(B);
        assert_eq!(line.take().await, A);
        line.push(A);
        line.done(A, false);
        assert_eq!([line.take().await, line.take().await], [B, A]);
        line.done(B, true);
        line.done(A, false);
        assert_eq!(line.take().await, B);
        line.done(B, false);
        assert!(line.is_empty());
    }
}
