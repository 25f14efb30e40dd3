//! What `estimate_resources` answers.

use std::collections::BTreeMap;
use std::fmt;

use kf_mcp_core::{Render, Text};
use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use crate::capacity::Capacity;
use crate::sizing::fit::{self, Fit, Layout};
use crate::sizing::hints::hints;
use crate::sizing::memory::{GIB, gib};
use crate::sizing::{Facts, Method, Plan, Precision, Range, per_gpu};

/// What `estimate_resources` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Estimate {
    model: Sized,
    /// How it is trained, in words.
    plan: String,
    per_gpu: Amount,
    /// Likely, over all GPUs.
    total_gib: f64,
    confidence: &'static str,
    /// Likely parts of one GPU, in GiB.
    #[schemars(with = "BTreeMap<String, f64>")]
    parts: Named,
    /// What one GPU likely needs with the other methods, in GiB.
    #[schemars(with = "BTreeMap<String, f64>")]
    other_methods: Named,
    /// Absent when nothing is large enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    recommendation: Option<Recommendation>,
    /// Absent when the nodes could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    devices: Option<Vec<Device>>,
    sources: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hints: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_seen: Vec<String>,
}

/// The model that was sized.
#[derive(Debug, Serialize, JsonSchema)]
struct Sized {
    /// Its name in the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    family: Option<&'static str>,
    param_count: u64,
    /// Parameters that one token goes through, where that is less.
    #[serde(skip_serializing_if = "Option::is_none")]
    active_params: Option<u64>,
    hidden_size: u32,
    layers: u32,
    vocab_size: u32,
}

/// GiB.
#[derive(Debug, Serialize, JsonSchema)]
struct Amount {
    gib: f64,
    low_gib: f64,
    high_gib: f64,
}

/// Amounts by name, in an order that says something; an object in JSON.
#[derive(Debug)]
struct Named(Vec<(&'static str, f64)>);

impl Serialize for Named {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, gib)) in self.0.iter().enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            write!(f, "{comma}{name} {gib}")?;
        }
        Ok(())
    }
}

#[derive(Debug, Serialize, JsonSchema)]
struct Recommendation {
    num_workers: u32,
    gpu_per_node: u32,
    /// GB that each GPU should have.
    gpu_memory_gb: u32,
    /// A device of the cluster that has it, and is free.
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<String>,
}

/// An accelerator of the cluster.
#[derive(Debug, Serialize, JsonSchema)]
struct Device {
    resource: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    product: Option<String>,
    /// Absent when its name does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    gib: Option<f64>,
    /// Whether the plan fits as asked: yes, tight (likely, but not surely), no, unknown.
    fits: &'static str,
    /// The layout that surely fits, everything sharded if it is larger than asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    num_workers: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gpu_per_node: Option<u32>,
    /// Whether that many are free.
    #[serde(skip_serializing_if = "Option::is_none")]
    free_now: Option<bool>,
}

impl Estimate {
    /// The estimate of a plan, against what was seen of the cluster.
    pub(super) fn of(
        plan: &Plan,
        facts: &Facts,
        asked: Layout,
        seen: Option<&Capacity>,
        not_seen: Vec<String>,
    ) -> Self {
        let parts = per_gpu(plan);
        let need = parts.total();
        let fits: Option<Vec<(Device, Fit)>> = seen.map(|seen| {
            let fit = |device| (fit::fit(plan, asked, device), device);
            seen.accelerators
                .iter()
                .map(fit)
                .map(|(fit, device)| (Device::of(&fit, device), fit))
                .collect()
        });
        let shown = parts.named().into_iter().map(|(name, part)| (name, tenths(part.mid)));
        let others = Method::ALL.into_iter().filter(|method| *method != plan.method);
        let others = others.map(|method| {
            let need = per_gpu(&plan.with_method(method)).total();
            (method.as_str(), tenths(need.mid))
        });
        let dims = &facts.model.dims;
        let active = dims.active(facts.model.params);
        Self {
            model: Sized {
                family: facts.name,
                param_count: facts.model.params as u64,
                active_params: (dims.experts > dims.active_experts).then_some(active as u64),
                hidden_size: dims.hidden,
                layers: dims.layers,
                vocab_size: dims.vocab,
            },
            plan: words(plan, asked),
            per_gpu: amount(need),
            total_gib: tenths(need.mid * f64::from(plan.gpus)),
            confidence: facts.confidence().as_str(),
            parts: Named(shown.filter(|(_, gib)| *gib > 0.0).collect()),
            other_methods: Named(others.collect()),
            recommendation: recommendation(plan, asked, fits.as_deref().unwrap_or_default()),
            devices: fits.map(|fits| fits.into_iter().map(|(device, _)| device).collect()),
            sources: facts.sources(),
            hints: hints(plan, facts.name, asked.nodes),
            not_seen,
        }
    }
}

