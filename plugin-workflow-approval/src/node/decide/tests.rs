//! The decision against a model that counts, and each way an application can go.

use proptest::prelude::*;

use plugin_api::EarlierNode;

use super::*;

fn config(values: Value) -> Config {
    let (mut whole, Value::Object(values)) = (json!({"title": "t"}), values) else { panic!("an object") };
    whole.as_object_mut().expect("an object").extend(values);
    serde_json::from_value(whole).expect("a configuration")
}

/// A host with one node, which is asked as the engine asks it.
struct Asking {
    config: Config,
    progress: Progress,
    step: Step,
}

impl Asking {
    fn begin(values: Value, people: usize) -> Self {
        let config = config(values);
        let people = (1..=people as i64).map(UserId).collect();
        let progress = Progress { people, applicant: Some(UserId(99)), ..Progress::default() };
        let step = step(&config, &progress).expect("a step");
        let mut asking = Self { config, progress, step };
        asking.give();
        asking
    }

    fn give(&mut self) {
        let Step::Wait { close, ask, .. } = &self.step else { return };
        if *close {
            self.progress.tasks.iter_mut().filter(|task| task.action.is_none()).for_each(|task| task.closed = true);
        }
        for ask in ask {
            let task = |user: &UserId| TaskProgress {
                user: *user,
                round: ask.round,
                action: None,
                closed: false,
                values: Map::new(),
                comment: None,
                decided_at: None,
                return_to: None,
            };
            self.progress.tasks.extend(ask.users.iter().map(task));
        }
    }

    fn open(&self) -> Vec<i64> {
        let open = self.progress.tasks.iter().filter(|task| task.action.is_none() && !task.closed);
        open.map(|task| task.user.0).collect()
    }

    fn answer(&mut self, user: i64, action: TaskAction) {
        let answered = self.progress.tasks.iter().filter(|task| task.action.is_some()).count();
        let mut open = self.progress.tasks.iter_mut().filter(|task| task.action.is_none() && !task.closed);
        let task = open.find(|task| task.user == UserId(user)).expect("an open task");
        task.action = Some(action);
        task.decided_at = Some(format!("{answered:03}"));
        task.values.insert(format!("{action:?}"), user.into());
        self.step = step(&self.config, &self.progress).expect("a step");
        self.give();
    }

    fn withdraw(&mut self) -> Result<(), String> {
        let progress = Progress { withdraws: true, ..self.progress.clone() };
        self.step = step(&self.config, &progress).map_err(|error| error.message)?;
        Ok(())
    }

    /// How it ended: outcome, ending, branch.
    fn ended(&self) -> Option<(Standing, Ending, Option<i64>)> {
        match &self.step {
            Step::End { standing, ending, branch, .. } => Some((*standing, *ending, *branch)),
            Step::Wait { .. } | Step::Back { .. } => None,
        }
    }
}

/// What approvals and rejections come to, counted plainly.
fn model(mode: &str, needed: usize, people: usize, answers: &[bool]) -> Option<bool> {
    let yes = answers.iter().filter(|yes| **yes).count();
    let no = answers.len() - yes;
    match mode {
        "any" => answers.first().copied(),
        "all" | "sequential" if no > 0 => Some(false),
        "all" | "sequential" => (yes == people).then_some(true),
        _ if yes >= needed => Some(true),
        _ => (people - no < needed).then_some(false),
    }
}

