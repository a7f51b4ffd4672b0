//! The objects that `check-request` reads and writes: requests, seeds, and the clean copies of seeds.

use std::collections::HashMap;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use lookalike::lines::{OddFormats, PIECE_BYTES};
use lookalike::request::parse;
use lookalike::seed::{SeedCount, SeedReader, UPLOAD_INSTEAD};
use lookalike::segment_input::{InputCount, InputReader};
use lookalike::upload::Upload;
use lookalike::values::{S3Prefix, S3Uri};
use lookalike::{Error, ErrorName};
use serde::Serialize;
use serde_json::Value;

/// The largest request file, in bytes: 500,000 characters of SQL, each escaped, and room for the rest.
const MAX_REQUEST_BYTES: usize = 4 * 1024 * 1024;

/// The size of a part of a clean copy, in bytes: S3 rejects parts under 5 MiB, except the last.
const PART_BYTES: usize = 8 * 1024 * 1024;

/// The checksum of every write: the parts of an upload must have the algorithm that its creation names.
const CHECKSUM: ChecksumAlgorithm = ChecksumAlgorithm::Crc32;

/// The version of an object to read.
pub(crate) enum Version {
    /// The latest version.
    Latest,
    /// The version that was uploaded.
    Id(String),
    /// The content that was uploaded, in a bucket or an event without versions.
    Etag(String),
}

impl Version {
    pub(crate) fn of(upload: &Upload) -> Self {
        match (&upload.version_id, &upload.etag) {
            (Some(id), _) => Self::Id(id.clone()),
            (None, Some(etag)) => Self::Etag(etag.clone()),
            (None, None) => Self::Latest,
        }
    }

    fn id(&self) -> Option<String> {
        if let Self::Id(id) = self { Some(id.clone()) } else { None }
    }

    fn etag(&self) -> Option<String> {
        if let Self::Etag(etag) = self { Some(format!("\"{etag}\"")) } else { None }
    }
}

/// S3, as this function uses it.
pub(crate) struct Objects(pub(crate) Client);

impl Objects {
    /// The user metadata of an upload.
    pub(crate) async fn metadata(&self, place: &S3Uri, version: &Version) -> Result<HashMap<String, String>, Error> {
        let head = self
            .0
            .head_object()
            .bucket(place.bucket())
            .key(place.key())
            .set_version_id(version.id())
            .set_if_match(version.etag())
            .send()
            .await;
        let head = head.map_err(|error| reading(error, place))?;
        Ok(head.metadata.unwrap_or_default())
    }

