//! The operations of the service.

use axum::http::Method;
use serde::{Deserialize, Serialize};

/// An operation, as the service model names it.
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
        }
    }
}
