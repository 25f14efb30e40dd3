//! Which devices a plan fits, and on how many of them it would.

use super::device::memory;
use super::memory::{GIB, Range, per_gpu};
use super::method::Plan;
use crate::capacity::Accelerator;

/// The most GPUs that a plan is spread over.
const MOST_GPUS: u32 = 1024;
/// GPUs of one node, where nothing is known of the nodes.
const NODE: u32 = 8;
/// Sizes that GPUs are sold in, in GB, with the GiB that their drivers report.
const SIZES: [(u32, f64); 8] = [
    (16, 15.0),
    (24, 22.4),
    (32, 31.8),
    (40, 39.5),
    (48, 44.9),
    (80, 79.2),
    (141, 140.0),
    (192, 179.0),
];
/// The size of the GPUs that large plans are spread over.
const LARGE: (u32, f64) = (80, 79.2);

/// Whether a plan fits a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Even the most it may need.
    Yes,
    /// What it likely needs, but not the most.
    Tight,
    /// Not even that.
    No,
}

impl Verdict {
    /// The verdict on a device of so many GiB.
    pub(crate) fn of(need: Range, gib: f64) -> Self {
        let has = gib * GIB;
        match need {
            need if need.high <= has => Self::Yes,
            need if need.mid <= has => Self::Tight,
            _ => Self::No,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::Tight => "tight",
            Self::No => "no",
        }
    }
}

/// So many nodes with so many GPUs each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) nodes: u32,
    pub(crate) per_node: u32,
}

impl Layout {
    /// So many GPUs on nodes that have so many.
    fn over(gpus: u32, node: u32) -> Self {
        let per_node = gpus.min(node.max(1));
        Self {
            nodes: gpus.div_ceil(per_node),
            per_node,
        }
    }

    /// GPUs in all.
    pub(crate) fn gpus(self) -> u32 {
        self.nodes * self.per_node
    }
}

/// A device of the cluster against a plan.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fit {
    /// Memory of one, if its name tells.
    pub(crate) gib: Option<f64>,
    /// Whether the plan fits as it was asked.
    pub(crate) verdict: Option<Verdict>,
    /// Where it would fit for sure: the asked layout, or more GPUs with everything sharded.
    pub(crate) layout: Option<Layout>,
    /// Whether that many are free; unknown when the pods could not be counted.
    pub(crate) free_now: Option<bool>,
}

/// A device of the cluster against a plan that asks for this layout.
pub(crate) fn fit(plan: &Plan, asked: Layout, device: &Accelerator) -> Fit {
    let gib = memory(&device.resource, device.product.as_deref());
    let Some(gib) = gib.filter(|_| is_gpu(&device.resource)) else {
        return Fit {
            gib,
            verdict: None,
            layout: None,
            free_now: None,
        };
    };
    let verdict = Verdict::of(per_gpu(plan).total(), gib);
    let block = device.largest_free_block.filter(|block| *block > 0);
    let node = block.map_or(NODE, |block| u32::try_from(block).unwrap_or(NODE));
    let layout = if verdict == Verdict::Yes {
        Some(asked)
    } else {
        least(plan, gib).map(|gpus| Layout::over(gpus, node))
    };
    let free_now = layout.and_then(|layout| {
        let enough = device.free? >= i64::from(layout.gpus());
        Some(enough && device.largest_free_block? >= i64::from(layout.per_node))
    });
    Fit {
        gib: Some(gib),
        verdict: Some(verdict),
        layout,
        free_now,
    }
}

/// Whether the formulae hold for a device: on a TPU or Trainium a compiler lays out the memory, and nothing is quantised.
fn is_gpu(resource: &str) -> bool {
    !["google.com/", "aws.amazon.com/"]
        .iter()
        .any(|domain| resource.starts_with(domain))
}

/// The fewest GPUs of so many GiB that a plan surely fits when everything is sharded: as many as were asked, or a power of
/// two beyond.
fn least(plan: &Plan, gib: f64) -> Option<u32> {
    let more = std::iter::successors(Some(plan.gpus.next_power_of_two()), |gpus| gpus.checked_mul(2));
    std::iter::once(plan.gpus)
        .chain(more.take_while(|gpus| *gpus <= MOST_GPUS))
        .find(|gpus| Verdict::of(per_gpu(&plan.spread(*gpus)).total(), gib) == Verdict::Yes)
}

