//! Reading a seed of the most users, as whole processes.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lookalike::lines::{OddFormats, PIECE_BYTES};
use lookalike::seed::{MOST_USERS, SeedReader, UPLOAD_INSTEAD};

use crate::Failure;
use crate::function::peak_memory;

/// How a seed may be read.
#[derive(Clone, Copy)]
pub(crate) enum Way {
    /// Counted where it lies.
    Count,
    /// Counted, and its clean copy made.
    Clean,
    /// Only taken: what a download takes by itself.
    Take,
}

impl Way {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Clean => "clean",
            Self::Take => "take",
        }
    }
}

/// Writes a seed of the most users, who look like random UUIDs.
pub(crate) fn write(file: &Path) -> Result<(), Failure> {
    let mut out = BufWriter::new(File::create(file)?);
    // Steps of an odd constant go through all numbers, and the same on every machine.
    let mut number = 0_u128;
    for _ in 0..MOST_USERS {
        number = number.wrapping_add(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        let hex = format!("{:032x}", number ^ (number >> 61));
        let id = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-");
        writeln!(out, "{{\"user_id\":\"{id}\"}}")?;
    }
    Ok(out.flush()?)
}

/// Gives a file to whoever connects, so many bytes a second.
pub(crate) fn serve(file: &Path, bytes_a_second: u32) -> Result<SocketAddr, Failure> {
    let seed = std::fs::read(file)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let began = Instant::now();
            let mut given = 0_u32;
            for piece in seed.chunks(PIECE_BYTES) {
                if connection.write_all(piece).is_err() {
                    break;
                }
                given += u32::try_from(piece.len()).unwrap_or(u32::MAX);
                let due = Duration::from_secs_f64(f64::from(given) / f64::from(bytes_a_second));
                std::thread::sleep(due.saturating_sub(began.elapsed()));
            }
        }
    });
    Ok(address)
}

/// Reads a seed as check-request does, and prints the users and the peak of this process's memory.
///
/// From a file, or from an address that gives it.
pub(crate) fn read(place: &str, way: &str) -> Result<(), Failure> {
    let mut seed: Box<dyn Read> = match place.parse::<SocketAddr>() {
        Ok(address) => Box::new(TcpStream::connect(address)?),
        Err(_) => Box::new(File::open(place)?),
    };
    if way == Way::Take.word() {
        std::io::copy(&mut seed, &mut std::io::sink())?;
        return Ok(());
    }
    let odd = if way == Way::Clean.word() { OddFormats::Taken } else { UPLOAD_INSTEAD };
    let mut reader = SeedReader::new(place, odd);
    let (mut bytes, mut clean, mut written) = (vec![0; 16 * PIECE_BYTES], Vec::new(), 0);
    loop {
        let count = seed.read(&mut bytes)?;
        if count == 0 {
            break;
        }
        for piece in bytes[..count].chunks(PIECE_BYTES) {
            reader.push(piece, &mut clean).map_err(|error| error.message)?;
        }
        written += clean.len();
        // The function hands a part of 8 MiB to S3 here.
        clean.clear();
    }
    let found = reader.finish(&mut clean).map_err(|error| error.message)?;
    let peak = peak_memory(&std::fs::read_to_string("/proc/self/status")?)?;
    println!("{} {peak} {}", found.unique_users, written + clean.len());
    Ok(())
}

/// How long a command takes, and what it prints.
pub(crate) fn time(command: &mut Command) -> Result<(Duration, String), Failure> {
    let began = Instant::now();
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    let took = began.elapsed();
    if !output.status.success() {
        return Err(format!("{command:?} failed").into());
    }
    Ok((took, String::from_utf8_lossy(&output.stdout).into_owned()))
}
