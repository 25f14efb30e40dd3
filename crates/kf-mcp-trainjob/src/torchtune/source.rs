//! [`Source`]: where a model or a dataset comes from, and where the job then has it.

use super::{DATASET_PATH, MODEL_PATH};
use crate::ClaimMount;

/// As long as Trainer takes an address.
const LONGEST: usize = 2048;
/// Endings of files that hold a dataset, with the format that they tell.
const ENDINGS: [(&str, &str); 10] = [
    ("json", "json"),
    ("jsonl", "json"),
    ("ndjson", "json"),
    ("csv", "csv"),
    ("tsv", "csv"),
    ("parquet", "parquet"),
    ("arrow", "arrow"),
    ("txt", "text"),
    ("text", "text"),
    ("xml", "xml"),
];
/// Endings of compressed files, after the one that tells the format.
const PACKED: [&str; 5] = ["gz", "zst", "bz2", "xz", "zip"];

/// Where a model or dataset comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A repository of the Hugging Face Hub, and a path in it.
    Hub {
        /// `ORGANISATION/NAME`.
        repo: String,
        /// The path, without slashes around it; empty for all of it.
        path: String,
    },
    /// A bucket, and the beginning of the keys of its objects.
    S3 {
        /// The bucket.
        bucket: String,
        /// A file, or a directory with a slash at its end; empty for all of it.
        prefix: String,
    },
    /// A volume claim of the job's namespace, and a path in it.
    Claim {
        /// The claim.
        claim: String,
        /// The path, without slashes around it; empty for all of it.
        path: String,
    },
}

/// Where the job has its dataset, as torchtune's loader wants it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// A directory.
    Dir(String),
    /// A file, or a pattern of files.
    Files(String),
}

impl Data {
    /// The format that the name of the file tells.
    pub fn format(&self) -> Option<&'static str> {
        match self {
            Self::Dir(_) => None,
            Self::Files(path) => format(path),
        }
    }
}

/// What stands before the name of a dataset in addresses of the Hub.
const DATASETS: &str = "datasets/";

impl Source {
    /// Reads where a model comes from: `hf://org/name`, `org/name`, `s3://bucket/path`, `pvc://claim/path`.
    pub fn model(text: &str) -> Result<Self, String> {
        let place = text
            .trim()
            .trim_start_matches("https://huggingface.co/")
            .trim_start_matches("hf://");
        if place.starts_with(DATASETS) {
            return Err("names a dataset of the Hub: give a model, like hf://ORG/NAME".into());
        }
        let source = Self::read(text)?;
        match source {
            Self::Hub { path, .. } if !path.is_empty() => {
                Err("must name a repository of the Hub, ORG/NAME, without a path in it".into())
            }
            // A prefix without its slash would take in `llama-2` beside `llama`.
            Self::S3 { bucket, prefix } => Ok(Self::S3 {
                bucket,
                prefix: directory(&prefix),
            }),
            other => Ok(other),
        }
    }

    /// Reads where a dataset comes from: as a model, and a path in a repository.
    pub fn dataset(text: &str) -> Result<Self, String> {
        match Self::read(text)? {
            Self::S3 { prefix, .. } if prefix.contains('*') => {
                Err("has a `*`, and S3 is read by the beginning of keys: name a directory".into())
            }
            Self::S3 { bucket, prefix } if !is_file(&prefix) => Ok(Self::S3 {
                bucket,
                prefix: directory(&prefix),
            }),
            other => Ok(other),
        }
    }

    fn read(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.len() > LONGEST {
            return Err(format!("must have at most {LONGEST} characters"));
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err("must not contain spaces".into());
        }
        let (scheme, rest) = text.split_once("://").unwrap_or(("hf", text));
        match scheme {
            "hf" => hub(rest),
            "https" => rest.strip_prefix("huggingface.co/").map_or_else(|| Err(forms()), hub),
            "s3" => {
                let (bucket, prefix) = split(rest);
                let good = (3..=63).contains(&bucket.len()) && is_word(bucket);
                let prefix = prefix.trim_start_matches('/').to_owned();
                if !good {
                    return Err(
                        "must be like s3://BUCKET/PATH, with a bucket of 3 to 63 characters a-z, 0-9, `.` and `-`"
                            .into(),
                    );
                }
                inside(&prefix)?;
                Ok(Self::S3 {
                    bucket: bucket.to_owned(),
                    prefix,
                })
            }
            "pvc" => {
                let (claim, path) = split(rest);
                let good =
                    is_word(claim) && claim.len() <= 253 && !claim.bytes().any(|c| c.is_ascii_uppercase() || c == b'_');
                if !good {
                    return Err("must be like pvc://CLAIM/PATH, with a claim of the job's namespace".into());
                }
                inside(path)?;
                Ok(Self::Claim {
                    claim: claim.to_owned(),
                    path: path.trim_matches('/').to_owned(),
                })
            }
            _ => Err(forms()),
        }
    }

