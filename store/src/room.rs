//! Stack for futures that hold each other, one within another: a few of them are more than a thread's stack holds, and an
//! overflow is the end of the process.

use std::{future::poll_fn, pin::pin};

/// Bytes of stack that a future is sure to have, without those within it: twice what the largest takes when it is not optimized.
const ROOM: usize = 1024 * 1024;
/// Bytes of stack that it gets if it has less.
const MORE_ROOM: usize = 4 * 1024 * 1024;

/// Lets a future have the stack that it needs.
pub async fn with_room<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|context| stacker::maybe_grow(ROOM, MORE_ROOM, || future.as_mut().poll(context))).await
}
