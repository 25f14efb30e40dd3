//! Tests of the judgement.

use serde_json::json;

use super::*;

fn seen(kinds: [Kind; 4]) -> Seen {
    Seen {
        kubernetes: Some("v1.36.3".into()),
        kinds: kinds.into(),
        told: Some("v2.3.0".into()),
        hidden: false,
        patches: Some(true),
        legacy: None,
    }
}

const ALL: [Kind; 4] = [Kind::Served, Kind::Served, Kind::Served, Kind::Served];

#[test]
fn releases_are_read_from_all_their_spellings() {
    for (version, want) in [
        ("v1.36.3", Some((1, 36))),
        ("v1.31.0-gke.1234000", Some((1, 31))),
        ("v1.30.5-eks-ce1d5eb", Some((1, 30))),
        ("1.31+", Some((1, 31))),
        ("v2.3.0-rc.1", Some((2, 3))),
        ("2.2 or later", Some((2, 2))),
        ("dev", None),
        ("", None),
    ] {
        assert_eq!(release(version), want, "{version}");
    }
}

#[test]
fn a_complete_cluster_is_compatible() {
    let answer = seen(ALL).judge();
    assert!(answer.compatible && answer.warnings.is_empty() && answer.not_seen.is_empty());
    assert_eq!(answer.checks.len(), 6);
    assert!(answer.checks.iter().all(|check| check.fix.is_none()));
    let own_build = Seen {
        told: Some("dev".into()),
        ..seen(ALL)
    }
    .judge();
    assert!(own_build.compatible);
}

#[test]
fn what_is_missing_or_old_comes_with_its_fix() {
    let failed = |seen: Seen| -> Vec<(String, String)> {
        let answer = seen.judge();
        assert!(!answer.compatible);
        let checks = answer.checks.into_iter().filter(|check| !check.ok);
        checks
            .map(|check| (check.name, check.fix.unwrap_or_default()))
            .collect()
    };
    let bare = Seen {
        told: None,
        patches: None,
        ..seen([Kind::Missing, Kind::Missing, Kind::Missing, Kind::Missing])
    };
    assert_eq!(
        failed(bare),
        KINDS.map(|(name, _)| (name.to_owned(), INSTALL.to_owned()))
    );
    let old = Seen {
        kubernetes: Some("v1.30.9".into()),
        ..seen(ALL)
    };
    assert_eq!(
        failed(old),
        [("Kubernetes".to_owned(), "upgrade the cluster".to_owned())]
    );
    let other = seen([Kind::Other("v1".into()), Kind::Served, Kind::Served, Kind::Served]);
    assert_eq!(failed(other)[0].1, UPGRADE);
    let no_rights = seen([Kind::Unknown, Kind::Unknown, Kind::Unknown, Kind::Unknown]);
    assert_eq!(failed(no_rights), [(KINDS[0].0.to_owned(), RIGHTS.to_owned())]);
}

#[test]
fn an_old_trainer_is_a_warning_and_its_version_is_inferred() {
    let old = Seen {
        told: None,
        patches: Some(false),
        ..seen(ALL)
    }
    .judge();
    assert_eq!(
        (old.compatible, old.versions.trainer.as_deref(), old.warnings.len()),
        (true, Some("2.0 or 2.1"), 1)
    );
    let told = Seen {
        told: Some("v2.1.0".into()),
        patches: None,
        ..seen(ALL)
    }
    .judge();
    assert_eq!(told.warnings.len(), 1);
    let silent = Seen {
        told: None,
        patches: Some(true),
        ..seen(ALL)
    }
    .judge();
    assert_eq!(
        (silent.versions.trainer.as_deref(), silent.warnings.len()),
        (Some("2.2 or later"), 0)
    );
}

#[test]
fn a_version_with_a_product_brings_its_advice() {
    let answer = |version: &str| {
        let seen = Seen {
            kubernetes: Some(version.into()),
            ..seen(ALL)
        };
        kf_mcp_core::Answer::of(&seen.judge(), jiff::Timestamp::UNIX_EPOCH)
            .unwrap()
            .text
    };
    let told = answer("v1.31.0-gke.1234000");
    assert!(
        told.contains("platform: Google GKE (by the version v1.31.0-gke.1234000)"),
        "{told}"
    );
    assert!(!answer("v1.36.3").contains("platform"));
}

#[test]
fn without_the_right_to_definitions_the_rest_is_not_seen() {
    let answer = seen([Kind::Served, Kind::Unknown, Kind::Unknown, Kind::Unknown]).judge();
    assert_eq!((answer.compatible, answer.not_seen.len()), (true, 3));
}

#[test]
fn definitions_say_what_is_served_and_which_fields_there_are() {
    let crd: Crd = serde_json::from_value(json!({"spec": {"versions": [
        {"name": "v1alpha1", "served": true, "schema": {"openAPIV3Schema": {"type": "object", "properties": {
            "apiVersion": {"type": "string"},
            "spec": {"properties": {"runtimePatches": {"type": "array"}, "suspend": {"type": "boolean"}}}}}}},
        {"name": "v1", "served": false}]}}))
    .unwrap();
    assert_eq!(
        (crd.serves("v1alpha1"), crd.serves("v1")),
        (Kind::Served, Kind::Other("v1alpha1".into()))
    );
    assert_eq!(
        (crd.has("runtimePatches"), crd.has("podSpecOverrides")),
        (Some(true), Some(false))
    );
    let bare: Crd =
        serde_json::from_value(json!({"spec": {"versions": [{"name": "v1alpha1", "served": true}]}})).unwrap();
    assert_eq!(
        (bare.serves("v1alpha1"), bare.has("runtimePatches")),
        (Kind::Served, None)
    );
}
