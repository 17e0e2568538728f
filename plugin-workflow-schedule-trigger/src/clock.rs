//! Which moments are due: those since everything was settled, as far as they are to be made up for.

use plugin_api::{ClockAnswer, ClockHandler, ClockQuestion, ClockWatch, PluginError};

use crate::{
    config::{Config, Missed, Mode},
    occurrences::Occurrences,
};

/// A moment that is longer ago than this was missed. A busy server may ask some seconds late; that is no reason to leave one out.
const PUNCTUAL_MS: i64 = 60_000;

/// Most moments that `all` makes up for at once.
const MADE_UP_MAX: usize = 100;

/// Most moments that can be punctual: they are whole seconds.
const PUNCTUAL_MAX: usize = (PUNCTUAL_MS / 1_000) as usize + 1;

/// The clock of workflows of type `schedule`.
pub(crate) struct ScheduleClock;

impl ClockHandler for ScheduleClock {
    type Config = Config;

    fn watch(&self, config: &Config) -> Result<Option<ClockWatch>, PluginError> {
        let Some(collection) = config.collection.clone().filter(|_| config.mode == Mode::Record) else {
            return Ok(None);
        };
        let fields = config.date_fields().into_iter().map(str::to_owned).collect();
        Ok(Some(ClockWatch { collection, fields, preloads: config.appends.clone() }))
    }

    fn due(&self, config: &Config, question: &ClockQuestion) -> Result<ClockAnswer, PluginError> {
        let left = config.limit.map(|limit| usize::try_from(limit.saturating_sub(question.runs)).unwrap_or(usize::MAX));
        if left == Some(0) {
            return Ok(ClockAnswer::default());
        }
        let Some(occurrences) = Occurrences::of(config, question.record.as_ref())? else {
            return Ok(ClockAnswer::default());
        };
        let mut due_ms = due(&occurrences, config.missed, question);
        due_ms.truncate(left.unwrap_or(usize::MAX));
        let goes_on = left.is_none_or(|left| due_ms.len() < left);
        Ok(ClockAnswer { due_ms, next_ms: occurrences.after(question.now_ms).filter(|_| goes_on) })
    }
}

fn due(occurrences: &Occurrences, missed: Missed, question: &ClockQuestion) -> Vec<i64> {
    let (now, settled) = (question.now_ms, question.settled_ms);
    let since = |from: i64, most: usize| -> Vec<i64> {
        let moments = std::iter::successors(occurrences.after(from), |moment| occurrences.after(*moment));
        moments.take_while(|moment| *moment <= now).take(most).collect()
    };
    let punctual = || since(settled.max(now.saturating_sub(PUNCTUAL_MS)), PUNCTUAL_MAX);
    match missed {
        Missed::Skip => punctual(),
        Missed::Once => {
            let punctual = punctual();
            if !punctual.is_empty() {
                return punctual;
            }
            // Where clocks are changed, looking back may find less than looking ahead.
            let first = occurrences.after(settled).filter(|first| *first <= now);
            first.map(|first| occurrences.until(now).map_or(first, |last| last.max(first))).into_iter().collect()
        }
        Missed::All => since(newest(occurrences, question), MADE_UP_MAX + PUNCTUAL_MAX),
    }
}

/// From where on there are not more moments than are made up for.
fn newest(occurrences: &Occurrences, question: &ClockQuestion) -> i64 {
    let mut from = question.now_ms;
    for _ in 0..MADE_UP_MAX {
        match occurrences.until(from) {
            Some(moment) if moment > question.settled_ms => from = moment - 1,
            Some(_) | None => return question.settled_ms,
        }
    }
    from
}

#[cfg(test)]
mod tests;