/// What to ask for: the free device that fewest of are enough, of these the smallest; else what usually has it.
fn recommendation(plan: &Plan, asked: Layout, fits: &[(Device, Fit)]) -> Option<Recommendation> {
    let free = fits.iter().filter(|(_, fit)| fit.free_now == Some(true));
    let best = free
        .filter_map(|(device, fit)| Some((device, fit.layout?, fit.gib?)))
        .min_by(|(_, a, small), (_, b, large)| a.gpus().cmp(&b.gpus()).then(small.total_cmp(large)));
    if let Some((device, layout, gib)) = best {
        return Some(Recommendation {
            num_workers: layout.nodes,
            gpu_per_node: layout.per_node,
            gpu_memory_gb: gib.ceil() as u32,
            device: Some(device.product.clone().unwrap_or_else(|| device.resource.clone())),
        });
    }
    fit::usual(plan, asked).map(|(layout, gb)| Recommendation {
        num_workers: layout.nodes,
        gpu_per_node: layout.per_node,
        gpu_memory_gb: gb,
        device: None,
    })
}

impl Device {
    fn of(fit: &Fit, device: &crate::capacity::Accelerator) -> Self {
        Self {
            resource: device.resource.clone(),
            product: device.product.clone(),
            gib: fit.gib.map(|gib| tenths(gib * GIB)),
            fits: fit.verdict.map_or("unknown", |verdict| verdict.as_str()),
            num_workers: fit.layout.map(|layout| layout.nodes),
            gpu_per_node: fit.layout.map(|layout| layout.per_node),
            free_now: fit.free_now,
        }
    }
}

/// The plan in words.
fn words(plan: &Plan, asked: Layout) -> String {
    let method = match plan.method {
        Method::Full => "full".to_owned(),
        method => format!("{} rank {}", method.as_str(), plan.lora_rank),
    };
    let precision = match plan.precision {
        Precision::Mixed => "mixed",
        Precision::Pure => "pure",
    };
    let checkpointing = if plan.checkpointing {
        "checkpointing"
    } else {
        "no checkpointing"
    };
    let spread = match plan.gpus {
        1 => "1 GPU".to_owned(),
        _ => format!(
            "{} x {} GPUs, sharding {}",
            asked.nodes,
            asked.per_node,
            plan.sharding.as_str()
        ),
    };
    format!(
        "{method}, {} {precision}, {}, batch {} x {} tokens, {checkpointing}, {spread}",
        plan.weights.as_str(),
        plan.optimizer.as_str(),
        plan.batch,
        plan.sequence
    )
}

fn amount(need: Range) -> Amount {
    Amount {
        gib: tenths(need.mid),
        low_gib: tenths(need.low),
        high_gib: tenths(need.high),
    }
}

/// Bytes as GiB with one digit after the point.
fn tenths(bytes: f64) -> f64 {
    (bytes / GIB * 10.0).round() / 10.0
}

impl Render for Estimate {
    fn render(&self, text: &mut Text) {
        let model = &self.model;
        let active = model.active_params.map(|active| format!(" ({} active)", count(active)));
        text.fact(
            "model",
            format!(
                "{}{}{} parameters, hidden {}, {} layers, vocabulary {}",
                model.family.unwrap_or_default(),
                if model.family.is_some() { ", " } else { "" },
                count(model.param_count) + &active.unwrap_or_default(),
                model.hidden_size,
                model.layers,
                model.vocab_size
            ),
        );
        text.fact("plan", &self.plan);
        let Amount {
            gib: likely,
            low_gib,
            high_gib,
        } = self.per_gpu;
        text.fact(
            "each GPU",
            format!(
                "{likely} GiB (range {low_gib} to {high_gib}), confidence {}",
                self.confidence
            ),
        );
        text.fact("parts GiB", &self.parts);
        if self.total_gib > likely {
            text.fact("all GPUs", gib(self.total_gib * GIB));
        }
        text.fact("other methods GiB", &self.other_methods);
        match &self.recommendation {
            Some(advice) => {
                let device = advice.device.as_ref().map(|device| format!(" ({device}, free now)"));
                text.fact(
                    "recommendation",
                    format!(
                        "num_workers={} gpu_per_node={} of {} GB{}",
                        advice.num_workers,
                        advice.gpu_per_node,
                        advice.gpu_memory_gb,
                        device.unwrap_or_default()
                    ),
                );
            }
            None => text.fact(
                "recommendation",
                "no number of GPUs is enough; shorten batch_size or sequence_length",
            ),
        }
        match self.devices.as_deref() {
            Some([]) => text.line("devices: the cluster has no accelerators"),
            Some(devices) => text.table(
                ["device", "product", "GiB", "fits", "surely_on_nodes_x_GPUs", "free_now"],
                devices.iter().map(Device::row),
            ),
            None => {}
        }
        text.facts("hint", &self.hints);
        text.fact("sources", self.sources.join("; "));
        text.facts("not seen", &self.not_seen);
    }
}

/// A number of parameters as people write it.
fn count(params: u64) -> String {
    match params as f64 {
        large if large >= 1e9 => format!("{:.2}B", large / 1e9),
        small => format!("{:.0}M", small / 1e6),
    }
}

impl Device {
    fn row(&self) -> [String; 6] {
        let layout = self.num_workers.zip(self.gpu_per_node);
        [
            self.resource.clone(),
            self.product.clone().unwrap_or_default(),
            self.gib.map(|gib| gib.to_string()).unwrap_or_default(),
            self.fits.to_owned(),
            layout
                .map(|(nodes, gpus)| format!("{nodes}x{gpus}"))
                .unwrap_or_default(),
            self.free_now
                .map(|free| if free { "yes" } else { "no" })
                .unwrap_or_default()
                .to_owned(),
        ]
    }
}
