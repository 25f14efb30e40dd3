//! [`Pattern`]: text with wildcards, as a policy names tools, namespaces and images.

use std::fmt;

use globset::{GlobBuilder, GlobMatcher};

/// Text with wildcards: `*` is any characters (also `/`), `?` is one, `[ab]` one of some, `{a,b}` one of some words.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    matcher: GlobMatcher,
}

impl Pattern {
    /// Reads a pattern. The error says in words what is wrong with it.
    pub fn new(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() || text.trim() != text {
            return Err("is empty, or begins or ends with a space".into());
        }
        let glob = GlobBuilder::new(text).backslash_escape(false).build();
        let glob = glob.map_err(|error| format!("is no pattern: {}", error.kind()))?;
        Ok(Self {
            text: text.to_owned(),
            matcher: glob.compile_matcher(),
        })
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it fits a name.
    pub fn matches(&self, name: &str) -> bool {
        self.matcher.is_match(name)
    }

    /// The one name that it fits, when it has no wildcard.
    pub fn literal(&self) -> Option<&str> {
        (!self.text.contains(['*', '?', '[', ']', '{', '}'])).then_some(&self.text)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The patterns in one line.
pub(super) fn words(patterns: &[Pattern]) -> String {
    let words: Vec<&str> = patterns.iter().map(Pattern::as_str).collect();
    words.join(", ")
}

/// Whether an image is one of those that patterns name. An image without a registry is one of `docker.io`, as for every
/// container runtime. What goes up in a path or has empty parts is no image's name, and nothing of it is what a pattern meant.
pub(super) fn names_image(patterns: &[Pattern], image: &str) -> bool {
    if image.split('/').any(|part| part.chars().all(|c| c == '.')) {
        return false;
    }
    let first = image.split_once('/').map(|(first, _)| first);
    let full = match first {
        Some(first) if first.contains(['.', ':']) || first == "localhost" => image.to_owned(),
        Some(_) => format!("docker.io/{image}"),
        None => format!("docker.io/library/{image}"),
    };
    patterns
        .iter()
        .any(|pattern| pattern.matches(image) || pattern.matches(&full))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_fit_and_literals_are_told() {
        for (pattern, name, fits) in [
            ("ml-team-*", "ml-team-a", true),
            ("ml-team-*", "ml-team", false),
            ("ml-team-*", "not-ml-team-a", false),
            ("list_*", "list_training_jobs", true),
            ("team-?", "team-ab", false),
            ("{a,b}-x", "b-x", true),
            ("team-a", "team-a", true),
            ("team-a", "team-A", false),
        ] {
            assert_eq!(Pattern::new(pattern).unwrap().matches(name), fits, "{pattern} {name}");
        }
        assert_eq!(Pattern::new("team-a").unwrap().literal(), Some("team-a"));
        assert_eq!(Pattern::new("team-*").unwrap().literal(), None);
    }

    #[test]
    fn what_is_no_pattern_is_told() {
        for (text, said) in [("[a", "unclosed"), ("{a", "unclosed"), ("", "empty"), (" a", "space")] {
            let why = Pattern::new(text).unwrap_err();
            assert!(why.contains(said), "{text}: {why}");
        }
    }

    #[test]
    fn an_image_is_named_with_and_without_its_registry() {
        let patterns: Vec<Pattern> = ["ghcr.io/org/*", "docker.io/pytorch/*"]
            .map(|text| Pattern::new(text).unwrap())
            .to_vec();
        for (image, named) in [
            ("ghcr.io/org/train:1", true),
            ("ghcr.io/org/deep/train@sha256:0", true),
            ("ghcr.io/organised/train", false),
            ("ghcr.io/org/../other/train", false),
            ("ghcr.io/org/./train", false),
            ("ghcr.io/org//train", false),
            ("ghcr.io/org/", false),
            ("pytorch/pytorch:2.9", true),
            ("docker.io/pytorch/pytorch", true),
            ("localhost/pytorch/pytorch", false),
            ("busybox", false),
        ] {
            assert_eq!(names_image(&patterns, image), named, "{image}");
        }
    }
}
