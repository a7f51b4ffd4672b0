//! The reader of seeds alone, in memory: `cargo bench --package bench`.
#![allow(missing_docs)]

use std::fmt::Write as _;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lookalike::lines::{OddFormats, PIECE_BYTES};
use lookalike::schedule::PollBounds;
use lookalike::seed::{MOST_USERS, SeedReader, UPLOAD_INSTEAD};

fn read(seed: &[u8], odd: OddFormats) -> u64 {
    let mut reader = SeedReader::new("s3://bucket/seed", odd);
    let mut clean = Vec::new();
    for piece in seed.chunks(PIECE_BYTES) {
        if reader.push(piece, &mut clean).is_err() {
            return 0;
        }
        clean.clear();
    }
    reader.finish(&mut clean).map_or(0, |count| count.unique_users)
}

fn seeds(criterion: &mut Criterion) {
    let mut plain = String::new();
    for user in 0..MOST_USERS {
        let id = u128::from(user).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        let _ = writeln!(plain, "{{\"user_id\":\"{id:032x}\"}}");
    }
    let parsed = plain.replace("\"}", "\",\"age\":7}");
    let mut group = criterion.benchmark_group("500,000 users");
    group.sample_size(10);
    for (name, seed, odd) in [
        ("counted", &plain, UPLOAD_INSTEAD),
        ("cleaned", &plain, OddFormats::Taken),
        ("cleaned of a field", &parsed, OddFormats::Taken),
    ] {
        group.throughput(Throughput::Bytes(seed.len() as u64));
        group.bench_function(name, |bencher| bencher.iter(|| read(seed.as_bytes(), odd)));
    }
    group.finish();
}

fn schedule(criterion: &mut Criterion) {
    let Ok(bounds) = PollBounds::new(15, 900) else { return };
    criterion.bench_function("the wait after a look", |bencher| {
        bencher.iter(|| bounds.check_after(std::hint::black_box(3_600), 86_400));
    });
}

criterion_group!(benches, seeds, schedule);
criterion_main!(benches);
