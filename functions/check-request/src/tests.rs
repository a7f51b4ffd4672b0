#![allow(clippy::unwrap_used)]
use super::*;
use std::sync::{Arc, Mutex};

use aws_sdk_cleanroomsml::operation::get_configured_audience_model::GetConfiguredAudienceModelOutput;
use aws_sdk_cleanroomsml::types::{
    AudienceDestination, AudienceSizeConfig, AudienceSizeType, ConfiguredAudienceModelOutputConfig,
    ConfiguredAudienceModelStatus, S3ConfigMap, SharedAudienceMetrics,
};
use aws_sdk_s3::Client as S3;
use aws_sdk_s3::operation::abort_multipart_upload::AbortMultipartUploadOutput;
use aws_sdk_s3::operation::complete_multipart_upload::CompleteMultipartUploadOutput;
use aws_sdk_s3::operation::create_multipart_upload::CreateMultipartUploadOutput;
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::operation::put_object::PutObjectOutput;
use aws_sdk_s3::operation::upload_part::UploadPartOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ChecksumAlgorithm;
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::error::ErrorMetadata;
use serde_json::json;

const MODEL: &str = "arn:aws:cleanrooms-ml:us-east-1:123456789012:configured-audience-model/3f2a";

/// The stack's settings as the workflow passes them: all strings, empty if not set.
fn settings() -> Value {
    json!({
        "configuredAudienceModelArn": MODEL, "collaborationId": "", "export": "all", "deadlineSeconds": "3600",
        "seedRoleArn": "arn:aws:iam::123456789012:role/seed", "sqlSeeds": "true", "segmentRoleArn": "",
        "kmsKeyArn": "", "pollMinSeconds": "13", "pollMaxSeconds": "900",
    })
}

fn event(input: &Value) -> Value {
    json!({
        "input": input, "inputCharacters": input.to_string().chars().count(), "stack": settings(),
        "execution": {
            "id": "arn:aws:states:us-east-1:123456789012:execution:audience:run-1",
            "name": "run-1", "startTime": "2026-11-22T16:00:00Z",
        },
    })
}

fn uploaded(key: &str) -> Value {
    json!({"upload": {"bucket": "seeds-bucket", "key": key, "versionId": "v1", "etag": "e1", "sequencer": "s"}})
}

fn seed(users: usize) -> String {
    (0..users).map(|user| format!("{{\"user_id\":\"u{user}\"}}\n")).collect()
}

fn model(least: i32) -> Rule {
    mock!(aws_sdk_cleanroomsml::Client::get_configured_audience_model)
        .match_requests(|request| request.configured_audience_model_arn() == Some(MODEL))
        .then_output(move || {
            let now = aws_sdk_cleanroomsml::primitives::DateTime::from_secs(0);
            let sizes = AudienceSizeConfig::builder().audience_size_type(AudienceSizeType::Percentage);
            let sizes = sizes.audience_size_bins(5).audience_size_bins(10).build().unwrap();
            let place = S3ConfigMap::builder().s3_uri("s3://out/").build().unwrap();
            let place = AudienceDestination::builder().s3_destination(place).build();
            let output = ConfiguredAudienceModelOutputConfig::builder().destination(place).role_arn("role");
            GetConfiguredAudienceModelOutput::builder()
                .create_time(now)
                .update_time(now)
                .configured_audience_model_arn(MODEL)
                .name("model")
                .audience_model_arn("audience model")
                .output_config(output.build().unwrap())
                .status(ConfiguredAudienceModelStatus::Active)
                .shared_audience_metrics(SharedAudienceMetrics::All)
                .min_matching_seed_size(least)
                .audience_size_config(sizes)
                .build()
                .unwrap()
        })
}

/// An error as the service sends it.
fn refusal(status: u16, code: &'static str, message: &str) -> HttpResponse {
    let body = json!({"message": message}).to_string();
    let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
    response.headers_mut().insert("x-amzn-errortype", code);
    response
}

fn no_model(status: u16, code: &'static str) -> Rule {
    mock!(aws_sdk_cleanroomsml::Client::get_configured_audience_model)
        .then_http_response(move || refusal(status, code, "no"))
}

fn closed_model() -> Rule {
    no_model(403, "AccessDeniedException")
}

/// The objects that a check wrote, by key.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

impl Written {
    fn text(&self, key: &str) -> Option<String> {
        self.0.lock().unwrap().get(key).map(|bytes| String::from_utf8(bytes.clone()).unwrap())
    }

    fn json(&self, key: &str) -> Value {
        serde_json::from_str(&self.text(key).unwrap()).unwrap()
    }

