//! What the server tells of itself: discovery in both its forms, OpenAPI, health, and paths that lead nowhere.

use kube::core::discovery::Scope;
use serde_json::json;

use crate::support::*;

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// One GET with headers: code, answered headers and body.
async fn ask(client: &Client, path: &str, headers: &[(&str, &str)]) -> (u16, http::HeaderMap, String) {
    use http_body_util::BodyExt;
    let mut request = http::Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = client.send(request.body(Vec::new().into()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (
        parts.status.as_u16(),
        parts.headers,
        String::from_utf8(body.to_vec()).unwrap(),
    )
}

async fn json_of(client: &Client, path: &str, accept: &str) -> Value {
    serde_json::from_str(&ask(client, path, &[("accept", accept)]).await.2).unwrap()
}

#[tokio::test]
async fn discovery_tells_what_is_served() {
    let sandbox = sandbox();
    let client = sandbox.client();
    assert_eq!(client.apiserver_version().await.unwrap().git_version, "v1.36.3");
    let groups: Vec<_> = client
        .list_api_groups()
        .await
        .unwrap()
        .groups
        .into_iter()
        .map(|g| g.name)
        .collect();
    // the definitions of Katib are not there
    assert_eq!(
        groups,
        [
            "apps",
            "authentication.k8s.io",
            "authorization.k8s.io",
            "batch",
            "storage.k8s.io",
            "apiextensions.k8s.io",
            "resource.k8s.io",
            "trainer.kubeflow.org"
        ]
    );
    let resources = client
        .list_api_group_resources("trainer.kubeflow.org/v1alpha1")
        .await
        .unwrap()
        .resources;
    let names: Vec<_> = resources.iter().map(|r| r.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "clustertrainingruntimes",
            "trainingruntimes",
            "trainjobs",
            "trainjobs/status"
        ]
    );
    let core = client.list_core_api_resources("v1").await.unwrap().resources;
    assert!(core.iter().any(|r| r.name == "pods/log"));
    let pods = core.iter().find(|r| r.name == "pods").unwrap();
    assert_eq!(
        (pods.singular_name.as_str(), pods.short_names.as_deref()),
        ("pod", Some(&["po".to_owned()][..]))
    );
    // of a real server
    for (path, name, hash) in [
        ("/api/v1", "pods", "xPOwRZ+Yhw8="),
        ("/apis/batch/v1", "jobs", "mudhfqk/qZY="),
        ("/apis/trainer.kubeflow.org/v1alpha1", "trainjobs", "9Kb7D6SpiCQ="),
        (
            "/apis/apiextensions.k8s.io/v1",
            "customresourcedefinitions",
            "jfWCUB31mvA=",
        ),
    ] {
        let list = json_of(&client, path, "application/json").await;
        let found = list["resources"]
            .as_array()
            .unwrap()
            .iter()
            .find(|r| r["name"] == name)
            .unwrap();
        assert_eq!(found["storageVersionHash"], hash, "{name}");
    }
}

#[tokio::test]
async fn aggregated_discovery_is_one_document_with_a_tag() {
    let sandbox = sandbox();
    let client = sandbox.client();
    let (code, headers, body) = ask(&client, "/apis", &[("accept", AGGREGATED)]).await;
    assert_eq!((code, headers["content-type"].to_str().unwrap()), (200, AGGREGATED));
    assert_eq!(headers["cache-control"], "public");
    let body: Value = serde_json::from_str(&body).unwrap();
    let trainer = body["items"].as_array().unwrap().last().unwrap();
    // of a real server
    assert_eq!(
        trainer["versions"][0]["resources"][2],
        json!({
            "resource": "trainjobs",
            "responseKind": {"group": "trainer.kubeflow.org", "version": "v1alpha1", "kind": "TrainJob"},
            "scope": "Namespaced",
            "singularResource": "trainjob",
            "verbs": ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"],
            "subresources": [{
                "subresource": "status",
                "responseKind": {"group": "trainer.kubeflow.org", "version": "v1alpha1", "kind": "TrainJob"},
                "verbs": ["get", "patch", "update"],
            }],
        })
    );
    let core = json_of(&client, "/api", AGGREGATED).await;
    let resources = core["items"][0]["versions"][0]["resources"].as_array().unwrap();
    let namespaces = resources.iter().find(|r| r["resource"] == "namespaces").unwrap();
    assert_eq!(
        (
            &namespaces["responseKind"],
            &namespaces["verbs"],
            &namespaces["shortNames"]
        ),
        (
            &json!({"group": "", "version": "", "kind": "Namespace"}),
            &json!(["create", "delete", "get", "list", "patch", "update", "watch"]),
            &json!(["ns"])
        )
    );

    let tag = headers["etag"].to_str().unwrap().to_owned();
    let again = [("accept", AGGREGATED), ("if-none-match", tag.as_str())];
    let (code, headers, body) = ask(&client, "/apis", &again).await;
    assert_eq!(
        (code, headers["etag"].to_str().unwrap(), body.as_str()),
        (304, tag.as_str(), "")
    );
    let definition = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/trainjobs.trainer.kubeflow.org";
    raw(&client, "DELETE", definition, "", "").await;
    assert_eq!(ask(&client, "/apis", &again).await.0, 200);
}

#[tokio::test]
async fn a_client_gets_the_form_of_discovery_that_it_accepts() {
    let client = sandbox().client();
    let both = format!("{AGGREGATED},application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList");
    for (accept, kind) in [
        ("application/json", "APIGroupList"),
        ("*/*", "APIGroupList"),
        ("application/json;as=Foo,application/json", "APIGroupList"),
        (both.as_str(), "APIGroupDiscoveryList"),
        ("application/json;as=Foo", "Status"),
        (
            "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList",
            "Status",
        ),
        ("text/html", "Status"),
    ] {
        let answer = json_of(&client, "/apis", accept).await;
        assert_eq!(answer["kind"], kind, "{accept}");
        if kind == "Status" {
            assert_eq!(
                (&answer["code"], &answer["reason"]),
                (&json!(406), &json!("NotAcceptable"))
            );
        }
    }
    // both ways lead kube's own client to the same kinds
    let discovered = kube::discovery::Discovery::new(client.clone()).run().await.unwrap();
    let aggregated = kube::discovery::Discovery::new(client).run_aggregated().await.unwrap();
    for discovery in [discovered, aggregated] {
        let group = discovery.get("trainer.kubeflow.org").unwrap();
        let (resource, capabilities) = group.recommended_kind("TrainJob").unwrap();
        assert_eq!(
            (resource.plural.as_str(), capabilities.scope),
            ("trainjobs", Scope::Namespaced)
        );
    }
}

#[tokio::test]
async fn openapi_tells_which_options_a_patch_has_and_which_fields_a_kind() {
    let client = sandbox().client();
    let index = json_of(&client, "/openapi/v3", "application/json").await;
    let url = index["paths"]["apis/trainer.kubeflow.org/v1alpha1"]["serverRelativeURL"]
        .as_str()
        .unwrap();
    let (code, headers, body) = ask(&client, url, &[]).await;
    assert_eq!(
        (code, headers["cache-control"].to_str().unwrap()),
        (200, "public, immutable")
    );
    let document: Value = serde_json::from_str(&body).unwrap();
    let patch =
        &document["paths"]["/apis/trainer.kubeflow.org/v1alpha1/namespaces/{namespace}/trainjobs/{name}"]["patch"];
    assert_eq!(
        patch["x-kubernetes-group-version-kind"],
        json!({"group": "trainer.kubeflow.org", "version": "v1alpha1", "kind": "TrainJob"})
    );
    let names: Vec<_> = patch["parameters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| &p["name"])
        .collect();
    assert_eq!(names, ["dryRun", "fieldManager", "fieldValidation", "force"]);
    let schema = &document["components"]["schemas"]["org.kubeflow.trainer.v1alpha1.TrainJob"];
    let trainer = &schema["properties"]["spec"]["properties"]["trainer"]["properties"];
    assert_eq!(trainer["numNodes"]["type"], "integer");

    let path = url.split('?').next().unwrap();
    let (code, headers, _) = ask(&client, &format!("{path}?hash=OLD"), &[]).await;
    assert_eq!((code, headers["location"].to_str().unwrap()), (301, url));
    assert_eq!(ask(&client, "/openapi/v3/apis/nope/v1", &[]).await.0, 404);
    // all documents can be read, and name a schema for each of their kinds
    for path in index["paths"].as_object().unwrap().values() {
        let document = json_of(&client, path["serverRelativeURL"].as_str().unwrap(), "application/json").await;
        let text = document["paths"].to_string();
        for reference in text.split("#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(document["components"]["schemas"].get(name).is_some(), "{name}");
        }
    }
    assert_eq!(
        json_of(&client, "/openapi/v2", "application/json").await["swagger"],
        "2.0"
    );
    let protobuf = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
    assert_eq!(ask(&client, "/openapi/v2", &[("accept", protobuf)]).await.0, 406);
}

#[tokio::test]
async fn health_is_told_as_a_whole_and_in_parts() {
    let client = sandbox().client();
    for path in [
        "/healthz",
        "/livez",
        "/readyz",
        "/livez/ping",
        "/readyz/etcd?verbose",
        "/readyz?exclude=etcd",
    ] {
        assert_eq!(get(&client, path).await, (200, "ok".to_owned()), "{path}");
    }
    let (_, all) = get(&client, "/livez?verbose&exclude=etcd&exclude=nope").await;
    assert_eq!(
        all,
        "[+]ping ok\n[+]log ok\n[+]etcd excluded: ok\nwarn: some health checks cannot be excluded: no matches for \
         \"nope\"\nlivez check passed\n"
    );
    assert_eq!(
        get(&client, "/livez/nope").await,
        (404, "404 page not found\n".to_owned())
    );
}

#[tokio::test]
async fn unknown_paths_are_answered_as_a_real_server_does() {
    let client = sandbox().client();
    for path in [
        "/nope",
        "/openapi",
        "/livez/",
        "/apis/kubeflow.org",
        "/apis/kubeflow.org/v1beta1/namespaces/team-a/experiments",
        "/apis/trainer.kubeflow.org/v2",
        "/apis/trainer.kubeflow.org/v2/trainjobs",
        "/apis/trainer.kubeflow.org/v1alpha1/namespaces/team-a/clustertrainingruntimes",
    ] {
        assert_eq!(
            get(&client, path).await,
            (404, "404 page not found\n".to_owned()),
            "{path}"
        );
    }
    for path in [
        "/api/v2",
        "/apis/batch/v2",
        "/api/v1/namespaces/team-a/configmaps/a/status",
        "/api/v1/namespaces/team-a/nodes",
        "/api/v1/pods/x",
        "/api/v1/namespaces/team-a/pods/x/nope",
    ] {
        let (code, body) = get(&client, path).await;
        let status: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            (code, &status["message"]),
            (404, &json!("the server could not find the requested resource"))
        );
    }
    let (code, _, body) = raw(
        &client,
        "PUT",
        "/api/v1/namespaces/team-a/pods",
        "application/json",
        "{}",
    )
    .await;
    assert_eq!(code, 405);
    assert!(body.contains("MethodNotAllowed"), "{body}");
}

#[tokio::test]
async fn a_group_tells_all_its_versions_once() {
    let clock = kf_mcp_sandbox::Clock::manual(start());
    let client = Sandbox::named("legacy", clock).unwrap().client();
    let group = kube::discovery::group(&client, "kubeflow.org").await.unwrap();
    let versions: Vec<&str> = group.versions().collect();
    assert_eq!(versions, ["v1", "v1beta1"]);
    let old = group.versioned_resources("v1");
    assert!(old.iter().any(|(resource, _)| resource.kind == "PyTorchJob"));
}
