//! How much memory an accelerator has, by what nodes call it.

/// Products whose name does not say their memory, with the MiB that their drivers report. A longer name goes first.
const PRODUCTS: &[(&str, u32)] = &[
    ("gb300", 283_000),
    ("gb200", 189_000),
    ("gh200", 97_871),
    ("b300", 275_000),
    ("b200", 183_359),
    ("h200", 143_771),
    ("h100-nvl", 95_830),
    ("h100", 81_559),
    ("h800", 81_559),
    ("h20", 97_871),
    ("a100", 40_960),
    ("a800", 81_920),
    ("rtx-pro-6000", 97_887),
    ("rtx-6000-ada", 49_140),
    ("rtx-a6000", 49_140),
    ("rtx-a5000", 24_564),
    ("rtx-a4000", 16_376),
    ("rtx-5090", 32_607),
    ("rtx-4090", 24_564),
    ("rtx-4080", 16_376),
    ("rtx-3090", 24_576),
    ("quadro-rtx-6000", 24_576),
    ("l40s", 46_068),
    ("l40", 46_068),
    ("l4", 23_034),
    ("a10g", 23_028),
    ("a10", 23_028),
    ("a16", 15_356),
    ("a30", 24_576),
    ("a40", 46_068),
    ("a2", 15_356),
    ("t4g", 15_360),
    ("t4", 15_360),
    ("v100", 16_160),
    ("p100", 16_280),
    ("p40", 24_576),
    ("k80", 11_441),
    ("mi355x", 294_896),
    ("mi325x", 262_128),
    ("mi300x", 196_592),
    // One resource is one of the two chips of a card.
    ("mi250x", 65_520),
    ("mi250", 65_520),
    ("mi210", 65_520),
    ("mi100", 32_752),
    ("tpu-v5-lite", 16_384),
    ("tpu-v5p", 97_280),
    ("tpu-v6e", 32_768),
    ("tpu-v4", 32_768),
    ("gaudi3", 131_072),
    ("gaudi2", 98_304),
];

/// The memory of one device of a resource in GiB, none when its name does not tell. A device that several pods share has
/// no memory of its own.
pub(crate) fn memory(resource: &str, product: Option<&str>) -> Option<f64> {
    let product = product
        .unwrap_or_default()
        .to_ascii_lowercase()
        .replace(['_', ' '], "-");
    if resource.ends_with(".shared") || product.ends_with("-shared") {
        return None;
    }
    // `nvidia.com/mig-3g.40gb`: a slice has a little less than it is called.
    if let Some(slice) = resource.split_once("/mig-").map(|(_, slice)| slice) {
        return gigabytes(slice).map(|gb| 0.96 * gb);
    }
    let words: Vec<&str> = product.split('-').collect();
    let known = PRODUCTS.iter().find(|(name, _)| {
        let name: Vec<&str> = name.split('-').collect();
        words.windows(name.len()).any(|part| part == name)
    });
    // `A100-SXM4-80GB` says it itself; drivers keep a little.
    let said = words.iter().find_map(|word| gigabytes(word));
    said.map(|gb| 0.99 * gb)
        .or(known.map(|(_, mib)| f64::from(*mib) / 1024.0))
}

fn gigabytes(word: &str) -> Option<f64> {
    let number = word.split('.').find_map(|part| part.strip_suffix("gb"))?;
    number.parse().ok().filter(|gb| (1.0..2000.0).contains(gb))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_tell_their_memory() {
        for (resource, product, want) in [
            ("nvidia.com/gpu", Some("NVIDIA-A100-SXM4-80GB"), Some(79)),
            ("nvidia.com/gpu", Some("NVIDIA-H100-80GB-HBM3"), Some(79)),
            ("nvidia.com/gpu", Some("nvidia-tesla-a100"), Some(40)),
            ("nvidia.com/gpu", Some("nvidia-a100-80gb"), Some(79)),
            ("nvidia.com/gpu", Some("NVIDIA-L4"), Some(22)),
            ("nvidia.com/gpu", Some("NVIDIA-L40S"), Some(45)),
            ("nvidia.com/gpu", Some("NVIDIA-GeForce-RTX-4090"), Some(24)),
            ("nvidia.com/gpu", Some("Tesla-T4"), Some(15)),
            ("nvidia.com/gpu", Some("Tesla-T4-SHARED"), None),
            ("nvidia.com/gpu.shared", Some("Tesla-T4"), None),
            ("nvidia.com/mig-3g.40gb", None, Some(38)),
            (
                "nvidia.com/mig-1g.10gb",
                Some("NVIDIA-A100-SXM4-80GB-MIG-1g.10gb"),
                Some(10),
            ),
            ("amd.com/gpu", Some("AMD_Instinct_MI300X_OAM"), Some(192)),
            ("google.com/tpu", Some("tpu-v5-lite-podslice"), Some(16)),
            ("nvidia.com/gpu", Some("mystery"), None),
            ("nvidia.com/gpu", None, None),
        ] {
            let told = memory(resource, product).map(|gib| gib.round() as u32);
            assert_eq!(told, want, "{resource} {product:?}");
        }
    }
}
