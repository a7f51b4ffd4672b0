//! The objects of an export in each layout, and the location that the service reports.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};

use crate::config::ExportLayout;

/// The number of files in a layout with parts, if there are as many lines.
const PARTS: usize = 3;

/// The objects that an export writes. No `Debug`: they hold user ids.
pub(crate) struct ExportOutput {
    /// The key of each object and its bytes, in the order in which they are written.
    pub(crate) objects: Vec<(String, Vec<u8>)>,
    /// The key that the reported location ends with.
    pub(crate) location: String,
}

/// Returns the objects of an export whose keys begin with `base`. `id` names the export's file or folder.
pub(crate) fn export_output(layout: ExportLayout, base: &str, id: &str, lines: Vec<u8>) -> ExportOutput {
    let one_file = |key: String, bytes| ExportOutput { location: key.clone(), objects: vec![(key, bytes)] };
    match layout {
        ExportLayout::File => one_file(format!("{base}/{id}.jsonl"), lines),
        ExportLayout::GzipFile => one_file(format!("{base}/{id}.jsonl.gz"), gzip(&lines)),
        ExportLayout::Parts => {
            let part = |(number, part): (usize, Vec<u8>)| (format!("{base}/{id}/part-{number:05}.jsonl"), part);
            let objects = parts(&lines).into_iter().enumerate().map(part).collect();
            ExportOutput { objects, location: format!("{base}/{id}/") }
        }
        ExportLayout::GzipParts => {
            let part =
                |(number, part): (usize, Vec<u8>)| (format!("{base}/{id}/part-{number:05}.jsonl.gz"), gzip(&part));
            let objects = parts(&lines).into_iter().enumerate().map(part).collect();
            ExportOutput { objects, location: format!("{base}/{id}/") }
        }
        ExportLayout::SparkFolder => {
            let part =
                |(number, part): (usize, Vec<u8>)| (format!("{base}/{id}/part-{number:05}-{id}-c000.json"), part);
            let mut objects: Vec<_> = parts(&lines).into_iter().enumerate().map(part).collect();
            objects.push((format!("{base}/{id}/_SUCCESS"), Vec::new()));
            ExportOutput { objects, location: format!("{base}/{id}") }
        }
    }
}

/// Splits the lines into files of about the same number of lines.
fn parts(lines: &[u8]) -> Vec<Vec<u8>> {
    let lines: Vec<&[u8]> = lines.split_inclusive(|byte| *byte == b'\n').collect();
    lines.chunks(lines.len().div_ceil(PARTS).max(1)).map(<[&[u8]]>::concat).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    // Writing to a Vec cannot fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(layout: ExportLayout, lines: &str) -> (Vec<String>, String) {
        let output = export_output(layout, "exports/run", "id", lines.into());
        (output.objects.into_iter().map(|(key, _)| key).collect(), output.location)
    }

    #[test]
    fn parts_hold_all_lines_in_their_order() {
        assert_eq!(parts(b"a\nb\nc\nd\n"), [b"a\nb\n", b"c\nd\n"]);
        assert_eq!(parts(b"a\nb\nc\nd\ne\n"), [b"a\nb\n".to_vec(), b"c\nd\n".to_vec(), b"e\n".to_vec()]);
    }

    #[test]
    fn the_location_of_one_file_is_its_key() {
        assert_eq!(
            keys(ExportLayout::File, "a\n"),
            (vec!["exports/run/id.jsonl".into()], "exports/run/id.jsonl".into())
        );
    }

    #[test]
    fn a_spark_folder_has_its_marker_last() {
        let (keys, location) = keys(ExportLayout::SparkFolder, "a\n");
        assert_eq!(keys, ["exports/run/id/part-00000-id-c000.json", "exports/run/id/_SUCCESS"]);
        assert_eq!(location, "exports/run/id");
    }
}