    fn putting(&self) -> Rule {
        let written = self.clone();
        mock!(S3::put_object)
            .match_requests(move |put| {
                assert_eq!(put.bucket(), Some("seeds-bucket"));
                assert_eq!(put.checksum_algorithm(), Some(&ChecksumAlgorithm::Crc32));
                let bytes = put.body().bytes().unwrap().to_vec();
                written.0.lock().unwrap().insert(put.key().unwrap().to_owned(), bytes);
                true
            })
            .then_output(|| PutObjectOutput::builder().build())
    }
}

fn heading(metadata: &'static [(&'static str, &'static str)]) -> Rule {
    mock!(S3::head_object).match_requests(|head| head.version_id() == Some("v1")).then_output(move || {
        metadata.iter().fold(HeadObjectOutput::builder(), |head, (k, v)| head.metadata(*k, *v)).build()
    })
}

fn getting(body: impl Into<Vec<u8>>) -> Rule {
    let body = body.into();
    mock!(S3::get_object).then_output(move || GetObjectOutput::builder().body(ByteStream::from(body.clone())).build())
}

async fn run(input: &Value, s3: &[&Rule], ml: &Rule) -> Result<Value, Error> {
    run_event(event(input), s3, ml).await
}

async fn run_event(event: Value, s3: &[&Rule], ml: &Rule) -> Result<Value, Error> {
    let objects = Objects(mock_client!(aws_sdk_s3, RuleMode::MatchAny, s3));
    let ml = mock_client!(aws_sdk_cleanroomsml, [ml]);
    let run = check(event, &Aws { objects, ml }, "seeds-bucket", "request-1").await?;
    Ok(serde_json::to_value(run).unwrap())
}

#[tokio::test]
async fn an_uploaded_seed_is_checked_in_its_version_and_copied_clean() {
    let written = Written::default();
    let get = mock!(S3::get_object)
        .match_requests(|get| {
            get.version_id() == Some("v1") && get.if_match().is_none() && get.key() == Some("seeds/a b.jsonl")
        })
        .then_output(|| {
            GetObjectOutput::builder().body(ByteStream::from(seed(600).replace('\n', "\r\n").into_bytes())).build()
        });
    let head = heading(&[("name", "spring"), ("export", "5pct"), ("tag-team", "growth")]);
    let run = run(&uploaded("seeds/a b.jsonl"), &[&get, &head, &written.putting()], &model(500)).await.unwrap();
    assert_eq!(
        run,
        json!({
            "name": "spring", "checkedRequest": "s3://seeds-bucket/checked/audience/2026-11-22/run-1-19f1064b.json", "audienceGenerationJobArn": null,
            "deadline": "2026-11-22T17:00:00Z", "export": {"sizes": [{"type": "PERCENTAGE", "value": 5}]},
            "poll": {"minSeconds": 13, "maxSeconds": 900},
            "modelSizes": [{"type": "PERCENTAGE", "value": 5}, {"type": "PERCENTAGE", "value": 10}],
            "seed": {"users": 600, "uniqueUsers": 600, "blankLines": 0, "badLines": 0}, "skipped": [],
        })
    );
    assert_eq!(written.text("checked/audience/2026-11-22/run-1-19f1064b.jsonl").unwrap(), seed(600));
    let checked = written.json("checked/audience/2026-11-22/run-1-19f1064b.json");
    assert_eq!(
        checked["seedAudience"],
        json!({"roleArn": "arn:aws:iam::123456789012:role/seed",
        "dataSource": {"s3Uri": "s3://seeds-bucket/checked/audience/2026-11-22/run-1-19f1064b.jsonl"}})
    );
    assert_eq!((&checked["name"], &checked["tags"]), (&json!("spring"), &json!({"team": "growth"})));
}

#[tokio::test]
async fn a_run_without_a_name_gets_its_executions_name() {
    let written = Written::default();
    let run = run(&uploaded("seeds/a"), &[&getting(seed(25)), &heading(&[]), &written.putting()], &model(25)).await;
    assert_eq!(run.unwrap()["name"], "run-1");
}

#[tokio::test]
async fn a_rejected_seed_leaves_no_object() {
    for (text, least, what) in [
        (seed(24), 25, "24 unique users"),
        (seed(499), 500, "needs at least 500"),
        (seed(600) + "u1,u2\n", 500, "line 601 is no JSON"),
    ] {
        let written = Written::default();
        let rules = [&getting(text), &heading(&[]), &written.putting()];
        let error = run(&uploaded("seeds/a"), &rules, &model(least)).await.unwrap_err();
        assert_eq!(error.name, ErrorName::InvalidSeed);
        assert!(error.message.contains(what), "{}", error.message);
        assert!(written.0.lock().unwrap().is_empty());
    }
}

