//! Rows as a real server makes them. tests/fixtures/tables.json holds objects and rows of kube-apiserver 1.36.3, the
//! objects without the fields that no cell shows.

use super::*;

fn recorded() -> Value {
    serde_json::from_str(include_str!("../../tests/fixtures/tables.json")).unwrap()
}

/// A store with the definitions of the Trainer and JobSet as they are installed.
fn store() -> Store {
    let mut store = Store::new();
    for (name, columns) in [
        (
            "trainjobs.trainer.kubeflow.org",
            crate::scenario::printer_columns("TrainJob"),
        ),
        ("jobsets.jobset.x-k8s.io", crate::scenario::printer_columns("JobSet")),
        ("clustertrainingruntimes.trainer.kubeflow.org", None),
    ] {
        let versions: Vec<Value> = ["v1alpha1", "v1alpha2"]
            .into_iter()
            .map(|version| json!({"name": version, "additionalPrinterColumns": columns}))
            .collect();
        let definition = json!({"metadata": {"name": name}, "spec": {"versions": versions}});
        store
            .create(
                Kind::named("CustomResourceDefinition").unwrap(),
                definition,
                Timestamp::UNIX_EPOCH,
            )
            .unwrap();
    }
    store
}

#[test]
fn rows_are_those_of_a_real_server() {
    let (recorded, store) = (recorded(), store());
    for row in list(&recorded, "/rows") {
        let printer = Printer::new(&store, Kind::named(at(row, "/kind")).unwrap());
        let made = printer.row(&row["object"], at(row, "/now").parse().unwrap());
        assert_eq!(json!(made.cells), row["cells"], "{}", row["object"]);
        assert_eq!(made.conditions.as_ref(), row.get("conditions"), "{}", row["object"]);
        assert_eq!(made.cells.len(), printer.columns().as_array().unwrap().len());
    }
}

#[test]
fn columns_of_custom_kinds_are_those_of_a_real_server() {
    let (recorded, store) = (recorded(), store());
    for (kind, columns) in recorded["columns"].as_object().unwrap() {
        let printer = Printer::new(&store, Kind::named(kind).unwrap());
        assert_eq!(printer.columns(), columns, "{kind}");
    }
}

#[test]
fn all_kinds_have_a_row_of_their_columns() {
    let store = Store::new();
    for kind in crate::kinds::KINDS {
        let printer = Printer::new(&store, kind);
        let row = printer.row(&json!({}), Timestamp::UNIX_EPOCH);
        assert_eq!(
            row.cells.len(),
            printer.columns().as_array().unwrap().len(),
            "{}",
            kind.kind
        );
    }
}
