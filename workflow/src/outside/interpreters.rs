//! Threads for programs that people write: queries and scripts.
//!
//! Each runs on a thread of its own, because it takes its time and needs a stack of a known size. An interpreter watches its
//! own deadline; for the rare piece of work inside one that does not, the caller stops waiting a little later, and the place
//! stays taken until the thread is done.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Semaphore, oneshot},
    time::timeout,
};

/// Interpreters that run at the same time: they are bounded by the processor, so more would only take each other's time.
const PLACES: usize = 4;

/// How long to wait for a place: several times what all places take at most by themselves.
const QUEUE_TIME: Duration = Duration::from_secs(60);

/// How much later than its deadline an interpreter is given up.
const GRACE: Duration = Duration::from_secs(5);

/// What a program needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Needs {
    /// The name of its thread.
    pub(crate) thread_name: &'static str,
    /// The size of its stack. Memory is taken only where it is used.
    pub(crate) stack_bytes: usize,
    /// How long it will take at most, by its own watch.
    pub(crate) time: Duration,
}

/// Why a program did not come to an end of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InterpreterError {
    /// Too many others.
    #[error("there are too many queries and scripts at the moment")]
    Busy,
    /// The system gave no thread.
    #[error("there is no thread to run on at the moment")]
    NoThread,
    /// It does not watch its deadline.
    #[error("it did not end within {} ms", .0.as_millis())]
    Late(Duration),
    /// It panicked.
    #[error("the interpreter gave up")]
    GaveUp,
}

/// Runs programs.
#[derive(Debug)]
pub(crate) struct Interpreters {
    places: Arc<Semaphore>,
}

impl Default for Interpreters {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(PLACES)) }
    }
}

impl Interpreters {
    /// Runs a program. If the caller goes away, it runs to its end, and nobody hears of it.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        needs: Needs,
        program: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, InterpreterError> {
        let place = timeout(QUEUE_TIME, Arc::clone(&self.places).acquire_owned()).await;
        let Ok(Ok(place)) = place else { return Err(InterpreterError::Busy) };
        let (answer, answered) = oneshot::channel();
        std::thread::Builder::new()
            .name(needs.thread_name.to_owned())
            .stack_size(needs.stack_bytes)
            .spawn(move || {
                let result = program();
                drop(place);
                // Nobody may be waiting any more.
                let _ = answer.send(result);
            })
            .map_err(|_| InterpreterError::NoThread)?;
        match timeout(needs.time + GRACE, answered).await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(_)) => Err(InterpreterError::GaveUp),
            Err(_) => Err(InterpreterError::Late(needs.time + GRACE)),
        }
    }
}
