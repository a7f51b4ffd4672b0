//! The operations, and the API that each is of.

use axum::http::Method;
use serde::{Deserialize, Serialize};

/// An API, with its own wire and its own errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// AWS Clean Rooms ML: rest-json.
    CleanRoomsMl,
    /// Amazon Personalize: json 1.1.
    Personalize,
}

/// An operation, as its service model names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[allow(missing_docs, reason = "they are the service's own names")]
pub enum Operation {
    StartAudienceGenerationJob,
    GetAudienceGenerationJob,
    ListAudienceGenerationJobs,
    DeleteAudienceGenerationJob,
    StartAudienceExportJob,
    ListAudienceExportJobs,
    GetConfiguredAudienceModel,
    ListConfiguredAudienceModels,
    CreateBatchSegmentJob,
    DescribeBatchSegmentJob,
    ListBatchSegmentJobs,
    DescribeSolutionVersion,
    ListTagsForResource,
}

impl Operation {
    /// The operation of a method and the first part of a path, with or without an ARN behind it.
    pub(crate) fn of(method: &Method, resource: &str, has_arn: bool) -> Option<Self> {
        match (method.as_str(), resource, has_arn) {
            ("POST", "audience-generation-job", false) => Some(Self::StartAudienceGenerationJob),
            ("GET", "audience-generation-job", true) => Some(Self::GetAudienceGenerationJob),
            ("GET", "audience-generation-job", false) => Some(Self::ListAudienceGenerationJobs),
            ("DELETE", "audience-generation-job", true) => Some(Self::DeleteAudienceGenerationJob),
            ("POST", "audience-export-job", false) => Some(Self::StartAudienceExportJob),
            ("GET", "audience-export-job", false) => Some(Self::ListAudienceExportJobs),
            ("GET", "configured-audience-model", true) => Some(Self::GetConfiguredAudienceModel),
            ("GET", "configured-audience-model", false) => Some(Self::ListConfiguredAudienceModels),
            _ => None,
        }
    }

    /// The operation of a json 1.1 target.
    pub(crate) fn of_target(target: &str) -> Option<Self> {
        match target {
            "AmazonPersonalize.CreateBatchSegmentJob" => Some(Self::CreateBatchSegmentJob),
            "AmazonPersonalize.DescribeBatchSegmentJob" => Some(Self::DescribeBatchSegmentJob),
            "AmazonPersonalize.ListBatchSegmentJobs" => Some(Self::ListBatchSegmentJobs),
            "AmazonPersonalize.DescribeSolutionVersion" => Some(Self::DescribeSolutionVersion),
            "AmazonPersonalize.ListTagsForResource" => Some(Self::ListTagsForResource),
            _ => None,
        }
    }

    /// The API that it is of.
    #[must_use]
    pub fn api(self) -> Api {
        match self {
            Self::CreateBatchSegmentJob
            | Self::DescribeBatchSegmentJob
            | Self::ListBatchSegmentJobs
            | Self::DescribeSolutionVersion
            | Self::ListTagsForResource => Api::Personalize,
            Self::StartAudienceGenerationJob
            | Self::GetAudienceGenerationJob
            | Self::ListAudienceGenerationJobs
            | Self::DeleteAudienceGenerationJob
            | Self::StartAudienceExportJob
            | Self::ListAudienceExportJobs
            | Self::GetConfiguredAudienceModel
            | Self::ListConfiguredAudienceModels => Api::CleanRoomsMl,
        }
    }

    /// Whether its service model has `ResourceNotFoundException`: the lists do not.
    pub(crate) fn has_not_found(self) -> bool {
        !matches!(
            self,
            Self::ListAudienceGenerationJobs
                | Self::ListAudienceExportJobs
                | Self::ListConfiguredAudienceModels
                | Self::ListBatchSegmentJobs
        )
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::StartAudienceGenerationJob => "StartAudienceGenerationJob",
            Self::GetAudienceGenerationJob => "GetAudienceGenerationJob",
            Self::ListAudienceGenerationJobs => "ListAudienceGenerationJobs",
            Self::DeleteAudienceGenerationJob => "DeleteAudienceGenerationJob",
            Self::StartAudienceExportJob => "StartAudienceExportJob",
            Self::ListAudienceExportJobs => "ListAudienceExportJobs",
            Self::GetConfiguredAudienceModel => "GetConfiguredAudienceModel",
            Self::ListConfiguredAudienceModels => "ListConfiguredAudienceModels",
            Self::CreateBatchSegmentJob => "CreateBatchSegmentJob",
            Self::DescribeBatchSegmentJob => "DescribeBatchSegmentJob",
            Self::ListBatchSegmentJobs => "ListBatchSegmentJobs",
            Self::DescribeSolutionVersion => "DescribeSolutionVersion",
            Self::ListTagsForResource => "ListTagsForResource",
        }
    }
}
