//! Well-known open models by name.

use super::model::Model;
use super::name::{size, words};
use super::table::ROWS;

/// A model of the table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Known {
    /// What the table calls it.
    pub(super) name: &'static str,
    /// What it is.
    pub(super) model: Model,
}

/// A size in a name may differ from the table's count by this factor: `gemma-7b` has 8.5 billion parameters.
const SAME: f64 = 1.6;

/// The model that a name means, if the table has it: the longest of its names whose words stand together in this one.
pub(super) fn known(name: &str) -> Option<Known> {
    let asked = words(name);
    let size = size(name);
    let mut best: Option<(usize, Known)> = None;
    for row in ROWS {
        for alias in row.names.split('|') {
            let wanted = words(alias);
            let found = asked.windows(wanted.len()).any(|part| part == wanted);
            let longer = best.is_none_or(|(length, _)| wanted.len() > length);
            let ratio = size.map_or(1.0, |size| size.params / row.model.params);
            if found && longer && (1.0 / SAME..=SAME).contains(&ratio) {
                let known = Known {
                    name: alias,
                    model: row.model,
                };
                best = Some((wanted.len(), known));
            }
        }
    }
    best.map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_find_their_family() {
        for (name, want) in [
            ("Meta-Llama-3.1-8B-Instruct", Some("llama-3.1-8b")),
            ("Llama-3.3-70B-Instruct", Some("llama-3.3-70b")),
            ("llama3.2-1b", Some("llama-3.2-1b")),
            ("LLAMA-2-7b-chat-hf", Some("llama-2-7b")),
            ("Qwen2.5-Coder-7B-Instruct", Some("qwen2.5-7b")),
            ("Qwen3-30B-A3B", Some("qwen3-30b-a3b")),
            ("gemma-7b-it", Some("gemma-7b")),
            ("Mixtral-8x7B-Instruct-v0.1", Some("mixtral-8x7b")),
            ("DeepSeek-R1-Distill-Qwen-1.5B", Some("deepseek-r1-distill-qwen-1.5b")),
            ("gpt2", Some("gpt2")),
            ("gpt2-xl", Some("gpt2-xl")),
            ("flan-t5-base", Some("flan-t5-base")),
            ("t5-base", Some("t5-base")),
            ("bert-base-uncased", Some("bert-base")),
            ("distilbert-base-uncased", Some("distilbert-base")),
            ("vit-base-patch16-224", Some("vit-base")),
            ("whisper-large-v3-turbo", Some("whisper-large-v3-turbo")),
            ("DeepSeek-R1-Distill-Llama-8B", Some("deepseek-r1-distill-llama-8b")),
            ("bloom-7b1", Some("bloom-7b1")),
            ("phi-4", Some("phi-4")),
            ("Phi-4-mini-instruct", Some("phi-4-mini")),
            // A vision model and a newer falcon are not the text models whose words they share.
            ("Qwen2.5-VL-7B", None),
            ("Falcon3-7B", None),
            ("acme-7b", None),
            ("gpt2-9b", None),
        ] {
            assert_eq!(known(name).map(|known| known.name), want, "{name}");
        }
    }

    /// Facts that agree with each other are hardly mistyped: the dimensions of each row give its parameters.
    #[test]
    fn dimensions_give_the_published_parameters() {
        let mut wrong = Vec::new();
        for row in ROWS {
            let told = row.model.dims.params() / row.model.params - 1.0;
            let most = match row.names {
                // From 4b on Gemma 3 has a vision tower of 0.4 billion beside.
                "gemma-3-4b" => 0.11,
                // Its embedding is half as wide as its blocks.
                "opt-350m" => 0.07,
                _ => 0.05,
            };
            if told.abs() > most {
                wrong.push(format!("{}: {:+.1} %", row.names, told * 100.0));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn each_name_finds_its_own_row() {
        for row in ROWS {
            for alias in row.names.split('|') {
                let found = known(alias).map(|known| (known.name, known.model));
                assert_eq!(found, Some((alias, row.model)), "{alias}");
            }
        }
    }
}
