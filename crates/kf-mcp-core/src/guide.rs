//! [`Guide`]: a text that a module offers to read, beside its tools.

/// A text for agents and people that clients list and read as a resource. It is the same for everybody: it says nothing of
/// a cluster, and what a persona may not do is no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guide {
    /// Where it is read: `kubeflow://MODULE/guides/NAME`.
    pub uri: &'static str,
    /// The short name, last part of the URI.
    pub name: &'static str,
    /// Name for people.
    pub title: &'static str,
    /// When to read it, in a sentence.
    pub description: &'static str,
    /// The text, in Markdown.
    pub text: &'static str,
}

impl Guide {
    /// What the texts are written in.
    pub const MIME_TYPE: &'static str = "text/markdown";

    /// What is wrong with the guide as one of a module's, in words, if anything.
    pub(crate) fn breach(&self, module: &str) -> Option<&'static str> {
        let place = self.uri.strip_prefix("kubeflow://");
        let place = place.and_then(|rest| rest.strip_prefix(module)?.strip_prefix("/guides/"));
        if place != Some(self.name) || !crate::names::is_label(self.name) {
            return Some("its uri is not kubeflow://MODULE/guides/NAME");
        }
        // Clients show these; an empty one is a row that nobody understands.
        [self.title, self.description, self.text]
            .iter()
            .any(|text| text.trim().is_empty())
            .then_some("its title, description or text is empty")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guide_is_below_its_module_and_says_something() {
        let good = Guide {
            uri: "kubeflow://trainer/guides/coming-from",
            name: "coming-from",
            title: "t",
            description: "d",
            text: "x",
        };
        assert_eq!(good.breach("trainer"), None);
        for bad in [
            Guide { name: "other", ..good },
            Guide {
                uri: "kubeflow://hub/guides/coming-from",
                ..good
            },
            Guide {
                uri: "https://trainer/guides/coming-from",
                ..good
            },
            Guide {
                uri: "kubeflow://trainer/guides/a b",
                name: "a b",
                ..good
            },
            Guide { text: " ", ..good },
        ] {
            assert!(bad.breach("trainer").is_some(), "{}", bad.uri);
        }
    }
}
