//! Addresses of models and datasets, and where the job has them.

use super::*;

fn told(read: Result<Source, String>) -> String {
    let source = match read {
        Ok(source) => source,
        Err(why) => return format!("! {why}"),
    };
    let data = match source.data() {
        Data::Dir(path) => format!("dir {path}"),
        Data::Files(path) => format!("files {path}"),
    };
    format!("{} {data}", source.uri().unwrap_or_else(|| "claim".into()))
}

#[test]
fn item_7_to_9_a_dataset_is_where_its_address_says() {
    for (given, want) in [
        ("tatsu-lab/alpaca", "hf://tatsu-lab/alpaca dir /workspace/dataset"),
        ("hf://tatsu-lab/alpaca", "hf://tatsu-lab/alpaca dir /workspace/dataset"),
        ("hf://tatsu-lab/alpaca/", "hf://tatsu-lab/alpaca dir /workspace/dataset"),
        (
            "hf://tatsu-lab/alpaca/data",
            "hf://tatsu-lab/alpaca/data dir /workspace/dataset/data",
        ),
        ("https://huggingface.co/datasets/a/b", "hf://a/b dir /workspace/dataset"),
        ("hf://datasets/a/b", "hf://a/b dir /workspace/dataset"),
        ("datasets/a/b/data", "hf://a/b/data dir /workspace/dataset/data"),
        (
            "hf://a/b/v1.2/data",
            "hf://a/b/v1.2/data dir /workspace/dataset/v1.2/data",
        ),
        (
            "hf://a/b/data/v1.2",
            "hf://a/b/data/v1.2 dir /workspace/dataset/data/v1.2",
        ),
        ("hf://a/b.json", "hf://a/b.json dir /workspace/dataset"),
        (
            "hf://a/b/v1.2/train.jsonl.gz",
            "hf://a/b/v1.2/train.jsonl.gz files /workspace/dataset/v1.2/train.jsonl.gz",
        ),
        (
            "hf://a/b/data/*.parquet",
            "hf://a/b/data/*.parquet files /workspace/dataset/data/*.parquet",
        ),
        ("s3://bucket/data", "s3://bucket/data/ dir /workspace/dataset"),
        (
            "s3://bucket/data/v1.2/",
            "s3://bucket/data/v1.2/ dir /workspace/dataset",
        ),
        ("s3://bucket", "s3://bucket/ dir /workspace/dataset"),
        (
            "s3://bucket/data/train.csv",
            "s3://bucket/data/train.csv files /workspace/dataset/train.csv",
        ),
        ("pvc://data", "claim dir /workspace/dataset"),
        ("pvc://data/sets/alpaca/", "claim dir /workspace/dataset"),
        (
            "pvc://data/sets/train.parquet",
            "claim files /workspace/dataset/train.parquet",
        ),
    ] {
        assert_eq!(told(Source::dataset(given)), want, "{given}");
    }
}

#[test]
fn what_no_initializer_could_fetch_is_refused() {
    for (given, word) in [
        ("squad", "must name the organisation too, like hf://ORG/squad"),
        ("hf://squad/", "must name the organisation too"),
        ("", "must be like"),
        ("hf://", "must be like"),
        ("gs://bucket/x", "must be like"),
        ("cache://schema/table", "must be like"),
        ("https://example.com/a/b", "must be like"),
        ("a b/c", "spaces"),
        ("hf://a/b?revision=1", "must be like"),
        ("hf://a/b/../c", "`..`"),
        ("hf://a/b/x//y", "empty parts"),
        ("hf://a/b/$(HOME)", "`$`"),
        ("s3:///data", "s3://BUCKET"),
        ("s3://bucket/*.json", "beginning of keys"),
        ("pvc://Data", "pvc://CLAIM"),
        ("pvc://", "pvc://CLAIM"),
    ] {
        let refused = told(Source::dataset(given));
        assert!(
            refused.starts_with("! ") && refused.contains(word),
            "{given}: {refused}"
        );
    }
    assert!(told(Source::dataset(&format!("a/{}", "b".repeat(3000)))).contains("2048"));
}

#[test]
fn a_model_is_a_repository_or_a_directory() {
    let uri = |text: &str| Source::model(text).map(|source| source.uri());
    assert_eq!(uri("Qwen/Qwen2.5-1.5B"), Ok(Some("hf://Qwen/Qwen2.5-1.5B".into())));
    assert_eq!(
        uri("hf://Qwen/Qwen2.5-1.5B/"),
        Ok(Some("hf://Qwen/Qwen2.5-1.5B".into()))
    );
    assert_eq!(uri("s3://models/qwen2.5"), Ok(Some("s3://models/qwen2.5/".into())));
    assert!(uri("hf://a/b/c").unwrap_err().contains("without a path"));
}

#[test]
fn claims_are_mounted_where_an_initializer_would_write() {
    let mount = |mount: Option<ClaimMount>| mount.map(|m| format!("{} {} {}", m.claim, m.sub_path, m.at));
    let dataset = |text: &str| mount(Source::dataset(text).unwrap().dataset_mount());
    assert_eq!(
        dataset("pvc://data/a/b").as_deref(),
        Some("data a/b /workspace/dataset")
    );
    assert_eq!(
        dataset("pvc://data/a/b.json").as_deref(),
        Some("data a /workspace/dataset")
    );
    assert_eq!(
        dataset("pvc://data/b.json").as_deref(),
        Some("data  /workspace/dataset")
    );
    assert_eq!(dataset("hf://a/b"), None);
    let model = Source::model("pvc://weights/llama-3.2-1b/").unwrap();
    assert_eq!(
        mount(model.model_mount()).as_deref(),
        Some("weights llama-3.2-1b /workspace/model")
    );
    assert_eq!(model.name(), "llama-3.2-1b");
}

#[test]
fn the_name_of_a_file_tells_its_format() {
    let format = |text: &str| Source::dataset(text).unwrap().data().format();
    for (given, want) in [
        ("a/b/x.jsonl", Some("json")),
        ("a/b/x.CSV.gz", Some("csv")),
        ("a/b/*.parquet", Some("parquet")),
        ("a/b/x*", None),
        ("a/b/.json", None),
        ("a/b", None),
    ] {
        assert_eq!(format(given), want, "{given}");
    }
}

#[test]
fn datasets_and_spaces_of_the_hub_are_no_models() {
    for address in [
        "hf://datasets/a/b",
        "datasets/a/b",
        "https://huggingface.co/datasets/a/b",
    ] {
        assert_eq!(
            told(Source::model(address)),
            "! names a dataset of the Hub: give a model, like hf://ORG/NAME",
            "{address}"
        );
    }
    for address in ["hf://spaces/a/b", "https://huggingface.co/spaces/a/b"] {
        assert!(told(Source::model(address)).contains("a space of the Hub"), "{address}");
        assert!(
            told(Source::dataset(address)).contains("a space of the Hub"),
            "{address}"
        );
    }
    assert_eq!(told(Source::model("hf://a/b")).split(' ').next(), Some("hf://a/b"));
}
