//! [`TuneModel`]: the models that Trainer has torchtune configurations for, told by the name of a runtime.

/// A model that Trainer fine-tunes. Runtimes are called `torchtune-FAMILY-SIZE`, and Trainer reads the model from that name
/// and from nothing else, so a copy of a runtime under another name is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TuneModel {
    family: &'static str,
    size: &'static str,
    config: &'static str,
    /// Whether torchtune has configurations for several nodes.
    pub(super) many_nodes: bool,
    /// Whether torchtune has configurations with a quantised base.
    pub(super) quantises: bool,
    /// Whether a quantised base works on one GPU alone.
    pub(super) quantises_alone: bool,
}

const KNOWN: [TuneModel; 4] = [
    small("llama3.2", "1b", "llama3_2/1B", true),
    small("llama3.2", "3b", "llama3_2/3B", true),
    small("qwen2.5", "1.5b", "qwen2_5/1.5B", false),
    TuneModel {
        many_nodes: true,
        quantises_alone: false,
        ..small("llama3.3", "70b", "llama3_3/70B", true)
    },
];

const fn small(family: &'static str, size: &'static str, config: &'static str, quantises: bool) -> TuneModel {
    TuneModel {
        family,
        size,
        config,
        many_nodes: false,
        quantises,
        quantises_alone: true,
    }
}

impl TuneModel {
    /// The model of a runtime, by its name; none when Trainer would not know it.
    pub fn of_runtime(name: &str) -> Option<Self> {
        let mut fields = name.split('-');
        let (Some(_), Some(family), Some(size), None) = (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return None;
        };
        // Trainer makes `llama3_2/1B` of the fields, so `Llama3.2` is another model to it, but `1B` and `1b` are one.
        let same = |model: &&Self| family.replace('.', "_") == model.family_config() && same_word(size, model.size);
        KNOWN.iter().find(same).copied()
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        KNOWN.into_iter()
    }

    /// The model as torchtune's configurations name it, such as `llama3_2/1B`.
    pub fn config(self) -> &'static str {
        self.config
    }

    /// The model as people name it, such as `llama3.2 1b`.
    pub fn words(self) -> String {
        format!("{} {}", self.family, self.size)
    }

    /// Whether a name of a repository or a path says that it holds this model: `Llama-3.2-1B-Instruct`.
    pub fn is_named(self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        name.split('/').any(|part| {
            let words: Vec<&str> = part.split(['-', '_', ' ']).collect();
            let joined = words.windows(2).any(|two| two.concat() == self.family);
            (joined || words.contains(&self.family)) && words.contains(&self.size)
        })
    }

    /// Whether QLoRA of it runs on one GPU alone.
    pub fn needs_one_gpu(self) -> bool {
        self.quantises && self.quantises_alone
    }

    fn family_config(self) -> &'static str {
        self.config.split('/').next().unwrap_or_default()
    }
}

fn same_word(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_runtime_tells_its_model() {
        for (name, model) in [
            ("torchtune-llama3.2-1b", Some("llama3_2/1B")),
            ("torchtune-llama3.2-3b", Some("llama3_2/3B")),
            ("torchtune-llama3_2-3B", Some("llama3_2/3B")),
            ("torchtune-llama3.3-70b", Some("llama3_3/70B")),
            ("torchtune-qwen2.5-1.5b", Some("qwen2_5/1.5B")),
            ("mine-qwen2.5-1.5b", Some("qwen2_5/1.5B")),
            ("torchtune-qwen2.5-1.5b-copy", None),
            ("my-torchtune-llama3.2-1b", None),
            ("torchtune-llama3.1-8b", None),
            ("torchtune", None),
        ] {
            assert_eq!(TuneModel::of_runtime(name).map(TuneModel::config), model, "{name}");
        }
    }

    #[test]
    fn a_repository_tells_its_model() {
        let of = |name: &str| -> Vec<&str> {
            TuneModel::all()
                .filter(|model| model.is_named(name))
                .map(TuneModel::config)
                .collect()
        };
        for (name, want) in [
            ("meta-llama/Llama-3.2-1B-Instruct", "llama3_2/1B"),
            ("unsloth/Meta-Llama-3.2_3B", "llama3_2/3B"),
            ("Qwen/Qwen2.5-1.5B-Instruct", "qwen2_5/1.5B"),
            ("Qwen/Qwen2.5-Coder-1.5B", "qwen2_5/1.5B"),
            ("models/llama-3.3-70b/final", "llama3_3/70B"),
        ] {
            assert_eq!(of(name), [want], "{name}");
        }
        for name in [
            "meta-llama/Llama-3.2-11B-Vision",
            "Qwen/Qwen2.5-7B",
            "Qwen/Qwen2-1.5B",
            "models/final",
            "llama",
        ] {
            assert!(of(name).is_empty(), "{name}");
        }
    }
}