/// What to ask for without knowing the cluster: a layout, and GB of each GPU. None when nothing is large enough.
pub(crate) fn usual(plan: &Plan, asked: Layout) -> Option<(Layout, u32)> {
    let need = per_gpu(plan).total();
    let fitting = SIZES.iter().find(|(_, gib)| Verdict::of(need, *gib) == Verdict::Yes);
    match fitting {
        Some((size, _)) if *size <= LARGE.0 => Some((asked, *size)),
        _ => {
            let spread = |(size, gib): (u32, f64)| Some((Layout::over(least(plan, gib)?, NODE), size));
            let as_asked = || fitting.map(|(size, _)| (asked, *size));
            let larger = || SIZES.into_iter().filter(|(size, _)| *size > LARGE.0).find_map(spread);
            spread(LARGE).or_else(as_asked).or_else(larger)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Method;
    use super::super::sample::plan;
    use super::*;

    const ONE: Layout = Layout { nodes: 1, per_node: 1 };

    fn told(method: Method, resource: &str, product: &str, free: Option<(i64, i64)>) -> String {
        let device = Accelerator {
            resource: resource.into(),
            product: Some(product.into()),
            free: free.map(|(all, _)| all),
            largest_free_block: free.map(|(_, block)| block),
            ..Accelerator::default()
        };
        let fit = fit(&plan("llama-3.1-8b", method), ONE, &device);
        let layout = fit.layout.map(|layout| format!("{}x{}", layout.nodes, layout.per_node));
        let verdict = fit.verdict.map_or("unknown", Verdict::as_str);
        format!("{verdict} {} {:?}", layout.unwrap_or_default(), fit.free_now)
    }

    #[test]
    fn more_of_a_device_are_taken_until_it_fits() {
        let gpu = "nvidia.com/gpu";
        for (method, resource, product, free, want) in [
            (Method::Qlora, gpu, "NVIDIA-L4", Some((2, 1)), "yes 1x1 Some(true)"),
            (Method::Qlora, gpu, "NVIDIA-L4", Some((0, 0)), "yes 1x1 Some(false)"),
            (Method::Qlora, gpu, "NVIDIA-L4", None, "yes 1x1 None"),
            (Method::Lora, gpu, "NVIDIA-L4", Some((8, 2)), "tight 1x2 Some(true)"),
            (
                Method::Full,
                gpu,
                "NVIDIA-H100-80GB-HBM3",
                Some((16, 8)),
                "no 1x4 Some(true)",
            ),
            (
                Method::Full,
                gpu,
                "NVIDIA-H100-80GB-HBM3",
                Some((3, 2)),
                "no 2x2 Some(false)",
            ),
            (Method::Full, gpu, "mystery", Some((8, 8)), "unknown  None"),
            (
                Method::Full,
                "google.com/tpu",
                "tpu-v5p-slice",
                Some((8, 8)),
                "unknown  None",
            ),
        ] {
            assert_eq!(
                told(method, resource, product, free),
                want,
                "{method:?} {product} {free:?}"
            );
        }
    }

    #[test]
    fn without_a_cluster_the_usual_sizes_are_named() {
        for (model, method, want) in [
            ("llama-3.2-1b", Method::Qlora, Some((1, 1, 16))),
            ("llama-3.1-8b", Method::Lora, Some((1, 1, 32))),
            ("llama-3.1-8b", Method::Full, Some((1, 4, 80))),
            ("llama-3.1-70b", Method::Qlora, Some((1, 1, 80))),
            ("llama-3.1-405b", Method::Full, Some((32, 8, 80))),
        ] {
            let told = usual(&plan(model, method), ONE).map(|(layout, gb)| (layout.nodes, layout.per_node, gb));
            assert_eq!(told, want, "{model} {method:?}");
        }
    }
}