    /// Reads a complete request file. Errors as `InvalidRequest` if it is not valid JSON.
    pub(crate) async fn read_request(&self, place: &S3Uri, version: &Version) -> Result<Value, Error> {
        let mut body = self.get(place, version).await?.body;
        let mut bytes = Vec::new();
        while let Some(chunk) = next(&mut body, place).await? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > MAX_REQUEST_BYTES {
                let message = format!("{place} is larger than any request ({MAX_REQUEST_BYTES} bytes).");
                return Err(Error::new(ErrorName::InvalidRequest, message));
            }
        }
        parse(&bytes).map_err(|error| error.doing(format_args!("reading {place}")))
    }

    /// The objects under a path and their sizes, without folder markers (`…/`); `None` if they may not be listed.
    pub(crate) async fn list(&self, place: &S3Prefix) -> Result<Option<Vec<(S3Uri, Option<i64>)>>, Error> {
        let list = self.0.list_objects_v2().bucket(place.bucket()).prefix(place.prefix());
        let mut pages = list.into_paginator().send();
        let mut objects = Vec::new();
        while let Some(page) = pages.next().await {
            let page = match page.map_err(Error::from) {
                Err(error) if error.name == ErrorName::AccessDenied => return Ok(None),
                page => page.map_err(|error| error.doing(format_args!("listing {place}")))?,
            };
            for object in page.contents() {
                let Some(key) = object.key().filter(|key| !key.ends_with('/')) else { continue };
                // The job would read what could not be checked.
                let found = S3Uri::new(place.bucket(), key).map_err(|problem| {
                    let message = format!("{place} has the object {key:?}, whose key {problem}. Rename or remove it.");
                    Error::new(ErrorName::InvalidRequest, message)
                })?;
                objects.push((found, object.size()));
            }
        }
        Ok(Some(objects))
    }

    /// Counts a file of a segment's input, with a warning if there is one; `None` if it may not be read.
    pub(crate) async fn check_input(&self, place: &S3Uri) -> Result<Option<(InputCount, Option<String>)>, Error> {
        let mut body = match self.get(place, &Version::Latest).await {
            Err(error) if error.name == ErrorName::AccessDenied => return Ok(None),
            object => object?.body,
        };
        let mut reader = InputReader::new(place.to_string());
        while let Some(chunk) = next(&mut body, place).await? {
            for piece in chunk.chunks(PIECE_BYTES) {
                reader.push(piece)?;
            }
        }
        reader.finish().map(Some)
    }

    /// Counts a seed in another bucket; `None` if it may not be read.
    pub(crate) async fn check_seed(&self, place: &S3Uri) -> Result<Option<SeedCount>, Error> {
        let object = match self.get(place, &Version::Latest).await {
            Err(error) if error.name == ErrorName::AccessDenied => return Ok(None),
            object => object?,
        };
        let mut body = object.body;
        let mut reader = SeedReader::new(place.to_string(), UPLOAD_INSTEAD);
        let mut clean = Vec::new();
        while let Some(chunk) = next(&mut body, place).await? {
            for piece in chunk.chunks(PIECE_BYTES) {
                reader.push(piece, &mut clean)?;
            }
        }
        reader.finish(&mut clean).map(Some)
    }

    /// Counts a seed and writes its clean copy as it reads. If the seed is rejected, no copy remains.
    pub(crate) async fn copy_clean(
        &self,
        place: &S3Uri,
        version: &Version,
        copy: &S3Uri,
        acceptable: &impl Fn(&SeedCount) -> Result<(), Error>,
    ) -> Result<SeedCount, Error> {
        let mut body = self.get(place, version).await?.body;
        let mut copy = Copy { s3: &self.0, place: copy, upload_id: None, parts: Vec::new(), clean: Vec::new() };
        let read = async {
            let mut reader = SeedReader::new(place.to_string(), OddFormats::Taken);
            while let Some(chunk) = next(&mut body, place).await? {
                for piece in chunk.chunks(PIECE_BYTES) {
                    reader.push(piece, &mut copy.clean)?;
                    copy.write_full_parts().await?;
                }
            }
            let count = reader.finish(&mut copy.clean)?;
            acceptable(&count)?;
            copy.complete().await?;
            Ok(count)
        }
        .await;
        if read.is_err() {
            copy.abort().await;
        }
        read
    }

    /// Writes the checked request.
    pub(crate) async fn write_request(&self, place: &S3Uri, request: &impl Serialize) -> Result<(), Error> {
        let body = serde_json::to_vec(request)
            .map_err(|_| Error::new(ErrorName::InvalidRequest, "The request cannot be written as JSON."))?;
        let put = self.0.put_object().bucket(place.bucket()).key(place.key()).checksum_algorithm(CHECKSUM);
        let put = put.content_type("application/json").body(body.into()).send().await;
        put.map(|_| ()).map_err(|error| writing(error, place))
    }

    async fn get(&self, place: &S3Uri, version: &Version) -> Result<GetObjectOutput, Error> {
        let get = self.0.get_object().bucket(place.bucket()).key(place.key());
        let get = get.set_version_id(version.id()).set_if_match(version.etag()).send().await;
        get.map_err(|error| reading(error, place))
    }
}

