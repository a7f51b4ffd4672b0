//! What is deployed, as a `CycloneDX` bill of materials: the functions and the crates that are linked into them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

/// What went wrong.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A crate: its name and its version.
type Krate = (String, String);

/// The bill of materials. The same for the same `Cargo.lock`: it bears no date and no serial number.
///
/// # Errors
///
/// Where cargo cannot tell, or `Cargo.lock` lacks the checksum of a crate.
pub fn sbom() -> Result<Value, Failure> {
    let tree = tree()?;
    let checksums = checksums(&fs::read_to_string(root().join("Cargo.lock"))?);
    let (mut licences, mut edges) = (BTreeMap::new(), BTreeMap::<Krate, BTreeSet<Krate>>::new());
    let (mut functions, mut above) = (BTreeSet::new(), Vec::<Krate>::new());
    for line in tree.lines().filter(|line| !line.is_empty()) {
        let (depth, krate, licence) = read(line).ok_or_else(|| format!("cargo tree: {line:?}"))?;
        above.truncate(depth);
        match above.last() {
            Some(parent) => drop(edges.entry(parent.clone()).or_default().insert(krate.clone())),
            None => drop(functions.insert(krate.clone())),
        }
        // An entry for each: one that depends on nothing is to say so.
        edges.entry(krate.clone()).or_default();
        licences.insert(krate.clone(), licence);
        above.push(krate);
    }

    let mut components = Vec::new();
    for (krate, licence) in licences {
        let (name, version) = &krate;
        let kind = if functions.contains(&krate) { "application" } else { "library" };
        let mut component = json!({
            "type": kind, "bom-ref": reference(&krate), "name": name, "version": version,
            "licenses": [{ "expression": licence }],
        });
        match checksums.get(&krate) {
            Some(Some(sha256)) => {
                component["purl"] = reference(&krate).into();
                component["hashes"] = json!([{ "alg": "SHA-256", "content": sha256 }]);
            }
            // One of the workspace's own, which no registry has.
            Some(None) => {}
            None => return Err(format!("{name} {version} is not in Cargo.lock").into()),
        }
        components.push(component);
    }
    let top = (String::from("lookalike-stack"), env!("CARGO_PKG_VERSION").to_owned());
    let dependencies: Vec<Value> = [(&top, &functions)]
        .into_iter()
        .chain(&edges)
        .map(|(of, on)| json!({ "ref": reference(of), "dependsOn": on.iter().map(reference).collect::<Vec<_>>() }))
        .collect();
    Ok(json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": { "type": "application", "bom-ref": reference(&top), "name": top.0, "version": top.1 },
        },
        "components": components,
        "dependencies": dependencies,
    }))
}

/// Writes [`sbom`] into the target folder, and answers where.
///
/// # Errors
///
/// As [`sbom`]; and where the file cannot be written.
pub fn write() -> Result<PathBuf, Failure> {
    let folder = root().join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into())).join("sbom");
    fs::create_dir_all(&folder)?;
    let path = folder.join("lookalike.cdx.json");
    fs::write(&path, serde_json::to_string_pretty(&sbom()?)? + "\n")?;
    Ok(path)
}

/// What `cargo tree` says of the functions. `cargo metadata` would name what only the tests' features ask for too.
fn tree() -> Result<String, Failure> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root()).args(["tree", "--locked", "--edges", "normal,no-proc-macro"]);
    cargo.args(["--target", "aarch64-unknown-linux-gnu", "--target", "x86_64-unknown-linux-gnu"]);
    cargo.args(["--prefix", "depth", "--format", "\t{p}\t{l}\t"]);
    for function in fs::read_dir(root().join("functions"))? {
        cargo.arg("--package").arg(function?.file_name());
    }
    let output = cargo.output()?;
    if output.status.success() {
        Ok(String::from_utf8(output.stdout)?)
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into())
    }
}

/// `2<tab>http v1.5.0<tab>MIT OR Apache-2.0<tab> (*)`: how deep, what, and its licence as SPDX writes it today.
fn read(line: &str) -> Option<(usize, Krate, String)> {
    let mut fields = line.split('\t');
    let depth = fields.next()?.parse().ok()?;
    let mut krate = fields.next()?.split(' ');
    let krate = (krate.next()?.to_owned(), krate.next()?.strip_prefix('v')?.to_owned());
    let licence = fields.next()?.split('/').map(str::trim).collect::<Vec<_>>().join(" OR ");
    Some((depth, krate, licence))
}

/// The crates of a `Cargo.lock`, with the SHA-256 of those that are a registry's.
fn checksums(lock: &str) -> HashMap<Krate, Option<String>> {
    let value = |package: &str, key: &str| {
        let line = package.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "))?;
        Some(line.trim_matches('"').to_owned())
    };
    lock.split("[[package]]")
        .filter_map(|package| Some(((value(package, "name")?, value(package, "version")?), value(package, "checksum"))))
        .collect()
}

/// The package URL of a crate.
fn reference((name, version): &Krate) -> String {
    format!("pkg:cargo/{name}@{version}")
}

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}
