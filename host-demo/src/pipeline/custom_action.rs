//! A button that is about no record: starts the workflows that the request names with what the caller sends.
//!
//! A button that is about records goes the way of all actions ([`super::action::WriteAction::Trigger`]).

use std::sync::Arc;

use futures::future::BoxFuture;
use plugin_api::{Action, CollectionRef, Firing, Phase};
use serde_json::{Value, json};
use store::{Conn, Tx};
use tracing::Instrument as _;

use super::{
    action::require_bindings,
    asker::{Asker, Curiosity, startable},
    button::Bound,
    explain::{self, Considered, Reason},
    post_action::{self, Start, Starts},
    verdict::{self, Done},
};
use crate::{
    access::{RequestContext, Right},
    host::Host,
    http::{
        answer::{Answer, Reply},
        body::Values,
        error::ApiError,
        params::Params,
    },
    plugins::HookAnswer,
};

/// Starts the workflows named.
///
/// # Errors
///
/// 403 without the right to `trigger` on `workflows`, 400 if nothing is named or started, and the verdict of a synchronous
/// workflow.
pub(crate) async fn trigger_without_records(
    host: &Arc<Host>,
    context: &RequestContext,
    params: Params,
    values: Values,
) -> Result<Reply, ApiError> {
    let curiosity = params.curiosity;
    if curiosity != Curiosity::Silent {
        context.role().require_manager()?;
    }
    context.role().permit(host.store.schema().collection("workflows")?, Right::Trigger)?;
    require_bindings(&params)?;
    let data = match values {
        Values::Nothing => json!({}),
        Values::One(values) => Value::Object(values),
        Values::Many(items) => items.into(),
    };
    let asker = Asker::new(host, bound(params)?, context, curiosity);
    let claim = host.engine.claim();
    let span = tracing::Span::current();
    let done = host
        .store
        .write(move |tx: &mut Tx| -> BoxFuture<'_, Result<Done, ApiError>> {
            let work = async move {
                let starts = starts(tx, &asker, &data).await?;
                if starts.executions.is_empty() {
                    return Err(nothing_done());
                }
                let queued = post_action::enqueue(tx, starts.executions, Some(&claim), None).await?;
                Ok(Done { answer: Answer::Empty, queued, considered: starts.considered })
            };
            Box::pin(work.instrument(span))
        })
        .await?;
    verdict::conclude(host, done, Vec::new(), curiosity).await
}

/// Tells the workflows that would be considered, and what would become of them.
pub(super) async fn foresee(
    host: &Arc<Host>,
    context: &RequestContext,
    params: Params,
) -> Result<Vec<Considered>, ApiError> {
    let curiosity = params.curiosity;
    let asker = Asker::new(host, bound(params)?, context, curiosity);
    let mut conn = host.store.read().await?;
    Ok(starts(&mut conn, &asker, &Value::Null).await?.considered)
}

/// What the request names. Buttons belong to a collection, and this is about none.
fn bound(params: Params) -> Result<Bound, ApiError> {
    match params.button {
        None => Ok(Bound::to_request(params.trigger_workflows)),
        Some(_) => Err(ApiError::invalid(
            "WRONG_BUTTON",
            "a button belongs to a collection, press it with \"<collection>:trigger\"",
        )),
    }
}

/// A button that starts nothing is broken: whoever presses it is told, unlike after an action that was done anyway.
pub(super) fn nothing_done() -> ApiError {
    ApiError::Refused("No action done, please contact the administrator".to_owned())
}

async fn starts(conn: &mut Conn, asker: &Asker, data: &Value) -> Result<Starts, ApiError> {
    let mut starts = Starts::default();
    let mut skips = Vec::new();
    let answers = asker.ask(conn, Phase::After, Action::Trigger, CollectionRef::none())?;
    for HookAnswer { plugin, result, .. } in answers {
        // Faults are logged where they happen.
        let Ok(plan) = result else { continue };
        for firing in plan.firings {
            let Some(workflow) = startable(&asker.plugins, conn, &plugin, firing.workflow).await? else { continue };
            let id = workflow.id;
            let mut considered = Considered::wanted(&workflow.key, id, workflow.title, &firing.path);
            match refusal(asker, &firing) {
                Some(reason) => considered.refuse(reason),
                None => {
                    considered.fire(1);
                    let context = json!({"data": data, "user": asker.user, "roleName": asker.role});
                    let start =
                        Start { workflow: id, key: workflow.key, mode: firing.mode, context, stack: Vec::new() };
                    starts.executions.push(start);
                }
            }
            starts.considered.push(considered);
        }
        skips.extend(plan.skips.into_iter().map(Considered::skipped));
    }
    starts.considered.extend(skips);
    explain::settle(&mut starts.considered);
    if asker.curiosity != Curiosity::Silent {
        explain::complete(conn, &asker.plugins, CollectionRef::none(), &mut starts.considered).await?;
    }
    starts.considered.iter().for_each(Considered::trace);
    Ok(starts)
}

/// Why a firing cannot start without a record.
fn refusal(asker: &Asker, firing: &Firing) -> Option<Reason> {
    let plain = Firing::new(firing.workflow, firing.mode);
    if asker.curiosity == Curiosity::WhyNotFromNodes {
        Some(Reason::LoopGuard)
    } else if !firing.path.is_empty() {
        Some(Reason::UnknownPath)
    } else if *firing != plain {
        tracing::warn!(workflow = firing.workflow.0, "asks for a record where there is none, does not start");
        Some(Reason::NoRecord)
    } else {
        None
    }
}
