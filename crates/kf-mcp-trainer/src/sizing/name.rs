//! What a model's name says: its words, and the size that most names end with.

/// Words that say how a model was tuned, and nothing about its size.
const TUNING: [&str; 5] = ["coder", "math", "chat", "instruct", "text"];

/// A size read from a name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Size {
    /// Parameters in all.
    pub(super) params: f64,
    /// Experts, for `8x7b`.
    pub(super) experts: Option<u32>,
}

/// The parts of a name that may be a model's, most telling first: `hf://meta-llama/Llama-3.1-8B` is `Llama-3.1-8B`, then
/// `meta-llama`; a path and the folders of a Hub cache (`models--ORG--NAME`) likewise.
pub(super) fn candidates(name: &str) -> impl Iterator<Item = &str> {
    let name = name.split(['?', '#']).next().unwrap_or_default();
    name.rsplit(['/', '\\'])
        .flat_map(|part| part.rsplit("--"))
        .filter(|part| !part.is_empty())
}

/// The words of a name: `Meta-Llama3.1_8B-Instruct` is meta, llama, 3.1, 8b.
pub(super) fn words(name: &str) -> Vec<String> {
    let name = name.to_ascii_lowercase();
    let mut words = Vec::new();
    for word in name.split(|c: char| !c.is_ascii_alphanumeric() && c != '.') {
        let word = word.trim_matches('.');
        // `llama3.1` is two words, `8b` and `8x7b` are one.
        let split = match word.find(|c: char| c.is_ascii_digit()) {
            Some(at) if at > 0 => word.split_at(at),
            _ => (word, ""),
        };
        for word in [split.0, split.1] {
            if !word.is_empty() && !TUNING.contains(&word) {
                words.push(word.to_owned());
            }
        }
    }
    words
}

/// The size in a name: the largest of `7b`, `1.5B`, `350m`, `1b7` and `8x7b`; `A3B`, the active part of a mixture, is none.
pub(super) fn size(name: &str) -> Option<Size> {
    let words = words(name);
    // `17B-16E`: what is named is what 16 experts' layers use for one token, and not the size.
    if words
        .windows(2)
        .any(|pair| plain(&pair[0]).is_some() && is_experts(&pair[1]))
    {
        return None;
    }
    let sizes = words.iter().enumerate().filter_map(|(at, word)| {
        let active = at > 0 && words[at - 1] == "a";
        read(word).filter(|_| !active)
    });
    sizes.max_by(|a, b| a.params.total_cmp(&b.params))
}

/// `16e`: how many experts there are; `3e` is rather how often something was trained on.
fn is_experts(word: &str) -> bool {
    let count = word.strip_suffix('e').and_then(|count| count.parse::<u32>().ok());
    count.is_some_and(|count| count >= 8)
}

fn read(word: &str) -> Option<Size> {
    if let Some((experts, each)) = word.split_once('x') {
        let experts: u32 = experts.parse().ok().filter(|n| (2..=1024).contains(n))?;
        // The experts share their attention: Mixtral 8x7b has 46.7 and not 56 billion parameters.
        let params = 0.83 * f64::from(experts) * plain(each)?;
        return Some(Size {
            params,
            experts: Some(experts),
        });
    }
    plain(word).map(|params| Size { params, experts: None })
}

fn plain(word: &str) -> Option<f64> {
    let unit = word.find(|c: char| c.is_ascii_alphabetic())?;
    let factor = match word.as_bytes()[unit] {
        b'm' => 1e6,
        b'b' => 1e9,
        b't' => 1e12,
        _ => return None,
    };
    let (whole, rest) = (&word[..unit], &word[unit + 1..]);
    // `1b7` is 1.7 billion; `4bit` is no size.
    let number = match rest {
        "" => whole.to_owned(),
        part if part.len() <= 2 && part.bytes().all(|b| b.is_ascii_digit()) => format!("{whole}.{part}"),
        _ => return None,
    };
    let params = number.parse::<f64>().ok()? * factor;
    (1e6..=1e13).contains(&params).then_some(params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_from_names() {
        for (name, params) in [
            ("acme-7b", Some(7e9)),
            ("Acme_1.5B-Instruct", Some(1.5e9)),
            ("acme350m", Some(350e6)),
            ("bloom-1b7", Some(1.7e9)),
            ("Acme-8x7B-v0.1", Some(0.83 * 56e9)),
            ("Acme3-30B-A3B", Some(30e9)),
            ("Acme-4-Scout-17B-16E-Instruct", None),
            ("acme-7b-sft-2e-5", Some(7e9)),
            ("acme-7b-3e", Some(7e9)),
            ("acme-13b-bnb-4bit", Some(13e9)),
            ("acme-3-mini-128k", None),
            ("acme", None),
            ("acme-0b", None),
        ] {
            assert_eq!(size(name).map(|s| s.params), params, "{name}");
        }
    }

    #[test]
    fn names_fall_into_words() {
        for (name, want) in [
            ("Meta-Llama3.1_8B-Instruct", "meta llama 3.1 8b"),
            ("gpt2-xl", "gpt 2 xl"),
            ("Qwen2.5-Coder-7B", "qwen 2.5 7b"),
            ("Mistral-7B-v0.3", "mistral 7b v 0.3"),
        ] {
            assert_eq!(words(name).join(" "), want);
        }
    }

    #[test]
    fn ids_paths_and_caches_name_the_same_model() {
        for name in [
            "Llama-3.1-8B",
            "meta-llama/Llama-3.1-8B",
            "hf://meta-llama/Llama-3.1-8B?rev=1",
            "/models/Llama-3.1-8B/",
            "models--meta-llama--Llama-3.1-8B",
        ] {
            assert_eq!(candidates(name).next(), Some("Llama-3.1-8B"), "{name}");
        }
    }
}
