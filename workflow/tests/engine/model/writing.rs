//! The engine's side: a generated tree as a stored workflow.

use std::collections::HashMap;

use serde_json::{Value, json};
use store::{NodeRow, WorkflowRow};

use super::Tree;
use crate::harness::{Harness, Node, Place, node, object};

/// The variable, and the node before an assignment, as they are written until their keys are known.
const VARIABLE: &str = "{{$jobsMapByNodeKey.VARIABLE}}";

/// Writes a line down, in the order in which the model numbers its nodes.
fn write(nodes: &[Tree], mut place: Place, out: &mut Vec<Node>) {
    for tree in nodes {
        let number = out.len();
        let is_below = |bound: &i64| json!({"engine": "cel", "expression": format!("{VARIABLE} < {bound}")});
        let add = |add: &i64| node("calculation", json!({"expression": format!("{VARIABLE} + ({add})")}));
        let mut last = number;
        let at = std::mem::replace(&mut place, Place::Next);
        let branches = |lines: &[Vec<Tree>], first: i64, out: &mut Vec<Node>| {
            for (line, branch) in lines.iter().zip(first..) {
                write(line, Place::Branch(number, branch), out);
            }
        };
        match tree {
            Tree::Calculation(value) => out.push(add(value).at(at)),
            Tree::Assign(value) => {
                out.push(add(value).at(at));
                let value = format!("{{{{$jobsMapByNodeKey.NODE{number}}}}}");
                out.push(node("variable", json!({"target": "VARIABLE", "value": value})).at(Place::Behind(number)));
                last = number + 1;
            }
            Tree::Delay => out.push(node("delay", json!({"duration": 0})).at(at)),
            Tree::Condition { bound, reject, no, yes } => {
                let mut config = is_below(bound);
                config["rejectOnFalse"] = json!(reject);
                out.push(node("condition", config).at(at));
                branches(&[no.clone(), yes.clone()], 0, out);
            }
            Tree::Multi { bounds, go_on, branches: lines } => {
                let conditions: Vec<Value> = bounds.iter().map(is_below).collect();
                let config = json!({"conditions": conditions, "continueOnNoMatch": go_on});
                out.push(node("multi-conditions", config).at(at));
                branches(lines, 0, out);
            }
            Tree::Loop { rounds, exit, below, go_on, body } => {
                let mut config = json!({"target": rounds, "exit": exit});
                if let Some(bound) = below {
                    config["condition"] = is_below(bound);
                    config["condition"]["continueOnFalse"] = json!(go_on);
                }
                out.push(node("loop", config).at(at));
                branches(std::slice::from_ref(body), 0, out);
            }
            Tree::Parallel { mode, branches: lines, winner: _ } => {
                out.push(node("parallel", json!({"mode": mode})).at(at));
                branches(lines, 1, out);
            }
            Tree::End(status) => out.push(node("end", json!({"endStatus": status})).at(at)),
            Tree::Hold => out.push(node("delay", json!({"unit": 3_600_000, "duration": 24})).at(at)),
            Tree::Refuse => out.push(node("condition", json!({"engine": "cel", "expression": "false"})).at(at)),
        }
        place = Place::Behind(last);
    }
}

/// Stores a generated workflow behind the declaration of the variable.
pub(super) async fn workflow(harness: &Harness, nodes: &[Tree]) -> (WorkflowRow, Vec<NodeRow>) {
    let mut written = vec![node("variable", json!({"value": 0}))];
    write(nodes, Place::Behind(0), &mut written);
    let (workflow, rows) = harness.workflow_with(json!({}), written).await;
    let keys: HashMap<String, String> =
        (0..).map(|number| format!("NODE{number}}}")).zip(rows.iter().map(|row| format!("{}}}", row.key))).collect();
    let changes: Vec<_> = rows
        .iter()
        .skip(1)
        .map(|row| {
            let mut config = row.config.to_string().replace("VARIABLE", &rows[0].key);
            for (name, key) in &keys {
                config = config.replace(name, key);
            }
            (row.id, object(json!({"config": serde_json::from_str::<Value>(&config).unwrap()})))
        })
        .collect();
    harness
        .write(move |tx| {
            Box::pin(async move {
                for (id, values) in changes {
                    tx.update_node(id, values).await?;
                }
                Ok(())
            })
        })
        .await;
    (workflow, rows)
}
