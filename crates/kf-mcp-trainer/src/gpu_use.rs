//! What pods do with their GPUs: one query to a Prometheus that scrapes NVIDIA's DCGM exporter.

use std::collections::BTreeMap;

use kf_mcp_core::text;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::pods::outside;

/// GPUs of a pod that are told.
const MOST_GPUS: usize = 16;
/// Samples that are looked at.
const MOST_SAMPLES: usize = 50_000;

const BUSY: &str = "DCGM_FI_DEV_GPU_UTIL";
/// The same as a part of one: what a slice of a GPU has instead.
const ENGINE: &str = "DCGM_FI_PROF_GR_ENGINE_ACTIVE";
const USED: &str = "DCGM_FI_DEV_FB_USED";
const FREE: &str = "DCGM_FI_DEV_FB_FREE";

/// One GPU of a pod, or a slice of one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Gpu {
    /// Its number on the node.
    pub(crate) gpu: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) model: String,
    /// Part of the time that it was busy, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) busy_percent: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) memory_used_mib: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) memory_total_mib: Option<f64>,
}

/// The path and query of a request for the GPUs of a job's pods. An exporter that Prometheus scrapes through a
/// ServiceMonitor has the pod's labels under other names.
pub(crate) fn path(namespace: &str, job: &str) -> String {
    let names = [BUSY, ENGINE, USED, FREE].join("|");
    let namespace = quoted(namespace);
    let pods = quoted(&format!("{}-.+", regex::escape(job)));
    let of = |before: &str| format!("{{__name__=~\"{names}\",{before}namespace={namespace},{before}pod=~{pods}}}");
    let query = format!("{} or {}", of(""), of("exported_"));
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("query", &query)
        .append_pair("limit", &MOST_SAMPLES.to_string())
        .append_pair("timeout", "4s")
        .finish();
    format!("/api/v1/query?{query}")
}

/// A text as a string of PromQL.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Reply {
    status: String,
    error: String,
    data: Data,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Data {
    result: Vec<Sample>,
}

#[derive(Debug, Deserialize)]
struct Sample {
    metric: BTreeMap<String, String>,
    /// Seconds, and the value as text.
    value: (f64, String),
}

/// The GPUs by the pods' names; what Prometheus said when it could not answer.
pub(crate) fn of(body: &[u8]) -> Result<BTreeMap<String, Vec<Gpu>>, String> {
    let reply: Reply = serde_json::from_slice(body).map_err(|_| "the answer is none of Prometheus".to_owned())?;
    if reply.status != "success" {
        return Err(text::bounded(
            &outside(&format!("{} {}", reply.status, reply.error)),
            200,
        ));
    }
    let mut found: BTreeMap<(String, String), (Gpu, f64)> = BTreeMap::new();
    for sample in reply.data.result.into_iter().take(MOST_SAMPLES) {
        let label = |name: &str| sample.metric.get(name).map_or("", String::as_str);
        let exported = label("exported_pod");
        let pod = if exported.is_empty() { label("pod") } else { exported };
        let Some(value) = sample.value.1.parse::<f64>().ok().filter(|value| value.is_finite()) else {
            continue;
        };
        let slice = label("GPU_I_ID");
        let number = match slice {
            "" => label("gpu").to_owned(),
            slice => format!("{}/{slice}", label("gpu")),
        };
        // Numbers are those of a node, and a pod is on one.
        let (gpu, free) = found.entry((pod.to_owned(), number.clone())).or_default();
        gpu.gpu = text::bounded(&outside(&number), 16);
        gpu.model = text::bounded(&outside(label("modelName")), 48);
        match label("__name__") {
            BUSY => gpu.busy_percent = Some(value),
            ENGINE if gpu.busy_percent.is_none() => gpu.busy_percent = Some((value * 1000.0).round() / 10.0),
            USED => gpu.memory_used_mib = Some(value),
            FREE => *free = value,
            _ => {}
        }
    }
    let mut pods: BTreeMap<String, Vec<Gpu>> = BTreeMap::new();
    for ((pod, _), (mut gpu, free)) in found {
        gpu.memory_total_mib = gpu.memory_used_mib.filter(|_| free > 0.0).map(|used| used + free);
        let gpus = pods.entry(pod).or_default();
        if gpus.len() < MOST_GPUS {
            gpus.push(gpu);
        }
    }
    Ok(pods)
}

