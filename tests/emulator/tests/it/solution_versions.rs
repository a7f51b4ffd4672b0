//! Solution versions of Personalize and the tags of its resources.

use serde_json::json;

use crate::personalize::segment_job;
use crate::running::{ATTRIBUTE_AFFINITY, ITEM_AFFINITY, Running};

const NOTHING: &str = "s3://segments/nothing";

#[tokio::test]
async fn a_solution_version_names_its_recipe() {
    let running = Running::start().await;
    for (arn, recipe) in [(ITEM_AFFINITY, "aws-item-affinity"), (ATTRIBUTE_AFFINITY, "aws-item-attribute-affinity")] {
        let answer = running.personalize("DescribeSolutionVersion", &json!({ "solutionVersionArn": arn })).await;
        let version = &answer.json()["solutionVersion"];
        assert_eq!(version["recipeArn"], format!("arn:aws:personalize:::recipe/{recipe}"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_solution_version_has_its_arns_its_status_and_its_times() {
    let running = Running::start().await;
    let answer = running.personalize("DescribeSolutionVersion", &json!({ "solutionVersionArn": ITEM_AFFINITY })).await;
    let version = &answer.json()["solutionVersion"];
    assert_eq!(version["solutionVersionArn"], ITEM_AFFINITY);
    assert_eq!(version["solutionArn"], ITEM_AFFINITY.strip_suffix("/1a2b3c4d").unwrap());
    assert_eq!(version["status"], "ACTIVE");
    assert!(version["creationDateTime"].is_number(), "{version}");
    assert!(version["lastUpdatedDateTime"].is_number(), "{version}");
}

#[tokio::test]
async fn an_unknown_solution_version_is_not_found() {
    let running = Running::start().await;
    let arn = ITEM_AFFINITY.replace("1a2b3c4d", "00000000");
    let answer = running.personalize("DescribeSolutionVersion", &json!({ "solutionVersionArn": arn })).await;
    answer.assert_error("ResourceNotFoundException", 400, &arn);
}

#[tokio::test]
async fn a_segment_job_lists_its_tags() {
    let running = Running::start().await;
    let mut job = segment_job("run", NOTHING);
    job["tags"] = json!([{"tagKey": "lookalike:run", "tagValue": "spring"}, {"tagKey": "team", "tagValue": ""}]);
    let arn = running.created(&job).await;
    let answer = running.personalize("ListTagsForResource", &json!({ "resourceArn": arn })).await;
    assert_eq!(answer.json(), json!({ "tags": job["tags"] }));
}

#[tokio::test]
async fn a_resource_without_tags_lists_none() {
    let running = Running::start().await;
    let arn = running.created(&segment_job("run", NOTHING)).await;
    for arn in [arn.as_str(), ITEM_AFFINITY] {
        let answer = running.personalize("ListTagsForResource", &json!({ "resourceArn": arn })).await;
        assert_eq!(answer.json(), json!({ "tags": [] }), "{arn}");
    }
}

#[tokio::test]
async fn tags_of_an_unknown_resource_are_not_found() {
    let running = Running::start().await;
    let arn = "arn:aws:personalize:eu-west-1:123456789012:batch-segment-job/none";
    let answer = running.personalize("ListTagsForResource", &json!({ "resourceArn": arn })).await;
    answer.assert_error("ResourceNotFoundException", 400, arn);
}

#[tokio::test]
async fn a_fault_hits_the_tags_of_the_named_job() {
    let running = Running::start().await;
    let (struck, spared) = (
        running.created(&segment_job("struck", NOTHING)).await,
        running.created(&segment_job("spared", NOTHING)).await,
    );
    let fault = json!({"kind": "error", "error": "ResourceInUseException"});
    running.arm(json!([{"operation": "ListTagsForResource", "name": "struck", "fault": fault}])).await;
    let tags = async |arn: &str| running.personalize("ListTagsForResource", &json!({ "resourceArn": arn })).await;
    tags(&struck).await.assert_error("ResourceInUseException", 400, "error");
    assert_eq!(tags(&spared).await.status, 200);
}