    /// The address for an initializer. A claim has none: no initializer reads one.
    pub fn uri(&self) -> Option<String> {
        match self {
            Self::Hub { repo, path } if path.is_empty() => Some(format!("hf://{repo}")),
            Self::Hub { repo, path } => Some(format!("hf://{repo}/{path}")),
            Self::S3 { bucket, prefix } => Some(format!("s3://{bucket}/{prefix}")),
            Self::Claim { .. } => None,
        }
    }

    /// What its name may tell about a model.
    pub fn name(&self) -> &str {
        match self {
            Self::Hub { repo, .. } => repo,
            Self::S3 { prefix: path, .. } | Self::Claim { path, .. } => path,
        }
    }

    /// Where the job has this dataset. The initializer keeps the paths of a repository, and drops the prefix of a bucket.
    pub fn data(&self) -> Data {
        let at = |path: &str| {
            let path = path.trim_matches('/');
            if path.is_empty() {
                DATASET_PATH.to_owned()
            } else {
                format!("{DATASET_PATH}/{path}")
            }
        };
        match self {
            Self::Hub { path, .. } if is_file(path) => Data::Files(at(path)),
            Self::Hub { path, .. } => Data::Dir(at(path)),
            Self::S3 { prefix: path, .. } | Self::Claim { path, .. } if is_file(path) => Data::Files(at(last(path))),
            Self::S3 { .. } | Self::Claim { .. } => Data::Dir(at("")),
        }
    }

    /// The mount of a claim that holds this dataset; none for other sources.
    pub fn dataset_mount(&self) -> Option<ClaimMount> {
        let Self::Claim { claim, path } = self else {
            return None;
        };
        let directory = if is_file(path) {
            path.rsplit_once('/').map_or("", |(directory, _)| directory)
        } else {
            path
        };
        Some(ClaimMount {
            claim: claim.clone(),
            sub_path: directory.to_owned(),
            at: DATASET_PATH.to_owned(),
        })
    }

    /// The mount of a claim that holds this model; none for other sources.
    pub fn model_mount(&self) -> Option<ClaimMount> {
        let Self::Claim { claim, path } = self else {
            return None;
        };
        Some(ClaimMount {
            claim: claim.clone(),
            sub_path: path.clone(),
            at: MODEL_PATH.to_owned(),
        })
    }
}

fn forms() -> String {
    "must be like hf://ORG/NAME, ORG/NAME, s3://BUCKET/PATH or pvc://CLAIM/PATH".into()
}

/// The initializer takes the first two segments for the repository, and fails when there is one.
fn hub(rest: &str) -> Result<Source, String> {
    // As the Hub's own addresses say it; a model has nothing before its organisation.
    let rest = rest.strip_prefix(DATASETS).unwrap_or(rest);
    if rest.starts_with("spaces/") {
        return Err("names a space of the Hub, which has neither weights nor data".into());
    }
    let mut parts = rest.splitn(3, '/');
    let (organisation, name) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let path = parts.next().unwrap_or_default().trim_matches('/');
    if !organisation.is_empty() && name.is_empty() {
        return Err(format!(
            "must name the organisation too, like hf://ORG/{}",
            organisation.chars().take(80).collect::<String>()
        ));
    }
    if ![organisation, name]
        .iter()
        .all(|word| word.len() <= 96 && is_word(word))
    {
        return Err(forms());
    }
    inside(path)?;
    Ok(Source::Hub {
        repo: format!("{organisation}/{name}"),
        path: path.to_owned(),
    })
}

fn split(rest: &str) -> (&str, &str) {
    rest.split_once('/').unwrap_or((rest, ""))
}

/// Letters, digits, `.`, `-` and `_`, beginning and ending with a letter or digit.
fn is_word(word: &str) -> bool {
    word.bytes()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b'_'))
        && word.starts_with(|c: char| c.is_ascii_alphanumeric())
        && word.ends_with(|c: char| c.is_ascii_alphanumeric())
}

/// A path that stays below where it begins, in words that need no quoting on the way.
fn inside(path: &str) -> Result<(), String> {
    if path.split('/').any(|part| part == ".." || part == ".") || path.contains("//") {
        return Err("must have a path without empty parts, `.` and `..`".into());
    }
    let odd = |c: char| !(c.is_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | '*' | '+' | '=' | '@'));
    match path.chars().find(|c| odd(*c)) {
        Some(c) => Err(format!("has a path with `{c}`, which cannot be passed on")),
        None => Ok(()),
    }
}

fn directory(prefix: &str) -> String {
    if prefix.is_empty() || prefix.ends_with('/') {
        prefix.to_owned()
    } else {
        format!("{prefix}/")
    }
}

fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// Whether a path ends in a file: by its last part alone, which may be a directory called `v1.2`.
fn is_file(path: &str) -> bool {
    format(path).is_some() || last(path).contains('*')
}

fn format(path: &str) -> Option<&'static str> {
    let mut words = last(path).rsplit('.');
    let mut ending = words.next()?;
    if PACKED.iter().any(|packed| packed.eq_ignore_ascii_case(ending)) {
        ending = words.next()?;
    }
    // A name without a dot, or with nothing before it, has no ending.
    words.next().filter(|name| !name.is_empty())?;
    let known = ENDINGS.iter().find(|(known, _)| known.eq_ignore_ascii_case(ending));
    known.map(|(_, format)| *format)
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