proptest! {
    #[test]
    fn a_decision_falls_when_the_model_says_so_and_as_it_says(
        people in 1_usize..7,
        mode in prop::sample::select(vec!["any", "all", "count", "percent", "sequential"]),
        share in 1_usize..101,
        answers in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>()), 7),
    ) {
        let (needed, values) = match mode {
            "count" => {
                let count = (share - 1) % people + 1;
                (count, json!({"mode": "share", "count": count}))
            }
            // In whole numbers, so that the model does not round as the decision does.
            "percent" => ((people * share).div_ceil(100), json!({"mode": "share", "percent": share})),
            other => (0, json!({"mode": other})),
        };
        let mut asking = Asking::begin(values, people);
        let mut said = Vec::new();
        for (yes, who) in answers {
            let expected = model(mode, needed, people, &said);
            let decided = asking.ended().map(|(standing, ..)| standing == Standing::Approved);
            prop_assert_eq!(decided, expected, "{} of {}: {:?}", mode, people, said);
            if decided.is_some() {
                break;
            }
            let open = asking.open();
            if mode == "sequential" {
                prop_assert_eq!(&open, &vec![said.len() as i64 + 1], "one at a time, in order");
            } else {
                prop_assert_eq!(open.len(), people - said.len());
            }
            asking.answer(open[who.index(open.len())], if yes { TaskAction::Approve } else { TaskAction::Reject });
            said.push(yes);
        }
        prop_assert!(asking.ended().is_some(), "everybody has answered: {:?}", said);
    }
}

#[test]
fn a_rejection_ends_the_execution_or_takes_its_branch() {
    let ended = |outcome: &str, action: TaskAction| {
        let mut asking = Asking::begin(json!({"outcome": outcome}), 1);
        asking.answer(1, action);
        asking.ended().expect("an end")
    };
    assert_eq!(ended("direct", TaskAction::Approve), (Standing::Approved, Ending::Resolved, None));
    assert_eq!(ended("direct", TaskAction::Reject), (Standing::Rejected, Ending::Rejected, None));
    assert_eq!(ended("branch", TaskAction::Approve), (Standing::Approved, Ending::Resolved, Some(1)));
    assert_eq!(ended("branch", TaskAction::Reject), (Standing::Rejected, Ending::Resolved, Some(0)));
}

#[test]
fn what_is_returned_goes_to_the_applicant_who_hands_it_in_once_more() {
    let mut asking = Asking::begin(json!({"mode": "all"}), 2);
    asking.answer(1, TaskAction::Approve);
    asking.answer(2, TaskAction::Return);
    assert_eq!(asking.open(), [99]);
    assert!(matches!(asking.step, Step::Wait { standing: Standing::Returned, .. }), "{:?}", asking.step);
    asking.answer(99, TaskAction::Resubmit);
    assert_eq!(asking.open(), [1, 2], "everybody once more");
    assert_eq!(asking.progress.tasks.last().map(|task| task.round), Some(2));
    asking.answer(2, TaskAction::Approve);
    assert_eq!(asking.ended(), None, "the first round does not count");
    asking.answer(1, TaskAction::Approve);
    assert_eq!(asking.ended(), Some((Standing::Approved, Ending::Resolved, None)));
    let Step::End { result, .. } = &asking.step else { panic!("{:?}", asking.step) };
    assert_eq!((&result["outcome"], &result["submission"]), (&json!("approved"), &json!({"Resubmit": 99})));
    assert_eq!(result["values"], json!({"Approve": 1}), "later ones over earlier ones");
    let told: Vec<_> = result["decisions"].as_array().into_iter().flatten().map(|it| it["action"].clone()).collect();
    assert_eq!(told, ["approve", "return", "resubmit", "approve", "approve"]);
}

#[test]
fn a_return_may_have_a_branch() {
    let mut asking = Asking::begin(json!({"outcome": "branch", "onReturn": "continue"}), 2);
    asking.answer(2, TaskAction::Return);
    assert_eq!(asking.ended(), Some((Standing::Returned, Ending::Resolved, Some(2))));
}

