//! The syntax of labels, variables and images, as Kubernetes checks it.

/// What is wrong with a label or annotation key, if anything.
pub fn label_key(key: &str) -> Result<(), String> {
    let (prefix, name) = match key.rsplit_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    if let Some(prefix) = prefix {
        let part = |part: &str| {
            let edges = part.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
                && part.ends_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
            edges
                && part
                    .bytes()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
        };
        if prefix.len() > 253 || !prefix.split('.').all(part) {
            return Err("the part before the slash must be a domain name in lower case".into());
        }
    }
    if name.is_empty() || !is_word(name) {
        return Err(
            "must be at most 63 letters, digits, `-`, `_` or `.`, beginning and ending with a letter or digit".into(),
        );
    }
    Ok(())
}

/// What is wrong with a label's value, if anything.
pub fn label_value(value: &str) -> Result<(), String> {
    if value.is_empty() || is_word(value) {
        Ok(())
    } else {
        Err("must be at most 63 letters, digits, `-`, `_` or `.`, beginning and ending with a letter or digit".into())
    }
}

fn is_word(text: &str) -> bool {
    text.len() <= 63
        && text
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.'))
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.ends_with(|c: char| c.is_ascii_alphanumeric())
}

/// What is wrong with the name of a variable, if anything. The older and narrower rule: newer clusters accept more, but
/// older ones would refuse the pod long after the job was accepted.
pub fn env_name(name: &str) -> Result<(), String> {
    let good = name
        .bytes()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.'))
        && name.starts_with(|c: char| !c.is_ascii_digit())
        && name != "."
        && !name.starts_with("..");
    if good {
        Ok(())
    } else {
        Err("must be letters, digits, `_`, `-` or `.`, not beginning with a digit".into())
    }
}

/// What is wrong with the name of an image, if anything.
pub fn image(image: &str) -> Result<(), String> {
    if image.is_empty() {
        Err("must not be empty".into())
    } else if image.chars().any(|c| c.is_whitespace() || c.is_control()) {
        Err("must not contain spaces".into())
    } else if image.len() > 500 {
        Err("must have at most 500 characters".into())
    } else if image.contains("://") {
        Err("must be an image name without `https://`".into())
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_checked_as_kubernetes_does() {
        for good in ["a", "kubeflow-mcp/managed-by", "app.kubernetes.io/Name", "A_b.c"] {
            assert_eq!(label_key(good), Ok(()), "{good}");
        }
        for bad in ["", "/a", "a/", "A/b", "a/b/c", "a b", "-a", &"a".repeat(64)] {
            assert!(label_key(bad).is_err(), "{bad}");
        }
        assert!(label_value("").is_ok() && label_value("v1.0_x").is_ok());
        assert!(label_value("a b").is_err() && label_value("-").is_err());
    }

    #[test]
    fn variables_and_images_are_checked() {
        assert!(env_name("HF_HOME").is_ok() && env_name("_a.b-c").is_ok());
        assert!(
            env_name("").is_err() && env_name("1A").is_err() && env_name("A B").is_err() && env_name("A=").is_err()
        );
        assert!(image("ghcr.io/o/train@sha256:00").is_ok());
        assert!(image("").is_err() && image("a b").is_err() && image("https://x/y").is_err());
    }
}
