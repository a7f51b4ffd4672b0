//! Writes the sample data of `tests/data` anew: `cargo run -p emulator --bin make-data`.

use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data");
    for (name, bytes) in emulator::sample::files() {
        println!("{name}: {} bytes", bytes.len());
        std::fs::write(folder.join(name), bytes)?;
    }
    Ok(())
}
