use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const DAY_MS: i64 = 86_400_000;
/// A day before clocks are changed in Berlin.
const EVE_MS: i64 = 1_774_656_000_000;

fn config(config: Value) -> Config {
    serde_json::from_value(config).expect("a configuration")
}

fn ask(config: &Config, settled_ms: i64, now_ms: i64, runs: u64) -> ClockAnswer {
    let mut question = ClockQuestion::new(now_ms, settled_ms);
    question.runs = runs;
    ScheduleClock.due(config, &question).expect("an answer")
}

#[test]
fn missed_moments_are_passed_over_or_made_up_for() {
    let check = |missed: &str, now: i64, expected: &[i64]| {
        let config = config(json!({"startsOn": "1970-01-01", "repeat": 600_000, "missed": missed}));
        let answer = ask(&config, 0, now, 0);
        assert_eq!(answer.due_ms, expected, "{missed} at {now}");
        assert_eq!(answer.next_ms, Some(now / 600_000 * 600_000 + 600_000));
    };
    // Five minutes late, with two more before it; and right on time.
    check("skip", 2_100_000, &[]);
    check("once", 2_100_000, &[1_800_000]);
    check("all", 2_100_000, &[600_000, 1_200_000, 1_800_000]);
    for (missed, expected) in
        [("skip", &[1_800_000][..]), ("once", &[1_800_000]), ("all", &[600_000, 1_200_000, 1_800_000])]
    {
        check(missed, 1_800_001, expected);
    }
    let every_second = config(json!({"repeat": "* * * * * *", "missed": "all"}));
    let due = ask(&every_second, 0, DAY_MS, 0).due_ms;
    assert_eq!((due.len(), due.first(), due.last()), (100, Some(&(DAY_MS - 99_000)), Some(&DAY_MS)), "the latest ones");
}

#[test]
fn a_limit_counts_what_was_started() {
    let config = config(json!({"startsOn": "1970-01-01", "repeat": 1_000, "limit": 3}));
    let answer = ask(&config, 0, 2_000, 0);
    assert_eq!((answer.due_ms, answer.next_ms), (vec![1_000, 2_000], Some(3_000)));
    let answer = ask(&config, 2_000, 9_000, 2);
    assert_eq!((answer.due_ms, answer.next_ms), (vec![3_000], None));
    assert_eq!(ask(&config, 9_000, 20_000, 3), ClockAnswer::default());
}

#[test]
fn the_records_of_a_collection_are_watched_by_their_dates() {
    let by_record = config(json!({
        "mode": 1, "collection": "posts", "appends": ["category"],
        "startsOn": {"field": "from"}, "endsOn": {"field": "from", "offset": 7},
    }));
    let watch = ScheduleClock.watch(&by_record).expect("an answer").expect("a collection");
    assert_eq!((watch.collection.name(), &*watch.fields, watch.preloads.len()), ("posts", &["from".to_owned()][..], 1));
    assert_eq!(ScheduleClock.watch(&config(json!({"startsOn": "1970-01-01", "collection": "posts"}))), Ok(None));
    let mut question = ClockQuestion::new(EVE_MS + 1, EVE_MS - DAY_MS);
    question.record = json!({"from": "2026-03-28T00:00:00.000Z"}).as_object().cloned();
    let answer = ScheduleClock.due(&by_record, &question).expect("an answer");
    assert_eq!(answer, ClockAnswer { due_ms: vec![EVE_MS], next_ms: None });
    question.record = json!({"from": null}).as_object().cloned();
    assert_eq!(ScheduleClock.due(&by_record, &question), Ok(ClockAnswer::default()));
}

fn rhythms() -> impl Strategy<Value = Value> {
    let cron = prop_oneof![
        Just("* * * * *"),
        Just("*/7 * * * *"),
        Just("30 2 * * *"),
        Just("0 */2 * * *"),
        Just("15,45 1-3 * * *"),
        Just("0 30 2 * * SUN"),
    ];
    let zone = prop_oneof![Just("UTC"), Just("Europe/Berlin"), Just("America/New_York"), Just("Australia/Lord_Howe")];
    let by_cron = (cron, zone).prop_map(|(repeat, zone)| json!({"repeat": repeat, "timeZone": zone}));
    let by_interval = (60_000..7_200_000_i64).prop_map(|repeat| json!({"startsOn": "2026-03-01", "repeat": repeat}));
    prop_oneof![by_cron, by_interval]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whenever it is asked, also around a change of the clocks: each moment is due once, and it is known when to ask again.
    #[test]
    fn no_moment_is_skipped_or_doubled(
        settings in rhythms(),
        spring in any::<bool>(),
        steps in prop::collection::vec(1..5_000_000_i64, 1..60),
    ) {
        let mut settings = settings;
        settings["missed"] = json!("all");
        let config = config(settings);
        // Before the change of March, or of October.
        let begin = if spring { EVE_MS } else { EVE_MS + 210 * DAY_MS };
        let (mut now, mut settled, mut due) = (begin, begin, Vec::new());
        for step in steps {
            now += step;
            let answer = ask(&config, settled, now, due.len() as u64);
            due.extend(answer.due_ms);
            settled = now;
            let next = answer.next_ms.expect("it goes on");
            prop_assert!(next > now);
            prop_assert!(ask(&config, settled, next - 1, 0).due_ms.is_empty(), "nothing before it was to be asked");
            prop_assert_eq!(ask(&config, settled, next, 0).due_ms, vec![next]);
        }
        let occurrences = Occurrences::of(&config, None).expect("it is good").expect("moments");
        let moments = std::iter::successors(occurrences.after(begin), |moment| occurrences.after(*moment));
        let all: Vec<i64> = moments.take_while(|moment| *moment <= now).collect();
        prop_assert_eq!(due, all);
    }

    /// What `once` and `skip` start are moments that `all` would start.
    #[test]
    fn each_policy_starts_moments_of_the_schedule(settings in rhythms(), settled in 0..400_i64, gap in 1..5_000_000_i64) {
        let settled = EVE_MS + settled * 7_200_000;
        let asked = |missed: &str| {
            let mut settings = settings.clone();
            settings["missed"] = json!(missed);
            ask(&config(settings), settled, settled + gap, 0).due_ms
        };
        let (all, once, skip) = (asked("all"), asked("once"), asked("skip"));
        prop_assert!(once.iter().chain(&skip).all(|moment| all.contains(moment)), "{:?} {:?} {:?}", all, once, skip);
        prop_assert_eq!(all.is_empty(), once.is_empty());
    }
}
