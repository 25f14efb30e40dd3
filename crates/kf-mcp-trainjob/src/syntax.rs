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
        reference(image)
    }
}

/// The grammar of image references: `[DOMAIN/]PATH[:TAG][@DIGEST]`. A kubelet refuses others when the job is there already.
fn reference(image: &str) -> Result<(), String> {
    let (named, digest) = image
        .split_once('@')
        .map_or((image, None), |(named, digest)| (named, Some(digest)));
    if let Some(digest) = digest {
        let good = digest.split_once(':').is_some_and(|(kind, hex)| {
            let long = if kind == "sha256" {
                hex.len() == 64
            } else {
                hex.len() >= 32
            };
            long && hex.bytes().all(|c| c.is_ascii_hexdigit())
        });
        if !good {
            return Err("must have a digest such as sha256: and 64 hexadecimal digits after `@`".into());
        }
    }
    let (path, tag) = match named.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
        _ => (named, None),
    };
    let is_tag = |tag: &str| {
        let word = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
        (1..=128).contains(&tag.len())
            && tag.bytes().next().is_some_and(word)
            && tag.bytes().all(|c| word(c) || matches!(c, b'.' | b'-'))
    };
    if !tag.is_none_or(is_tag) {
        return Err("must have a tag of letters, digits, `.`, `_` and `-` after `:`".into());
    }
    let is_part = |part: &str| {
        let word = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
        let ends = |c: Option<u8>| c.is_some_and(word);
        ends(part.bytes().next())
            && ends(part.bytes().next_back())
            && part.bytes().all(|c| word(c) || matches!(c, b'.' | b'_' | b'-'))
            && !part.contains("..")
    };
    let is_domain = |part: &str| {
        let (host, port) = part.split_once(':').unwrap_or((part, "0"));
        let host_good = host
            .split('.')
            .all(|label| !label.is_empty() && label.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-'));
        host_good && !port.is_empty() && port.bytes().all(|c| c.is_ascii_digit())
    };
    let (first, rest) = path.split_once('/').unwrap_or(("", path));
    let domain = first.contains(['.', ':']) || first == "localhost";
    let good_first = if domain {
        is_domain(first)
    } else {
        first.is_empty() && !path.contains('/') || is_part(first)
    };
    if good_first && rest.split('/').all(is_part) {
        Ok(())
    } else {
        Err("must be like REGISTRY/PATH:TAG, with a path of a-z, 0-9, `.`, `_`, `-` and `/`".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_checked_as_kubelets_do() {
        let digest = "0123456789abcdef".repeat(4);
        for good in [
            "busybox",
            "pytorch/pytorch:2.9.1-cuda12.8-cudnn9-runtime",
            "ghcr.io/org/deep/train_x:V1.2",
            "localhost:5000/a",
            "127.0.0.1:5000/a/b--c",
            &format!("nvcr.io/nvidia/pytorch:25.01-py3@sha256:{digest}"),
        ] {
            assert_eq!(image(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "a b",
            "https://a/b",
            "repo/UPPER:tag",
            "a/",
            "/a",
            "a//b",
            "ghcr.io/org/../x",
            "ghcr.io/org/-x",
            "a:",
            "a:b c",
            "a:!",
            "img@sha256:xyz",
            "img@sha256:0123456789abcdef0123456789abcdef",
            "user:pass@reg.io/x",
            "<the right image>",
            "a..b",
        ] {
            assert!(image(bad).is_err(), "{bad}");
        }
    }

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
    fn variables_are_checked() {
        assert!(env_name("HF_HOME").is_ok() && env_name("_a.b-c").is_ok());
        assert!(
            env_name("").is_err() && env_name("1A").is_err() && env_name("A B").is_err() && env_name("A=").is_err()
        );
    }
}