/// A seed whose clean copy has more than one part.
fn large_seed(users: usize) -> String {
    (0..users).map(|user| format!("{{\"user_id\":\"{user}{}\"}}\n", "x".repeat(1000))).collect()
}

#[tokio::test]
async fn a_large_seed_is_copied_in_parts_as_it_is_read() {
    let written = Written::default();
    let sizes: Arc<Mutex<Vec<usize>>> = Arc::default();
    let seen = sizes.clone();
    let begin = mock!(S3::create_multipart_upload)
        .match_requests(|create| create.checksum_algorithm() == Some(&ChecksumAlgorithm::Crc32))
        .then_output(|| CreateMultipartUploadOutput::builder().upload_id("u").build());
    let part = mock!(S3::upload_part)
        .match_requests(move |part| {
            let mut sizes = seen.lock().unwrap();
            sizes.push(part.body().bytes().unwrap().len());
            part.upload_id() == Some("u")
                && part.part_number() == i32::try_from(sizes.len()).ok()
                && part.checksum_algorithm() == Some(&ChecksumAlgorithm::Crc32)
        })
        .then_output(|| UploadPartOutput::builder().e_tag("p").checksum_crc32("AAAAAA==").build());
    let complete = mock!(S3::complete_multipart_upload)
        .match_requests(|complete| {
            let parts = complete.multipart_upload().unwrap().parts();
            parts.len() == 3 && parts.iter().all(|part| part.checksum_crc32() == Some("AAAAAA=="))
        })
        .then_output(|| CompleteMultipartUploadOutput::builder().build());
    let text = large_seed(20_000);
    let length = text.len();
    let rules = [&getting(text), &heading(&[]), &begin, &part, &complete, &written.putting()];
    let run = run(&uploaded("seeds/a"), &rules, &model(500)).await.unwrap();
    assert_eq!(run["seed"]["uniqueUsers"], 20_000);
    let sizes = sizes.lock().unwrap();
    assert_eq!(sizes.iter().sum::<usize>(), length);
    assert!(sizes[..2].iter().all(|size| (8 << 20..9 << 20).contains(size)), "{sizes:?}");
    assert_eq!(complete.num_calls(), 1);
}

#[tokio::test]
async fn the_upload_of_a_large_bad_seed_is_aborted() {
    let begin = mock!(S3::create_multipart_upload)
        .then_output(|| CreateMultipartUploadOutput::builder().upload_id("u").build());
    let part = mock!(S3::upload_part).then_output(|| UploadPartOutput::builder().e_tag("p").build());
    let abort = mock!(S3::abort_multipart_upload)
        .match_requests(|abort| abort.upload_id() == Some("u"))
        .then_output(|| AbortMultipartUploadOutput::builder().build());
    let rules = [&getting(large_seed(10_000) + "bad"), &heading(&[]), &begin, &part, &abort];
    let error = run(&uploaded("seeds/a"), &rules, &model(500)).await.unwrap_err();
    assert_eq!(error.name, ErrorName::InvalidSeed);
    assert_eq!(abort.num_calls(), 1);
}

#[tokio::test]
async fn an_upload_without_a_version_that_was_replaced_says_so() {
    let head = mock!(S3::head_object)
        .match_requests(|head| head.if_match() == Some("\"e1\"") && head.version_id().is_none())
        .then_http_response(|| HttpResponse::new(412.try_into().unwrap(), SdkBody::empty()));
    let mut input = uploaded("seeds/a");
    input["upload"].as_object_mut().unwrap().remove("versionId");
    let error = run(&input, &[&head], &model(500)).await.unwrap_err();
    assert_eq!(error.name, ErrorName::NotFound);
    assert!(error.message.contains("replaced before it could be read"), "{}", error.message);
}

#[tokio::test]
async fn a_size_that_the_model_lacks_is_rejected_before_the_seed_is_read() {
    let get = getting(seed(600));
    let rules = [&get, &heading(&[("export", "7pct")])];
    let error = run(&uploaded("seeds/a"), &rules, &model(500)).await.unwrap_err();
    assert_eq!(error.name, ErrorName::InvalidRequest);
    assert!(error.message.contains("it offers 5pct, 10pct"), "{}", error.message);
    assert_eq!(get.num_calls(), 0);
}

