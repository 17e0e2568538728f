//! The rounds of a loop.

use serde_json::json;
use store::{JobId, JobStatus};

use super::{
    Walk,
    branches::Walked,
    history::{Place, meta},
    line::{Left, Line, Mode},
    node::{failure, passable},
};
use crate::{
    EngineError,
    nodes::{Admission, NodeResult, OnFailure, Rounds},
};

impl Walk<'_> {
    /// Walks the first branch of a loop once for each item.
    pub(super) async fn rounds(
        &self,
        line: &mut Line,
        index: usize,
        owner: JobId,
        rounds: &Rounds,
    ) -> Result<Walked, EngineError> {
        let key = self.plan.node(index).row.key.clone();
        let depth = line.rounds.len();
        let walked = self.rounds_of(line, index, owner, rounds).await;
        line.rounds.truncate(depth);
        line.scope.set_surrounding(&key, None);
        walked
    }

    async fn rounds_of(
        &self,
        line: &mut Line,
        index: usize,
        owner: JobId,
        rounds: &Rounds,
    ) -> Result<Walked, EngineError> {
        let key = &self.plan.node(index).row.key;
        let (branch, first) = match self.plan.branches(index).first() {
            Some((branch, first)) => (*branch, Some(*first)),
            None => (0, None),
        };
        let depth = line.rounds.len();
        let last_round = line.history.last_round(owner);
        let (mut looped, mut broken) = (0_usize, false);
        for item in 0..rounds.len() {
            let round = item as u64;
            line.rounds.truncate(depth);
            line.rounds.push(round);
            line.enter(Place { owner: Some(owner), round }, meta(branch, round));
            line.scope.set_surrounding(key, Some(rounds.variables(item)));
            match self.admission(line, rounds, first, last_round).await {
                Ok(Admission::Run) => {}
                Ok(Admission::Skip) => continue,
                Ok(Admission::Over) => break,
                Err(error) => return Ok(Walked::done(failure(&passable(error)?))),
            }
            let left = self.line(line, first).await?;
            looped += 1;
            let verdict = match left {
                Left::Through => continue,
                Left::Broken(status) => status,
                Left::Ends(status) => return Ok(Walked::ends(status, json!({"looped": looped, "broken": true}))),
                Left::Waits(_) | Left::Closed | Left::Stopped(_) => return Ok(Walked::left(left)),
            };
            match rounds.exit {
                OnFailure::Exit => {
                    return Ok(Walked::done(NodeResult::ended(verdict, json!({"looped": looped, "broken": true}))));
                }
                OnFailure::Break => {
                    broken = true;
                    break;
                }
                OnFailure::Continue => {}
            }
        }
        let result = json!({"looped": looped, "broken": broken});
        Ok(Walked::done(NodeResult::ended(JobStatus::Resolved, result)))
    }

    /// Whether a round is run. What was decided before holds: a round with jobs is run, one without before such a one is not.
    async fn admission(
        &self,
        line: &Line,
        rounds: &Rounds,
        first: Option<usize>,
        last_round: Option<u64>,
    ) -> Result<Admission, crate::nodes::NodeError> {
        let first = first.map(|index| self.plan.node(index).row.id);
        if first.is_some_and(|node| line.history.job(line.place, node).is_some()) {
            return Ok(Admission::Run);
        }
        match (last_round, line.mode) {
            (Some(last), _) if line.place.round < last => Ok(Admission::Skip),
            (_, Mode::Recall) => Ok(Admission::Over),
            (_, Mode::Run) => rounds.admits(&self.processor.expressions, &line.scope).await,
        }
    }
}