#[test]
fn an_applicant_withdraws_as_configured() {
    let over = (Standing::Withdrawn, Ending::Canceled, None);
    let mut fresh = Asking::begin(json!({}), 2);
    assert_eq!((fresh.withdraw(), fresh.ended()), (Ok(()), Some(over)));

    let decided = |withdraw: &str| {
        let mut asking = Asking::begin(json!({"mode": "all", "withdraw": withdraw}), 2);
        asking.answer(1, TaskAction::Approve);
        asking
    };
    let late = "somebody has decided already: this application can no longer be withdrawn";
    assert_eq!(decided("undecided").withdraw(), Err(late.to_owned()));
    assert_eq!(decided("never").withdraw(), Err("this application cannot be withdrawn".to_owned()));
    let mut always = decided("always");
    assert_eq!((always.withdraw(), always.ended()), (Ok(()), Some(over)));

    let mut returned = decided("undecided");
    returned.answer(2, TaskAction::Return);
    returned.answer(99, TaskAction::Withdraw);
    assert_eq!(returned.ended(), Some(over));
}

#[test]
fn nothing_can_be_returned_to_nobody() {
    let progress = Progress { people: vec![UserId(1)], ..Progress::default() };
    let error = step(&config(json!({})), &progress).expect_err("nobody");
    assert_eq!(error.message, "nobody has applied: leave \"return\" out of the actions");
    assert!(step(&config(json!({"actions": ["approve", "reject"]})), &progress).is_ok());
}

#[test]
fn a_share_that_makes_no_sense_is_told() {
    let check = |values: Value, want: &str| {
        let mut config = config(values);
        config.mode = Mode::Share;
        let progress = Progress { people: vec![UserId(1)], applicant: Some(UserId(9)), ..Progress::default() };
        assert_eq!(step(&config, &progress).expect_err("no sense").message, want);
    };
    check(json!({"percent": 0}), "\"percent\" must be above 0 and at most 100");
    check(json!({"percent": 101}), "\"percent\" must be above 0 and at most 100");
    check(json!({"count": 1.5}), "\"count\" must be a whole number from 1");
    check(json!({"count": 2}), "2 approvals are asked for, and there are 1 assignees");
    check(json!({}), "the mode \"share\" needs either \"percent\" or \"count\"");
}

#[test]
fn a_return_goes_back_as_far_as_is_configured() {
    let check = |config: Value, earlier: &[&str], named: Option<&str>, want: Result<&str, &str>| {
        let mut asking = Asking::begin(config.clone(), 1);
        asking.progress.earlier =
            earlier.iter().map(|key| EarlierNode { key: (*key).to_owned(), title: String::new() }).collect();
        let task = &mut asking.progress.tasks[0];
        (task.action, task.return_to) = (Some(TaskAction::Return), named.map(str::to_owned));
        let got = match step(&asking.config, &asking.progress) {
            Ok(Step::Back { to, result }) => {
                assert_eq!(result["outcome"], "returned");
                Ok(to)
            }
            Ok(Step::Wait { standing: Standing::Returned, .. }) => Ok("the applicant".to_owned()),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.message),
        };
        let want = want.map(str::to_owned).map_err(str::to_owned);
        assert_eq!(got, want, "{config} {earlier:?} {named:?}");
    };
    let (start, previous, any) = (json!({}), json!({"returnTo": "previous"}), json!({"returnTo": "any"}));
    check(start.clone(), &["a", "b"], None, Ok("the applicant"));
    check(start, &["a"], Some("a"), Err("\"returnTo\" must be one of [], not \"a\""));
    check(previous.clone(), &["a", "b"], None, Ok("b"));
    check(previous.clone(), &["a", "b"], Some("b"), Ok("b"));
    check(previous.clone(), &["a", "b"], Some("a"), Err("\"returnTo\" must be one of [\"b\"], not \"a\""));
    check(previous, &[], None, Ok("the applicant"));
    check(any.clone(), &["a", "b"], None, Ok("the applicant"));
    check(any.clone(), &["a", "b"], Some("a"), Ok("a"));
    check(any, &["a"], Some("x"), Err("\"returnTo\" must be one of [\"a\"], not \"x\""));
}
