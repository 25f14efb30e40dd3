//! The printer columns of the custom kinds, as their own CustomResourceDefinitions have them.

use serde_json::{Value, json};

/// `additionalPrinterColumns` of a kind; none for those that print their age alone.
pub(crate) fn printer_columns(kind: &str) -> Option<Value> {
    let string = |name: &str, path: &str| json!({"name": name, "type": "string", "jsonPath": path});
    let age = json!({"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"});
    let last = ".status.conditions[-1:].type";
    let katib = [string("Type", last), string("Status", ".status.conditions[-1:].status")];
    let columns = match kind {
        "TrainJob" | "PyTorchJob" | "TFJob" | "MPIJob" | "XGBoostJob" | "JAXJob" | "PaddleJob" => {
            vec![string("State", last), age]
        }
        "JobSet" => job_set(),
        "Experiment" | "Trial" => katib.into_iter().chain([age]).collect(),
        "Suggestion" => katib
            .into_iter()
            .chain([
                string("Requested", ".spec.requests"),
                string("Assigned", ".status.suggestionCount"),
                age,
            ])
            .collect(),
        _ => return None,
    };
    Some(Value::Array(columns))
}

fn job_set() -> Vec<Value> {
    let column = |name: &str, kind: &str, path: &str, description: &str| {
        let mut column = json!({"name": name, "type": kind, "jsonPath": path});
        if !description.is_empty() {
            column["description"] = json!(description);
        }
        column
    };
    let completed = ".status.conditions[?(@.type==\"Completed\")].status";
    vec![
        column(
            "TerminalState",
            "string",
            ".status.terminalState",
            "Final state of JobSet",
        ),
        column("Restarts", "string", ".status.restarts", "Number of restarts"),
        column("Completed", "string", completed, ""),
        column("Suspended", "string", ".spec.suspend", "JobSet suspended"),
        column(
            "Age",
            "date",
            ".metadata.creationTimestamp",
            "Time this JobSet was created",
        ),
    ]
}
