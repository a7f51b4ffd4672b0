//! Personalize as a client by hand sees it: its json wire, and a segment job to be asked for or spoilt.

use std::time::Instant;

use serde_json::{Value, json};

use crate::running::{Answer, ITEM_AFFINITY, ROLE, Running, pause};

/// A good `CreateBatchSegmentJob` for items, to be sent or spoilt.
pub(crate) fn segment_job(name: &str, input: &str) -> Value {
    json!({
        "jobName": name,
        "solutionVersionArn": ITEM_AFFINITY,
        "jobInput": {"s3DataSource": {"path": input}},
        "jobOutput": {"s3DataDestination": {"path": "s3://segments/out/"}},
        "roleArn": ROLE,
    })
}

/// The lines of an output, as JSON.
pub(crate) fn output_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// It is this error, as the json wire has it.
    #[track_caller]
    pub(crate) fn assert_error(&self, name: &str, status: u16, part_of_message: &str) {
        let error = self.json();
        assert_eq!((self.status, error["__type"].as_str()), (status, Some(name)), "{self:?}");
        assert!(error["message"].as_str().unwrap().contains(part_of_message), "{self:?}");
        assert!(self.headers.contains("content-type: application/x-amz-json-1.1"), "{self:?}");
    }
}

impl Running {
    /// What an operation of Personalize answers.
    pub(crate) async fn personalize(&self, operation: &str, body: &Value) -> Answer {
        self.personalize_if_any(operation, body).await.unwrap()
    }

    /// The same where the connection may end without an answer.
    pub(crate) async fn personalize_if_any(&self, operation: &str, body: &Value) -> Option<Answer> {
        let headers =
            format!("X-Amz-Target: AmazonPersonalize.{operation}\r\nContent-Type: application/x-amz-json-1.1\r\n");
        self.answer_if_any("POST", "/", &headers, &body.to_string()).await
    }

    pub(crate) async fn create(&self, job: &Value) -> Answer {
        self.personalize("CreateBatchSegmentJob", job).await
    }

    /// The ARN of a job that is taken.
    pub(crate) async fn created(&self, job: &Value) -> String {
        let answer = self.create(job).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["batchSegmentJobArn"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn describe(&self, arn: &str) -> Value {
        let answer = self.personalize("DescribeBatchSegmentJob", &json!({ "batchSegmentJobArn": arn })).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["batchSegmentJob"].clone()
    }

    /// The job as soon as it is no longer in progress.
    pub(crate) async fn ended_segments(&self, arn: &str) -> Value {
        let start = Instant::now();
        loop {
            let job = self.describe(arn).await;
            if !["CREATE PENDING", "CREATE IN_PROGRESS"].contains(&job["status"].as_str().unwrap()) {
                return job;
            }
            pause(start).await;
        }
    }

    /// The job, which must become active.
    pub(crate) async fn active_segments(&self, job: &Value) -> Value {
        let job = self.ended_segments(&self.created(job).await).await;
        assert_eq!(job["status"], "ACTIVE", "{job}");
        job
    }

    /// The reason why the job fails.
    pub(crate) async fn failure_reason(&self, job: &Value) -> String {
        let job = self.ended_segments(&self.created(job).await).await;
        assert_eq!(job["status"], "CREATE FAILED", "{job}");
        job["failureReason"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn list_segments(&self, query: Value) -> Value {
        let answer = self.personalize("ListBatchSegmentJobs", &query).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// The names of the segment jobs of a list.
    pub(crate) async fn segment_names(&self, query: Value) -> Vec<String> {
        names(&self.list_segments(query).await["batchSegmentJobs"], "jobName")
    }

    /// The members of that name of every segment job that was truly started.
    pub(crate) async fn started_segments(&self, member: &str) -> Vec<String> {
        names(&self.started().await["segmentJobs"], member)
    }
}

fn names(jobs: &Value, member: &str) -> Vec<String> {
    jobs.as_array().unwrap().iter().map(|job| job[member].as_str().unwrap_or_default().to_owned()).collect()
}
