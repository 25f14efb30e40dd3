//! `filterQuery`: the registry's filter language, built so that no text can leave its quotes.
//!
//! Its keywords are upper case only, `<>` means `=`, and `LIKE` takes `%` and `_` as wildcards. Names are compared without
//! case on MySQL and with case on PostgreSQL, so whoever filters checks the answer again.

use kf_mcp_core::ToolError;

/// Conditions that all hold.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    conditions: Vec<String>,
}

impl Filter {
    /// The property is exactly this text. `argument` is what the caller wrote it in.
    pub(crate) fn equals(mut self, property: &str, text: &str, argument: &str) -> Result<Self, ToolError> {
        self.conditions
            .push(format!("{property} = {}", quoted(text, argument)?));
        Ok(self)
    }

    /// The property contains this text, whatever its case.
    pub(crate) fn contains(mut self, property: &str, text: &str, argument: &str) -> Result<Self, ToolError> {
        let pattern = format!("%{}%", literal(text));
        self.conditions
            .push(format!("{property} ILIKE {}", quoted(&pattern, argument)?));
        Ok(self)
    }

    /// The query, empty without conditions.
    pub(crate) fn query(&self) -> String {
        self.conditions.join(" AND ")
    }
}

/// A text that `LIKE` takes for itself: the wildcards and the escape character escaped.
pub(crate) fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// A string literal of the filter language. It takes printable ASCII only.
fn quoted(text: &str, argument: &str) -> Result<String, ToolError> {
    if let Some(odd) = text.chars().find(|c| !matches!(c, ' '..='~')) {
        let code = u32::from(odd);
        let why = format!("has the character U+{code:04X}, and the registry filters by printable ASCII only");
        return Err(ToolError::argument(argument, why).fix("search for an ASCII part of it, or leave it out"));
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    Ok(out)
}

/// A text as part of a URL's path or query.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(byte as char),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stay_in_their_quotes() {
        for (text, query) in [
            ("alpha", r#"name = "alpha""#),
            (r#"a" OR name != ""#, r#"name = "a\" OR name != \"""#),
            (r"a\", r#"name = "a\\""#),
            ("it's", r#"name = "it's""#),
            ("-- x", r#"name = "-- x""#),
        ] {
            assert_eq!(Filter::default().equals("name", text, "name").unwrap().query(), query);
        }
    }

    #[test]
    fn wildcards_are_taken_for_themselves() {
        for (text, query) in [
            ("bert", r#"name ILIKE "%bert%""#),
            ("50%_x", r#"name ILIKE "%50\\%\\_x%""#),
            (r"a\b", r#"name ILIKE "%a\\\\b%""#),
        ] {
            assert_eq!(
                Filter::default().contains("name", text, "query").unwrap().query(),
                query
            );
        }
        assert_eq!(literal(r"my_m%d\l"), r"my\_m\%d\\l");
    }

    #[test]
    fn conditions_are_joined_and_none_is_empty() {
        let filter = Filter::default().equals("state", "LIVE", "state").unwrap();
        let filter = filter.contains("name", "a", "query").unwrap();
        assert_eq!(filter.query(), r#"state = "LIVE" AND name ILIKE "%a%""#);
        assert_eq!(Filter::default().query(), "");
    }

    #[test]
    fn what_the_language_cannot_say_is_refused_on_its_argument() {
        for (text, code) in [
            ("a\nb", "U+000A"),
            ("\0", "U+0000"),
            ("naïve", "U+00EF"),
            ("\u{7f}", "U+007F"),
        ] {
            let error = Filter::default().contains("name", text, "query").unwrap_err();
            assert_eq!(error.field.as_deref(), Some("query"));
            assert!(error.answered.contains(code), "{}", error.answered);
        }
    }

    #[test]
    fn urls_carry_any_text() {
        assert_eq!(encoded("org/na me?#%_'\"x"), "org%2Fna%20me%3F%23%25_%27%22x");
        assert_eq!(encoded("ä"), "%C3%A4");
    }
}