#[tokio::test]
async fn a_model_that_may_not_be_read_is_skipped() {
    let written = Written::default();
    let rules = [&getting(seed(30)), &heading(&[("export", "7pct")]), &written.putting()];
    let run_closed = run(&uploaded("seeds/a"), &rules, &closed_model()).await.unwrap();
    assert_eq!((&run_closed["skipped"], &run_closed["modelSizes"]), (&json!(["model"]), &Value::Null));
}

fn denied() -> Rule {
    mock!(S3::get_object)
        .then_error(|| GetObjectError::generic(ErrorMetadata::builder().code("AccessDenied").message("no").build()))
}

/// S3's answer for an object in an archive.
fn archived() -> Rule {
    mock!(S3::get_object).then_http_response(|| {
        let body = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>InvalidObjectState</Code><Message>The operation is \
                    not valid for the object's storage class</Message><StorageClass>DEEP_ARCHIVE</StorageClass></Error>";
        HttpResponse::new(403.try_into().unwrap(), SdkBody::from(body))
    })
}

#[tokio::test]
async fn an_archived_seed_is_rejected_in_every_bucket() {
    let elsewhere = json!({"seedAudience": {"dataSource": {"s3Uri": "s3://another-bucket/archive/2024/runners.jsonl"}},
        "export": "none"});
    for (input, place) in [
        (elsewhere, "s3://another-bucket/archive/2024/runners.jsonl"),
        (uploaded("seeds/a"), "s3://seeds-bucket/seeds/a"),
        (uploaded("requests/a.json"), "s3://seeds-bucket/requests/a.json"),
    ] {
        let error = run(&input, &[&archived(), &heading(&[])], &model(500)).await.unwrap_err();
        assert_eq!(error.name, ErrorName::NotFound);
        assert!(error.message.starts_with(&format!("{place} is archived: restore it first")), "{error}");
    }
}

#[tokio::test]
async fn an_archived_segment_input_is_rejected() {
    let error = segment(&segment_request(), &[&listing(&["in/1"]), &archived()]).await.unwrap_err();
    assert_eq!(error.name, ErrorName::NotFound);
    assert!(error.message.starts_with("s3://b/in/1 is archived: restore it first"), "{error}");
}

fn foreign_model_request(arn: &str) -> Value {
    json!({
        "configuredAudienceModelArn": arn, "collaborationId": "01234567-89ab-cdef-0123-456789abcdef",
        "seedAudience": {"dataSource": {"s3Uri": "s3://lookalike-seeds/seeds/runners.jsonl"}}, "export": "7pct",
    })
}

#[tokio::test]
async fn a_model_of_another_account_is_not_read() {
    let arn =
        "arn:aws:cleanrooms-ml:us-east-1:444455556666:configured-audience-model/99999999-8888-4777-8666-555555555555";
    let written = Written::default();
    let model = closed_model();
    let checked = run(&foreign_model_request(arn), &[&getting(seed(30)), &written.putting()], &model).await.unwrap();
    assert_eq!((&checked["skipped"], &checked["modelSizes"]), (&json!(["model"]), &Value::Null));
    assert_eq!(model.num_calls(), 0);
}

#[tokio::test]
async fn a_model_of_another_region_or_partition_is_rejected() {
    for arn in [
        "arn:aws:cleanrooms-ml:eu-west-1:123456789012:configured-audience-model/1",
        "arn:aws-cn:cleanrooms-ml:us-east-1:444455556666:configured-audience-model/1",
    ] {
        let rules = [&getting(seed(600)), &Written::default().putting()];
        let model = closed_model();
        let error = run(&foreign_model_request(arn), &rules, &model).await.unwrap_err();
        assert_eq!(error.name, ErrorName::InvalidRequest);
        assert!(error.message.contains("configuredAudienceModelArn") && error.message.contains("us-east-1"), "{error}");
        assert_eq!(model.num_calls(), 0);
    }
}

#[tokio::test]
async fn an_own_model_that_cannot_be_read_says_what_to_do() {
    for (status, code, name) in [
        (404, "ResourceNotFoundException", ErrorName::NotFound),
        (400, "ValidationException", ErrorName::InvalidRequest),
    ] {
        let error = run(&uploaded("seeds/a"), &[&heading(&[])], &no_model(status, code)).await.unwrap_err();
        assert_eq!(error.name, name);
        assert!(error.message.contains(MODEL), "{error}");
        assert!(error.message.ends_with("Check configuredAudienceModelArn."), "{error}");
    }
}

