//! The layouts of exports: which objects an export writes, and which location it reports.

use std::io::Read;

use flate2::read::GzDecoder;

use crate::running::Running;

/// The location of an export in a layout, the objects under it by their name, and their content without compression.
async fn exported(layout: &str) -> (String, Vec<(String, String)>) {
    let running = Running::start_with(|config| config["exportLayout"] = layout.into()).await;
    let job = running.active("runners").await;
    running.export(&job, "half", 50).await.unwrap();
    let location = running.ended_exports(&job).await[0].output_location.clone().unwrap();
    let objects = running.s3.list(&location).into_iter().map(|uri| {
        let bytes = running.s3.bytes(&uri);
        let mut text = String::new();
        if bytes.starts_with(&[0x1f, 0x8b]) {
            GzDecoder::new(bytes.as_slice()).read_to_string(&mut text).unwrap();
        } else {
            text = String::from_utf8(bytes).unwrap();
        }
        (uri.strip_prefix(&location).unwrap().to_owned(), text)
    });
    let objects = objects.collect();
    (location, objects)
}

fn ends_with(text: &str, end: &str) -> bool {
    text.to_lowercase().ends_with(end)
}

/// The content of all objects, one after another.
fn content(objects: &[(String, String)]) -> String {
    objects.iter().map(|(_, text)| text.as_str()).collect()
}

#[tokio::test]
async fn an_export_is_one_plain_file_by_default() {
    let running = Running::start().await;
    let job = running.active("runners").await;
    let users = running.exported(&job, "half", 50).await;
    let (location, objects) = exported("file").await;
    assert!(ends_with(&location, ".jsonl"), "{location}");
    assert_eq!(objects.len(), 1);
    assert_eq!(content(&objects).lines().count(), users.len());
}

#[tokio::test]
async fn an_export_can_be_one_compressed_file() {
    let (location, objects) = exported("gzipFile").await;
    assert!(ends_with(&location, ".jsonl.gz"), "{location}");
    assert_eq!(content(&objects), content(&exported("file").await.1));
}

#[tokio::test]
async fn an_export_can_be_a_folder_of_parts() {
    let (location, objects) = exported("parts").await;
    assert!(location.ends_with('/'), "{location}");
    let names: Vec<&str> = objects.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["part-00000.jsonl", "part-00001.jsonl", "part-00002.jsonl"]);
    assert_eq!(content(&objects), content(&exported("file").await.1));
}

#[tokio::test]
async fn an_export_can_be_a_folder_of_compressed_parts() {
    let (location, objects) = exported("gzipParts").await;
    assert!(location.ends_with('/'), "{location}");
    assert!(objects.iter().all(|(name, _)| ends_with(name, ".jsonl.gz")));
    assert_eq!(content(&objects), content(&exported("file").await.1));
}

#[tokio::test]
async fn an_export_can_be_a_folder_as_spark_writes_it() {
    let (location, objects) = exported("sparkFolder").await;
    assert!(!location.ends_with('/'), "{location}");
    let names: Vec<&str> = objects.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names.len(), 4);
    assert_eq!((names[0], objects[0].1.as_str()), ("/_SUCCESS", ""));
    assert!(names[1].starts_with("/part-00000-"), "{names:?}");
    assert_eq!(content(&objects), content(&exported("file").await.1));
}