/// The GPUs of a pod in two phrases: how busy, and how much of their memory is used.
pub(crate) fn phrases(gpus: &[Gpu]) -> (String, String) {
    let all = |of: fn(&Gpu) -> Option<f64>| gpus.iter().filter_map(of).collect::<Vec<f64>>();
    let span = |values: &[f64], write: &dyn Fn(f64) -> String| {
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        match values.len() {
            0 => String::new(),
            _ if write(low) == write(high) => write(low),
            _ => format!("{}..{}", write(low), write(high)),
        }
    };
    let gibibytes = |mebibytes: f64| format!("{:.1}", mebibytes / 1024.0);
    let busy = span(&all(|gpu| gpu.busy_percent), &|percent| format!("{percent:.0}"));
    let used = span(&all(|gpu| gpu.memory_used_mib), &gibibytes);
    let total = span(&all(|gpu| gpu.memory_total_mib), &gibibytes);
    let count = if gpus.len() > 1 {
        format!("{}x", gpus.len())
    } else {
        String::new()
    };
    let busy = if busy.is_empty() {
        busy
    } else {
        format!("{count}{busy}%")
    };
    let memory = match (used.is_empty(), total.is_empty()) {
        (true, _) => used,
        (false, true) => format!("{used}Gi"),
        (false, false) => format!("{used}/{total}Gi"),
    };
    (busy, memory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sample(name: &str, labels: &serde_json::Value, value: &str) -> serde_json::Value {
        let mut metric = labels.clone();
        metric["__name__"] = json!(name);
        json!({"metric": metric, "value": [1_800_000_000.123, value]})
    }

    #[test]
    fn a_query_cannot_be_broken_out_of() {
        let path = path("team\"a", "a.b\"} or up{x=\"\\");
        let (_, query) = path.split_once('?').unwrap();
        let query: BTreeMap<_, _> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let query = &query["query"];
        assert!(
            query.contains(r#",namespace="team\"a",pod=~"a\\.b\"\\} or up\\{x=\"\\\\-.+"}"#),
            "{query}"
        );
        assert!(
            query.contains(r#" or {__name__=~"DCGM_FI_DEV_GPU_UTIL|"#) && query.contains(",exported_pod=~"),
            "{query}"
        );
        // Outside of strings nothing is left of what was put in.
        let mut outside = String::new();
        let (mut inside, mut escaped) = (false, false);
        for c in query.chars() {
            match c {
                _ if escaped => escaped = false,
                '\\' if inside => escaped = true,
                '"' => inside = !inside,
                c if !inside => outside.push(c),
                _ => {}
            }
        }
        assert_eq!(
            outside,
            "{__name__=~,namespace=,pod=~} or {__name__=~,exported_namespace=,exported_pod=~}"
        );
    }

    #[test]
    fn samples_are_put_together_by_pod_and_gpu() {
        let own =
            |gpu: &str| json!({"namespace": "a", "pod": "bert-node-0-0-x", "gpu": gpu, "modelName": "NVIDIA H100"});
        let exported = json!({"namespace": "gpu-operator", "pod": "dcgm-1", "exported_pod": "bert-node-0-1-y", "gpu": "0", "GPU_I_ID": "3"});
        let body = json!({"status": "success", "data": {"resultType": "vector", "result": [
            sample(BUSY, &own("0"), "97"), sample(USED, &own("0"), "71680"), sample(FREE, &own("0"), "10240"),
            sample(BUSY, &own("1"), "91"), sample(USED, &own("1"), "70000"), sample(ENGINE, &own("1"), "0.5"),
            sample(ENGINE, &exported, "0.423"), sample(USED, &exported, "NaN"),
        ]}});
        let pods = of(body.to_string().as_bytes()).unwrap();
        let first = &pods["bert-node-0-0-x"];
        assert_eq!(
            (first.len(), first[0].busy_percent, first[0].memory_total_mib),
            (2, Some(97.0), Some(81_920.0))
        );
        assert_eq!(phrases(first), ("2x91..97%".into(), "68.4..70.0/80.0Gi".into()));
        let second = &pods["bert-node-0-1-y"];
        assert_eq!(
            (
                second[0].gpu.as_str(),
                second[0].busy_percent,
                second[0].memory_used_mib
            ),
            ("0/3", Some(42.3), None)
        );
        assert_eq!(phrases(second), ("42%".into(), String::new()));
    }

    #[test]
    fn what_is_no_answer_is_told() {
        let refused = br#"{"status":"error","errorType":"bad_data","error":"parse error\u001b[31m"}"#;
        assert_eq!(of(refused).unwrap_err(), "error parse error");
        assert!(of(b"<html>").unwrap_err().contains("none of Prometheus"));
        assert_eq!(of(br#"{"status":"success","data":{"result":[]}}"#), Ok(BTreeMap::new()));
    }
}
