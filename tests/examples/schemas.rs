//! Writes the `schemas.json` of every component, as its types say it now. `cargo xtask docs` runs it.

#![allow(clippy::print_stdout, reason = "it tells what it wrote")]

fn main() -> std::io::Result<()> {
    for kept in kf_mcp_tests::schemas::kept() {
        if kept.has != Some(kept.ought.as_str()) {
            std::fs::write(&kept.file, &kept.ought)?;
            println!("{}", kept.file.display());
        }
    }
    Ok(())
}
