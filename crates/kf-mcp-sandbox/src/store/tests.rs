//! Versions, generations, owners and the order of lists.

use super::*;

fn job() -> &'static Kind {
    Kind::named("TrainJob").unwrap()
}

fn pod() -> &'static Kind {
    Kind::named("Pod").unwrap()
}

fn object(name: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "team-a"}, "spec": {"suspend": false}})
}

#[test]
fn generation_grows_with_the_spec_and_not_with_the_status() {
    let mut store = Store::new();
    let mut made = (*store.create(job(), object("a"), Timestamp::UNIX_EPOCH).unwrap()).clone();
    made["status"] = json!({"jobsStatus": []});
    let made = store.update_status(job(), made).unwrap();
    assert_eq!(made["metadata"]["generation"], 1);
    let mut next = (*made).clone();
    next["spec"]["suspend"] = json!(true);
    next["status"] = json!({"ignored": true});
    let next = store.update(job(), next).unwrap();
    assert_eq!(next["metadata"]["generation"], 2);
    assert_eq!(next["status"], json!({"jobsStatus": []}));
}

#[test]
fn an_old_resource_version_is_a_conflict() {
    let mut store = Store::new();
    let made = store.create(job(), object("a"), Timestamp::UNIX_EPOCH).unwrap();
    let mut first = (*made).clone();
    first["spec"]["suspend"] = json!(true);
    store.update(job(), first).unwrap();
    let mut late = (*made).clone();
    late["spec"]["extra"] = json!(1);
    assert_eq!(store.update(job(), late), Err(StoreError::Conflict));
}

#[test]
fn what_is_owned_goes_with_its_owner_unless_orphaned() {
    for (orphan, left) in [(false, 0), (true, 1)] {
        let mut store = Store::new();
        let owner = store.create(job(), object("a"), Timestamp::UNIX_EPOCH).unwrap();
        let mut owned = object("a-node-0");
        owned["metadata"]["ownerReferences"] = json!([{"uid": owner["metadata"]["uid"]}]);
        store.create(pod(), owned, Timestamp::UNIX_EPOCH).unwrap();
        store.delete(job(), "team-a", "a", orphan).unwrap();
        assert_eq!(store.count(pod(), None), left);
    }
}

#[test]
fn lists_go_on_after_a_name_and_stay_in_their_namespace() {
    let mut store = Store::new();
    for name in ["a", "b", "c"] {
        store.create(job(), object(name), Timestamp::UNIX_EPOCH).unwrap();
    }
    let mut other = object("d");
    other["metadata"]["namespace"] = json!("team-b");
    store.create(job(), other, Timestamp::UNIX_EPOCH).unwrap();
    let names = |it: &mut dyn Iterator<Item = &Arc<Value>>| it.map(|o| text(o, "/metadata/name")).collect::<Vec<_>>();
    assert_eq!(names(&mut store.list(job(), Some("team-a"))), ["a", "b", "c"]);
    assert_eq!(
        names(&mut store.list_after(job(), Some("team-a"), Some(("team-a", "b")))),
        ["c"]
    );
    assert_eq!(
        names(&mut store.list_after(job(), None, Some(("team-a", "b")))),
        ["c", "d"]
    );
}
