//! Seeing it run: live streams, metrics and spans, from outside.

mod metrics;
mod spans;
mod streams;
