//! Writes the bill of materials into the target folder: `cargo sbom`.

fn main() -> Result<(), sbom::Failure> {
    println!("{}", sbom::write()?.display());
    Ok(())
}