/// A clean copy that is being written: a multipart upload if it has more than one part, else a single object.
struct Copy<'c> {
    s3: &'c Client,
    place: &'c S3Uri,
    upload_id: Option<String>,
    parts: Vec<CompletedPart>,
    /// The bytes that were read and are not yet written.
    clean: Vec<u8>,
}

impl Copy<'_> {
    async fn write_full_parts(&mut self) -> Result<(), Error> {
        if self.clean.len() < PART_BYTES {
            return Ok(());
        }
        if self.upload_id.is_none() {
            let create = self.s3.create_multipart_upload().bucket(self.place.bucket()).key(self.place.key());
            let upload = create.checksum_algorithm(CHECKSUM).send().await;
            self.upload_id = upload.map_err(|error| writing(error, self.place))?.upload_id;
        }
        self.write_part().await
    }

    async fn write_part(&mut self) -> Result<(), Error> {
        let number = i32::try_from(self.parts.len() + 1).unwrap_or(i32::MAX);
        let part = self.s3.upload_part().bucket(self.place.bucket()).key(self.place.key());
        let part = part.set_upload_id(self.upload_id.clone()).part_number(number).checksum_algorithm(CHECKSUM);
        let part = part.body(ByteStream::from(std::mem::take(&mut self.clean))).send().await;
        let part = part.map_err(|error| writing(error, self.place))?;
        let completed = CompletedPart::builder().part_number(number).set_e_tag(part.e_tag);
        self.parts.push(completed.set_checksum_crc32(part.checksum_crc32).build());
        Ok(())
    }

    async fn complete(&mut self) -> Result<(), Error> {
        let Some(upload_id) = self.upload_id.clone() else {
            let put =
                self.s3.put_object().bucket(self.place.bucket()).key(self.place.key()).checksum_algorithm(CHECKSUM);
            let put = put.body(ByteStream::from(std::mem::take(&mut self.clean))).send().await;
            return put.map(|_| ()).map_err(|error| writing(error, self.place));
        };
        if !self.clean.is_empty() {
            self.write_part().await?;
        }
        let parts = CompletedMultipartUpload::builder().set_parts(Some(std::mem::take(&mut self.parts))).build();
        let complete = self.s3.complete_multipart_upload().bucket(self.place.bucket()).key(self.place.key());
        let complete = complete.upload_id(upload_id).multipart_upload(parts).send().await;
        complete.map(|_| ()).map_err(|error| writing(error, self.place))
    }

    /// Removes the parts. If this fails, the bucket's lifecycle removes them later.
    async fn abort(&mut self) {
        if let Some(upload_id) = self.upload_id.take() {
            let abort = self.s3.abort_multipart_upload().bucket(self.place.bucket()).key(self.place.key());
            let _ = abort.upload_id(upload_id).send().await;
        }
    }
}

async fn next(body: &mut ByteStream, place: &S3Uri) -> Result<Option<impl std::ops::Deref<Target = [u8]>>, Error> {
    body.next()
        .await
        .transpose()
        .map_err(|_| Error::new(ErrorName::ServiceUnavailable, format!("reading {place}: the transfer broke off.")))
}

fn reading<E>(error: SdkError<E>, place: &S3Uri) -> Error
where
    E: ProvideErrorMetadata,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    if status == Some(412) {
        let message = format!(
            "{place} was replaced before it could be read. The newer upload has a run of its own; nothing is to be done."
        );
        return Error::new(ErrorName::NotFound, message);
    }
    if error.code() == Some("InvalidObjectState") {
        let message = format!("{place} is archived: restore it first, then redrive the execution.");
        return Error::new(ErrorName::NotFound, message);
    }
    Error::from(error)
        .doing(format_args!("reading {place}"))
        .advising("Check that the object is there and that the check-request function may read it.")
}

fn writing<E>(error: SdkError<E>, place: &S3Uri) -> Error
where
    E: ProvideErrorMetadata,
{
    Error::from(error).doing(format_args!("writing {place}"))
}