fn sql_request() -> Value {
    json!({
        "collaborationId": "01234567-89ab-cdef-0123-456789abcdef",
        "seedAudience": {"sqlParameters": {
            "queryString": "SELECT user_id FROM runners WHERE city = :city", "parameters": {"city": "Leipzig"}}},
        "export": "none",
    })
}

#[tokio::test]
async fn a_sql_seed_is_rejected_unless_the_stack_allows_it() {
    let written = Written::default();
    let rules = [&getting(sql_request().to_string()), &written.putting()];
    let mut event = event(&uploaded("requests/q.json"));
    let allowed = run_event(event.clone(), &rules, &model(500)).await.unwrap();
    assert_eq!(allowed["seed"], Value::Null);
    event["stack"]["sqlSeeds"] = json!("false");
    let error = run_event(event, &rules, &model(500)).await.unwrap_err();
    assert_eq!(error.name, ErrorName::InvalidRequest);
    assert!(error.message.contains("MembershipId") && error.message.contains("SeedRoleArn"), "{error}");
    assert!(!error.message.contains("Leipzig") && !error.message.contains("SELECT"), "{error}");
}

#[tokio::test]
async fn a_seed_in_another_bucket_is_read_or_skipped() {
    let input = json!({"seedAudience": {"dataSource": {"s3Uri": "s3://elsewhere/seed.jsonl"}}});
    let written = Written::default();
    let run_read = run(&input, &[&getting(seed(600)), &written.putting()], &model(500)).await.unwrap();
    assert_eq!(run_read["seed"]["uniqueUsers"], 600);
    assert_eq!(
        written.json("checked/audience/2026-11-22/run-1-19f1064b.json")["seedAudience"]["dataSource"]["s3Uri"],
        "s3://elsewhere/seed.jsonl"
    );
    assert!(written.text("checked/audience/2026-11-22/run-1-19f1064b.jsonl").is_none());
    let skipped = run(&input, &[&denied(), &written.putting()], &closed_model()).await.unwrap();
    assert_eq!((&skipped["skipped"], &skipped["seed"]), (&json!(["model", "seed"]), &Value::Null));
    let odd = run(&input, &[&getting(seed(600).replace('\n', "\r\n")), &written.putting()], &model(500)).await;
    assert!(odd.unwrap_err().message.contains("upload it under seeds/"));
}

#[tokio::test]
async fn a_seed_of_the_stack_that_may_not_be_read_is_an_error() {
    let error = run(&uploaded("seeds/a"), &[&denied(), &heading(&[])], &model(500)).await.unwrap_err();
    assert_eq!(error.name, ErrorName::AccessDenied);
}

#[tokio::test]
async fn an_uploaded_request_is_read_with_every_field() {
    let request = json!({"name": "by sql", "seedAudience": {"sqlParameters": {"queryString": "SELECT 1"}},
        "export": "none", "deadlineSeconds": 60});
    let written = Written::default();
    let rules = [&getting(request.to_string()), &written.putting()];
    let run = run(&uploaded("requests/q.json"), &rules, &model(500)).await.unwrap();
    assert_eq!((&run["name"], &run["seed"], &run["skipped"]), (&json!("by sql"), &Value::Null, &json!([])));
    assert_eq!(run["deadline"], "2026-11-22T16:01:00Z");
    assert_eq!(
        written.json("checked/audience/2026-11-22/run-1-19f1064b.json")["seedAudience"]["sqlParameters"]["queryString"],
        "SELECT 1"
    );
    assert!(!run.to_string().contains("SELECT"));
}

