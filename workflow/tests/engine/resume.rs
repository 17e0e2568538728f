//! Jobs that are ended from outside, and what becomes of their executions.

use serde_json::{Value, json};
use store::{ExecutionStatus, JobId, JobStatus, StoreError};
use workflow::EngineError;

use crate::harness::{Harness, log, node};

/// A workflow that waits for ten minutes, or until somebody ends its first job.
async fn waiting(harness: &Harness) -> (store::ExecutionId, JobId) {
    let workflow = harness
        .workflow(vec![
            node("delay", json!({"unit": 60_000, "duration": 10})),
            node("calculation", json!({"expression": "1"})),
            log("after"),
        ])
        .await;
    let outcome = harness.run(&workflow, json!({})).await;
    assert_eq!(outcome.status, ExecutionStatus::Started);
    (outcome.id, harness.jobs(outcome.id).await[0].id)
}

#[test_database::test]
async fn an_execution_goes_on_from_a_job_that_is_ended_from_outside() {
    let harness = Harness::new().await;
    let (id, job) = waiting(&harness).await;
    harness.engine.resume_job(job, JobStatus::Resolved, json!({"approved": true})).await.unwrap();
    harness.until(id, ExecutionStatus::Resolved).await;
    let jobs = harness.jobs(id).await;
    assert_eq!((jobs.len(), jobs[0].status, &jobs[0].result), (3, JobStatus::Resolved, &json!({"approved": true})));
    assert_eq!(harness.logs().await, ["after"]);
}

#[test_database::test]
async fn a_job_that_ends_badly_ends_the_execution() {
    let harness = Harness::new().await;
    for (job_status, status) in [
        (JobStatus::Rejected, ExecutionStatus::Rejected),
        (JobStatus::Failed, ExecutionStatus::Failed),
        (JobStatus::Canceled, ExecutionStatus::Canceled),
    ] {
        let (id, job) = waiting(&harness).await;
        harness.engine.resume_job(job, job_status, Value::Null).await.unwrap();
        harness.until(id, status).await;
    }
    assert_eq!(harness.logs().await.len(), 0);
}

#[test_database::test]
async fn a_job_is_ended_once() {
    let harness = Harness::new().await;
    let (id, job) = waiting(&harness).await;
    let (first, second) = tokio::join!(
        harness.engine.resume_job(job, JobStatus::Resolved, json!(1)),
        harness.engine.resume_job(job, JobStatus::Rejected, json!(2)),
    );
    // Transactions that run beside each other come to the job in any order.
    let (late, status, result) = match first {
        Ok(()) => (second, ExecutionStatus::Resolved, json!(1)),
        late => {
            second.unwrap();
            (late, ExecutionStatus::Rejected, json!(2))
        }
    };
    assert!(matches!(late, Err(EngineError::Store(StoreError::IllegalMove { .. }))), "{late:?}");
    harness.until(id, status).await;
    assert_eq!(harness.jobs(id).await[0].result, result);
}

#[test_database::test]
async fn illegal_moves_are_errors() {
    let harness = Harness::new().await;
    let (id, job) = waiting(&harness).await;
    let pending = harness.engine.resume_job(job, JobStatus::Pending, Value::Null).await;
    assert!(matches!(pending, Err(EngineError::Store(StoreError::IllegalMove { what: "job", .. }))), "{pending:?}");
    let unknown = harness.engine.resume_job(JobId(1), JobStatus::Resolved, Value::Null).await;
    assert!(matches!(unknown, Err(EngineError::NotFound)), "{unknown:?}");
    harness.engine.cancel(id).await.unwrap();
    let ended = harness.engine.resume_job(job, JobStatus::Resolved, Value::Null).await.unwrap_err();
    assert_eq!(ended.to_string(), "execution cannot go from aborted to started");
    assert_eq!(harness.jobs(id).await[0].status, JobStatus::Aborted);
}

#[test_database::test]
async fn a_resumed_execution_goes_on_after_a_crash() {
    let mut harness = Harness::new().await;
    let (id, job) = waiting(&harness).await;
    harness.engine.shutdown(std::time::Duration::ZERO).await;
    harness.engine.resume_job(job, JobStatus::Resolved, Value::Null).await.unwrap();
    assert_eq!(harness.status(id).await, ExecutionStatus::Started);
    harness.restart().await;
    harness.until(id, ExecutionStatus::Resolved).await;
}
