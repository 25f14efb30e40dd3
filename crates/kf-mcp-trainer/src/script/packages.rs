//! What pip may be told to install, and where from. Nothing of it can become an option of pip or hold a password.

use std::sync::LazyLock;

use kf_mcp_core::{redact, text};
use regex::Regex;

use crate::submit::Problems;

/// As many packages as one job installs.
const MOST_PACKAGES: usize = 100;
/// As many places as pip looks.
const MOST_URLS: usize = 10;
/// The longest package or URL.
const MOST_CHARACTERS: usize = 500;

/// `name[extra] >=1.0,<2 ; python_version < "3.12"`: what pip calls a requirement.
static REQUIREMENT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?",
        r"(?: *\[ *[A-Za-z0-9._-]+(?: *, *[A-Za-z0-9._-]+)* *\])?",
        r"(?: *\(? *(?:===|==|~=|!=|<=|>=|<|>) *[A-Za-z0-9.*+!_-]+(?: *, *(?:===|==|~=|!=|<=|>=|<|>) *[A-Za-z0-9.*+!_-]+)* *\)?)?",
        r#"(?: *; *[A-Za-z0-9_.'"<>=!~() -]+)?$"#,
    ))
    .ok()
});
/// `name @ https://…`, `https://…`, `git+https://…`, or a file of the image.
static PLACE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"^(?:[A-Za-z0-9][A-Za-z0-9._-]*(?:\[[A-Za-z0-9._, -]+\])? *@ *)?",
        r"(?:(?:https|git\+https|file)://[^\s]+|/[^\s]+)$",
    ))
    .ok()
});

/// Checks packages and index URLs.
pub(super) fn check(packages: &[String], urls: &[String], problems: &mut Problems, warnings: &mut Vec<String>) {
    for (field, has, most) in [
        ("packages", packages.len(), MOST_PACKAGES),
        ("pip_index_urls", urls.len(), MOST_URLS),
    ] {
        if has > most {
            problems.add(field, format!("has {has} items, at most {most} are possible"));
        }
    }
    for (at, package) in packages.iter().enumerate() {
        if let Err(why) = of_package(package) {
            problems.add(format!("packages[{at}]"), why);
        } else if has_password(package) {
            problems.add(format!("packages[{at}]"), PASSWORD);
        }
    }
    for (at, url) in urls.iter().enumerate() {
        let field = format!("pip_index_urls[{at}]");
        match of_url(url) {
            Err(why) => problems.add(field, why),
            Ok(_) if has_password(url) => {
                problems.add(field, PASSWORD);
                problems.fix(concat!(
                    "leave the URL out and set it by reference, for example ",
                    r#"env {"PIP_EXTRA_INDEX_URL": {"secretKeyRef": {"name": "SECRET", "key": "KEY"}}}"#
                ));
            }
            Ok(false) => warnings.push(format!(
                "packages come from {} without encryption",
                text::bounded(&text::clean(url), 100)
            )),
            Ok(true) => {}
        }
    }
    if packages.is_empty() && !urls.is_empty() {
        warnings.push("pip_index_urls has no effect without packages".into());
    }
}

/// What is said of a URL with a user and a password.
const PASSWORD: &str = "has a user or password in it, which everybody who may read the job could see";

/// What is wrong with a requirement, if anything.
fn of_package(package: &str) -> Result<(), String> {
    let (Some(requirement), Some(place)) = (REQUIREMENT.as_ref(), PLACE.as_ref()) else {
        return Err("cannot be checked".into());
    };
    if package.len() > MOST_CHARACTERS {
        Err(format!("must have at most {MOST_CHARACTERS} characters"))
    } else if package.starts_with('-') {
        Err("must be a package, not an option of pip".into())
    } else if package.chars().any(char::is_control) || !(requirement.is_match(package) || place.is_match(package)) {
        Err(
            r#"must be a package as pip names it, like "numpy", "datasets>=3,<4" or "name @ https://host/file.whl""#
                .into(),
        )
    } else {
        Ok(())
    }
}

/// Whether an index is reached by https, or what is wrong with it.
fn of_url(url: &str) -> Result<bool, String> {
    let encrypted = url.strip_prefix("https://");
    let Some(rest) = encrypted.or_else(|| url.strip_prefix("http://")) else {
        return Err("must begin with https:// or http://".into());
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.is_empty() || url.len() > MOST_CHARACTERS {
        Err(format!(
            "must name a host and have at most {MOST_CHARACTERS} characters"
        ))
    } else if url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        Err("must not contain spaces".into())
    } else {
        Ok(encrypted.is_some())
    }
}

fn has_password(url: &str) -> bool {
    let after = url.split_once("://").map(|(_, rest)| rest).unwrap_or_default();
    let host = after.split(['/', '?', '#']).next().unwrap_or_default();
    // `git+https://host/repository@branch` has no user: only what is before the host is one.
    host.contains('@') && !host.starts_with("git@") || redact::secrets(url) != url
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(packages: &[&str], urls: &[&str]) -> String {
        let owned = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        let mut problems = Problems::default();
        check(&owned(packages), &owned(urls), &mut problems, &mut Vec::new());
        problems
            .settle("t")
            .map_err(|error| error.answered)
            .err()
            .unwrap_or_default()
    }

    #[test]
    fn packages_are_what_pip_calls_requirements() {
        let good = [
            "numpy",
            "datasets>=3,<4",
            "torch==2.9.*",
            "accelerate ~= 1.2",
            "transformers[torch,sentencepiece]>=4.50",
            r#"uvloop; sys_platform != "win32""#,
            "flash-attn @ https://example.com/flash_attn-2.8-cp312.whl",
            "git+https://github.com/huggingface/peft@main",
            "/opt/wheels/own-1.0-py3-none-any.whl",
            "a!=1.0,==2!1.0+local",
        ];
        assert_eq!(told(&good, &[]), "");
        for bad in [
            "",
            "-r/etc/passwd",
            "--index-url=https://x",
            "numpy --pre",
            "numpy;$(id)",
            "numpy\nrm",
            "a b",
            "a; rm -rf /`id`",
            "ssh://x/y",
            "numpy>=",
            "a\u{200b}",
            "https://user:pw@host/a.whl",
        ] {
            assert!(told(&[bad], &[]).contains("`packages[0]`"), "{bad}");
        }
    }

    #[test]
    fn indexes_are_urls_without_passwords() {
        assert_eq!(
            told(
                &["a"],
                &["https://pypi.org/simple", "http://mirror.local:3141/root/pypi/+simple/"]
            ),
            ""
        );
        for bad in [
            "pypi.org",
            "file:///x",
            "https://",
            "https://a b",
            "https://u:p@host/simple",
            "https://token@host/",
        ] {
            assert!(told(&["a"], &[bad]).contains("`pip_index_urls[0]`"), "{bad}");
        }
        let error = told(&["a"], &["https://u:hunter2@host/simple"]);
        assert!(!error.contains("hunter2"), "{error}");
    }
}