#[tokio::test]
async fn a_bad_request_file_is_described_without_a_quote() {
    for (body, what) in [
        ("SELECT secret", "is no JSON (line 1, column 1)".to_owned()),
        (r#"{"nam": "secret", "seedAudience": {}}"#, "did you mean name?".to_owned()),
        (&"x".repeat(5 << 20), "is larger than any request".to_owned()),
    ] {
        let error = run(&uploaded("requests/q.json"), &[&getting(body)], &model(500)).await.unwrap_err();
        assert_eq!(error.name, ErrorName::InvalidRequest);
        assert!(error.message.contains(&what) && !error.message.contains("secret"), "{}", error.message);
    }
}

#[tokio::test]
async fn a_request_for_exports_needs_only_the_audience() {
    let arn = "arn:aws:cleanrooms-ml:us-east-1:123456789012:audience-generation-job/1";
    let input = json!({"audienceGenerationJobArn": arn, "export": "5pct"});
    let run = run(&input, &[], &model(500)).await.unwrap();
    assert_eq!((&run["audienceGenerationJobArn"], &run["checkedRequest"]), (&json!(arn), &Value::Null));
    assert_eq!((&run["name"], &run["skipped"]), (&json!("run-1"), &json!(["model"])));
}

#[tokio::test]
async fn an_upload_elsewhere_says_where_uploads_belong() {
    let error = run(&uploaded("other/a"), &[], &model(500)).await.unwrap_err();
    assert!(error.message.contains("upload seeds under seeds/"));
}

fn segment_request() -> Value {
    json!({
        "solutionVersionArn": "arn:aws:personalize:us-east-1:123456789012:solution/runners/1b2c3d4e",
        "jobInput": {"s3DataSource": {"path": "s3://b/in"}},
        "jobOutput": {"s3DataDestination": {"path": "s3://b/out/"}},
        "roleArn": "arn:aws:iam::123456789012:role/segments",
    })
}

/// The objects whose keys begin as the input's path says.
fn listing(keys: &'static [&'static str]) -> Rule {
    mock!(S3::list_objects_v2)
        .match_requests(|list| list.bucket() == Some("b") && list.prefix() == Some("in"))
        .then_output(|| {
            let object = |key: &&str| aws_sdk_s3::types::Object::builder().key(*key).build();
            ListObjectsV2Output::builder().set_contents(Some(keys.iter().map(object).collect())).build()
        })
}

fn holding(key: &'static str, body: &'static str) -> Rule {
    mock!(S3::get_object)
        .match_requests(move |get| get.key() == Some(key))
        .then_output(|| GetObjectOutput::builder().body(ByteStream::from_static(body.as_bytes())).build())
}

/// A solution version with a recipe.
async fn segment(input: &Value, s3: &[&Rule]) -> Result<Value, Error> {
    segment_event(event(input), s3).await
}

async fn segment_event(mut event: Value, s3: &[&Rule]) -> Result<Value, Error> {
    let objects = Objects(mock_client!(aws_sdk_s3, RuleMode::MatchAny, s3));
    let ml = mock_client!(aws_sdk_cleanroomsml, []);
    event["engine"] = json!("segment");
    let checked = check(event, &Aws { objects, ml }, "seeds-bucket", "request-1").await?;
    Ok(serde_json::to_value(checked).unwrap())
}

#[tokio::test]
async fn a_segment_request_is_checked_with_its_complete_input() {
    let written = Written::default();
    let list = listing(&["in/", "in/1.jsonl", "in/2.jsonl", "in_test/3.jsonl"]);
    let (first, second) = (holding("in/1.jsonl", "{\"itemId\":\"1\"}\n"), holding("in/2.jsonl", "{\"itemId\":\"2\"}"));
    let third = holding("in_test/3.jsonl", "{\"itemId\":\"3\"}");
    let checked = segment(&segment_request(), &[&list, &first, &second, &third, &written.putting()]).await.unwrap();
    let warning = checked["warnings"][0].as_str().unwrap().to_owned();
    assert!(warning.contains("takes 1 more, the first of them s3://b/in_test/3.jsonl"), "{warning}");
    assert_eq!(
        checked,
        json!({
            "name": "run-1", "checkedRequest": "s3://seeds-bucket/checked/segment/2026-11-22/run-1-19f1064b.json", "deadline": "2026-11-22T17:00:00Z",
            "poll": {"minSeconds": 13, "maxSeconds": 900},
            "input": {"lines": 3, "kind": "itemId"}, "warnings": [warning], "skipped": [],
        })
    );
    assert_eq!(written.json("checked/segment/2026-11-22/run-1-19f1064b.json")["jobName"], "run-1");
}

#[tokio::test]
async fn an_uploaded_segment_request_is_read_and_only_from_its_place() {
    let written = Written::default();
    let request = mock!(S3::get_object).match_requests(|get| get.version_id() == Some("v1")).then_output(|| {
        GetObjectOutput::builder().body(ByteStream::from(segment_request().to_string().into_bytes())).build()
    });
    let rules = [&request, &listing(&["in/1"]), &holding("in/1", "{\"itemId\":\"1\"}"), &written.putting()];
    assert_eq!(segment(&uploaded("segments/a.json"), &rules).await.unwrap()["input"]["lines"], 1);
    for foreign in ["seeds/a", "requests/a.json", "segments/a.jsonl"] {
        let error = segment(&uploaded(foreign), &rules).await.unwrap_err();
        assert!(error.message.contains("upload segment requests under segments/"), "{error}");
    }
    let error = run(&uploaded("segments/a.json"), &[], &model(500)).await.unwrap_err();
    assert!(error.message.contains("asks for no audience"), "{error}");
}

#[tokio::test]
async fn a_bad_or_missing_segment_input_is_rejected() {
    let nothing = segment(&segment_request(), &[&listing(&["in/"])]).await.unwrap_err();
    assert_eq!(nothing.name, ErrorName::NotFound);
    assert!(nothing.message.contains("there is nothing at s3://b/in"), "{nothing}");
    let mixed = [
        &listing(&["in/1", "in/2"]),
        &holding("in/1", "{\"itemId\":\"1\"}"),
        &holding("in/2", "{\"itemAttributes\":\"a\"}"),
    ];
    let mixed = segment(&segment_request(), &mixed).await.unwrap_err();
    assert_eq!(mixed.name, ErrorName::InvalidSeed);
    assert!(mixed.message.starts_with("s3://b/in/2 has lines of itemAttributes"), "{mixed}");
}

#[tokio::test]
async fn an_empty_object_in_a_segment_input_is_rejected_by_name() {
    let list = mock!(S3::list_objects_v2).then_output(|| {
        let object = |key, size| aws_sdk_s3::types::Object::builder().key(key).size(size).build();
        let list = ListObjectsV2Output::builder().contents(object("in/_SUCCESS", 0)).contents(object("in/part-0", 16));
        list.contents(object("in_$folder$", 0)).build()
    });
    let error = segment(&segment_request(), &[&list, &holding("in/part-0", "{\"itemId\":\"1\"}")]).await.unwrap_err();
    assert_eq!(error.name, ErrorName::InvalidSeed);
    assert_eq!(error.message, "s3://b/in/_SUCCESS is empty: remove it (and 1 more empty object, s3://b/in_$folder$).");
}

#[tokio::test]
async fn a_segment_input_that_may_not_be_read_is_skipped() {
    let written = Written::default();
    let list = mock!(S3::list_objects_v2).then_http_response(|| {
        let body = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>";
        HttpResponse::new(403.try_into().unwrap(), SdkBody::from(body))
    });
    let unlisted = segment(&segment_request(), &[&list, &written.putting()]).await.unwrap();
    assert_eq!((&unlisted["skipped"], &unlisted["input"]), (&json!(["input"]), &Value::Null));
    let unread = segment(&segment_request(), &[&listing(&["in/1"]), &denied(), &written.putting()]).await.unwrap();
    assert_eq!((&unread["skipped"], &unread["input"]), (&json!(["input"]), &Value::Null));
}

/// Runs the check of a good input with another request and stack.
async fn segment_of(request: Value, kms_key: &str) -> Result<Value, Error> {
    let mut event = event(&request);
    event["stack"]["kmsKeyArn"] = json!(kms_key);
    let written = Written::default();
    let rules = [&listing(&["in/1"]), &holding("in/1", "{\"itemId\":\"1\"}"), &written.putting()];
    segment_event(event, &rules).await
}

#[tokio::test]
async fn a_solution_version_of_another_region_or_account_is_rejected() {
    for owner in ["eu-west-1:123456789012", "us-east-1:444455556666"] {
        let mut request = segment_request();
        request["solutionVersionArn"] = json!(format!("arn:aws:personalize:{owner}:solution/runners/1b2c3d4e"));
        let error = segment_of(request, "").await.unwrap_err();
        assert_eq!(error.name, ErrorName::InvalidRequest);
        assert!(error.message.starts_with("solutionVersionArn: "), "{error}");
    }
}

#[tokio::test]
async fn an_object_that_cannot_be_checked_is_not_left_out() {
    let odd = listing(&["in/1", "in/part\u{2028}2"]);
    let error = segment(&segment_request(), &[&odd, &holding("in/1", "{\"itemId\":\"1\"}")]).await.unwrap_err();
    assert_eq!(error.name, ErrorName::InvalidRequest);
    assert!(error.message.contains(r#""in/part\u{2028}2", whose key has a line end"#), "{error}");
}

#[tokio::test]
async fn warnings_about_files_are_limited() {
    const KEYS: [&str; 11] = ["in/1", "in/2", "in/3", "in/4", "in/5", "in/6", "in/7", "in/8", "in/9", "in/10", "in/11"];
    let body = "{\"itemId\": \"106\", \"filterValues\": {\"GENRE\": \"Comedy\"}}";
    let (list, written) = (listing(&KEYS), Written::default().putting());
    let files = KEYS.map(|key| holding(key, body));
    let rules: Vec<&Rule> = files.iter().chain([&list, &written]).collect();
    let checked = segment(&segment_request(), &rules).await.unwrap();
    assert_eq!(checked["warnings"].as_array().unwrap().len(), 10);
}

#[tokio::test]
async fn an_output_key_is_compared_with_the_stacks() {
    let key = "arn:aws:kms:us-east-1:123456789012:key/1";
    let mut request = segment_request();
    request["jobOutput"]["s3DataDestination"] = json!({"path": "s3://seeds-bucket/out/", "kmsKeyArn": key});
    assert!(segment_of(request.clone(), key).await.is_ok());
    let error = segment_of(request, "").await.unwrap_err();
    assert_eq!(error.name, ErrorName::InvalidRequest);
    assert!(error.message.starts_with("jobOutput.s3DataDestination.kmsKeyArn:"), "{error}");
}

#[tokio::test]
async fn a_checked_output_path_ends_with_a_slash() {
    let mut request = segment_request();
    request["jobOutput"]["s3DataDestination"]["path"] = json!("s3://lookalike-seeds/segment-output/spring");
    let written = Written::default();
    let rules = [&listing(&["in/1"]), &holding("in/1", "{\"itemId\":\"1\"}"), &written.putting()];
    segment(&request, &rules).await.unwrap();
    let path =
        &written.json("checked/segment/2026-11-22/run-1-19f1064b.json")["jobOutput"]["s3DataDestination"]["path"];
    assert_eq!(path, "s3://lookalike-seeds/segment-output/spring/");
}

#[tokio::test]
async fn a_filter_word_without_quotes_is_a_warning_of_the_run() {
    let body = "{\"itemId\": \"106\", \"filterValues\": {\"GENRE\": \"Comedy\"}}";
    let rules = [&listing(&["in/1"]), &holding("in/1", body), &Written::default().putting()];
    let checked = segment(&segment_request(), &rules).await.unwrap();
    let warning = checked["warnings"][0].as_str().unwrap();
    assert!(warning.starts_with("s3://b/in/1 has words without quotes in filterValues"), "{warning}");
}

#[tokio::test]
async fn a_wrong_stack_parameter_is_named() {
    let mut event = event(&uploaded("seeds/a"));
    event["stack"]["pollMinSeconds"] = json!("901");
    let error = run_event(event, &[], &model(500)).await.unwrap_err();
    assert_eq!(error.name, ErrorName::InvalidRequest);
    assert!(error.message.contains("PollMinSeconds"), "{error}");
}

#[tokio::test]
async fn an_execution_without_an_arn_is_rejected() {
    let mut event = event(&uploaded("seeds/a"));
    event["execution"]["id"] = json!("run-1");
    let error = run_event(event, &[&heading(&[])], &model(500)).await.unwrap_err();
    assert!(error.message.contains("execution.id"), "{error}");
}

#[test]
fn the_sample_event_is_of_the_functions_form() {
    let sample = include_str!("../../../tests/events/check-request.json");
    read_event::<Event>(serde_json::from_str(sample).unwrap()).map(|_| ()).unwrap();
}

#[tokio::test]
async fn a_too_large_input_says_to_upload_the_request() {
    let mut event = event(&Value::Null);
    event["inputCharacters"] = json!(261_900);
    let aws = Aws { objects: Objects(mock_client!(aws_sdk_s3, [])), ml: mock_client!(aws_sdk_cleanroomsml, []) };
    let error = check(event, &aws, "seeds-bucket", "request-1").await.unwrap_err();
    assert_eq!(error.name, ErrorName::InvalidRequest);
    assert!(error.message.contains("Upload the request as requests/<name>.json"), "{error}");
}

#[tokio::test]
async fn an_audience_of_another_account_is_not_exported() {
    let arn = "arn:aws:cleanrooms-ml:us-east-1:444455556666:audience-generation-job/1";
    let error = run(&json!({"audienceGenerationJobArn": arn, "export": "5pct"}), &[], &model(500)).await.unwrap_err();
    assert_eq!(error.name, ErrorName::InvalidRequest);
    assert!(error.message.starts_with("audienceGenerationJobArn: arn:"), "{error}");
    assert!(error.message.contains("of another account"), "{error}");
}

#[tokio::test]
async fn sql_in_the_input_of_an_execution_is_rejected() {
    for sql in [json!({"queryString": "SELECT secret"}), json!({"parameters": {"city": "secret"}})] {
        let input = json!({"seedAudience": {"sqlParameters": sql}});
        let error = run(&input, &[], &model(500)).await.unwrap_err();
        assert_eq!(error.name, ErrorName::InvalidRequest);
        assert!(error.message.ends_with("Upload the request as requests/<name>.json."), "{error}");
        assert!(!error.message.contains("secret"), "{error}");
    }
}
