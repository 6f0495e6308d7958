//! Making a bucket that ledgers may lie in, and the least rights to use it. An edge.
//!
//! Invariant: doing it twice changes nothing the second time; what is stricter already stays as it is.

use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration, PublicAccessBlockConfiguration,
    ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
    VersioningConfiguration,
};
use aws_smithy_types::error::metadata::ProvideErrorMetadata as _;
use serde_json::{Value, json};

use super::super::Place;
use super::bucket::{Bucket, Patience};
use super::location::Location;
use crate::ledger::StoreError;

/// Makes the bucket of a ledger URL: versioned, encrypted, not public. What is so already is left alone.
///
/// # Errors
/// When the URL is wrong, S3 refuses, or the endpoint ignores conditions.
pub async fn make_place(url: &str) -> Result<Place, StoreError> {
    let location = super::located(url)?;
    let (planning_rights, applying_rights) = rights_at(&location);
    let bucket = Bucket::new(location, Patience::default());
    let mut made = Vec::new();
    let name = bucket.location().bucket.clone();
    let is_versioned = match versioning(&bucket).await? {
        Some(is_versioned) => is_versioned,
        None => {
            create(&bucket).await?;
            made.push(format!("the bucket {name}"));
            false
        }
    };
    if !is_versioned {
        keep_versions(&bucket).await?;
        made.push(format!("versioning of {name}"));
    }
    if !is_encrypted(&bucket).await? {
        encrypt(&bucket).await?;
        made.push(format!("encryption of {name} (SSE-S3)"));
    }
    if !is_closed(&bucket).await? {
        close(&bucket).await?;
        made.push(format!("{name} is closed to the public"));
    }
    super::prove(&bucket).await?;
    Ok(Place { made, planning_rights, applying_rights })
}

/// The least rights for an identity that plans, and for one that applies, as JSON policies of IAM.
///
/// # Errors
/// When the URL is wrong.
pub fn rights(url: &str) -> Result<(String, String), StoreError> {
    Ok(rights_at(&super::located(url)?))
}

fn rights_at(location: &Location) -> (String, String) {
    let partition = match location.region.as_deref().unwrap_or_default() {
        region if region.starts_with("cn-") => "aws-cn",
        region if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    };
    let bucket = format!("arn:{partition}:s3:::{}", location.bucket);
    let (keys, prefix) = (format!("{bucket}/{}", location.key("*")), location.key("*"));
    let listing = json!({
        "Sid": "SwitchbackListLedger", "Effect": "Allow", "Action": "s3:ListBucket", "Resource": bucket,
        "Condition": { "StringLike": { "s3:prefix": prefix } },
    });
    let objects =
        |sid: &str, actions: Value| json!({ "Sid": sid, "Effect": "Allow", "Action": actions, "Resource": keys });
    let policy = |statements: Value| {
        let policy = json!({ "Version": "2012-10-17", "Statement": statements });
        serde_json::to_string_pretty(&policy).expect("plain data")
    };
    let reading = objects("SwitchbackReadLedger", json!("s3:GetObject"));
    // No right to delete: a batch is never deleted, and with versions kept none can be overwritten for good.
    let writing = objects("SwitchbackAppendToLedger", json!(["s3:GetObject", "s3:PutObject"]));
    (policy(json!([listing.clone(), reading])), policy(json!([listing, writing])))
}

/// Whether versions are kept; nothing when there is no such bucket.
async fn versioning(bucket: &Bucket) -> Result<Option<bool>, StoreError> {
    let sent = bucket.client().await?.get_bucket_versioning().bucket(&bucket.location().bucket).send().await;
    match sent {
        Ok(answer) => Ok(Some(answer.status() == Some(&BucketVersioningStatus::Enabled))),
        Err(error) if error.code() == Some("NoSuchBucket") => Ok(None),
        Err(error) => Err(bucket.error("s3:GetBucketVersioning", "", &error)),
    }
}

async fn create(bucket: &Bucket) -> Result<(), StoreError> {
    let client = bucket.client().await?;
    let region = client.config().region().map(ToString::to_string).unwrap_or_default();
    let mut request = client.create_bucket().bucket(&bucket.location().bucket);
    if region != "us-east-1" {
        let place = BucketLocationConstraint::from(region.as_str());
        let place = CreateBucketConfiguration::builder().location_constraint(place).build();
        request = request.create_bucket_configuration(place);
    }
    match request.send().await {
        Ok(_) => Ok(()),
        Err(error) if error.code() == Some("BucketAlreadyOwnedByYou") => Ok(()),
        Err(error) if error.code() == Some("BucketAlreadyExists") => Err(StoreError::Storage {
            tried: format!("s3:CreateBucket {}", bucket.location().object_url("")),
            cause: "another account has a bucket of this name; names are shared by all accounts, so choose another one"
                .to_owned(),
        }),
        Err(error) => Err(bucket.error("s3:CreateBucket", "", &error)),
    }
}

async fn keep_versions(bucket: &Bucket) -> Result<(), StoreError> {
    let configuration = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    let request = bucket.client().await?.put_bucket_versioning().bucket(&bucket.location().bucket);
    let sent = request.versioning_configuration(configuration).send().await;
    sent.map(drop).map_err(|error| bucket.error("s3:PutBucketVersioning", "", &error))
}

async fn is_encrypted(bucket: &Bucket) -> Result<bool, StoreError> {
    match bucket.client().await?.get_bucket_encryption().bucket(&bucket.location().bucket).send().await {
        Ok(answer) => Ok(answer.server_side_encryption_configuration().is_some_and(|rules| !rules.rules().is_empty())),
        Err(error) if error.code() == Some("ServerSideEncryptionConfigurationNotFoundError") => Ok(false),
        Err(error) => Err(bucket.error("s3:GetBucketEncryption", "", &error)),
    }
}

async fn encrypt(bucket: &Bucket) -> Result<(), StoreError> {
    let trouble = |error: aws_smithy_types::error::operation::BuildError| StoreError::Storage {
        tried: "describe the encryption of a bucket".to_owned(),
        cause: error.to_string(),
    };
    let default = ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::Aes256).build();
    let rule = ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(default.map_err(trouble)?);
    let configuration = ServerSideEncryptionConfiguration::builder().rules(rule.build()).build().map_err(trouble)?;
    let request = bucket.client().await?.put_bucket_encryption().bucket(&bucket.location().bucket);
    let sent = request.server_side_encryption_configuration(configuration).send().await;
    sent.map(drop).map_err(|error| bucket.error("s3:PutBucketEncryption", "", &error))
}

async fn is_closed(bucket: &Bucket) -> Result<bool, StoreError> {
    match bucket.client().await?.get_public_access_block().bucket(&bucket.location().bucket).send().await {
        Ok(answer) => Ok(answer.public_access_block_configuration().is_some_and(|block| {
            [
                block.block_public_acls(),
                block.ignore_public_acls(),
                block.block_public_policy(),
                block.restrict_public_buckets(),
            ]
            .iter()
            .all(|is_set| *is_set == Some(true))
        })),
        Err(error) if error.code() == Some("NoSuchPublicAccessBlockConfiguration") => Ok(false),
        Err(error) => Err(bucket.error("s3:GetPublicAccessBlock", "", &error)),
    }
}

async fn close(bucket: &Bucket) -> Result<(), StoreError> {
    let block = PublicAccessBlockConfiguration::builder()
        .block_public_acls(true)
        .ignore_public_acls(true)
        .block_public_policy(true)
        .restrict_public_buckets(true)
        .build();
    let request = bucket.client().await?.put_public_access_block().bucket(&bucket.location().bucket);
    let sent = request.public_access_block_configuration(block).send().await;
    sent.map(drop).map_err(|error| bucket.error("s3:PutPublicAccessBlock", "", &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_no_more_than_needed() {
        let (planning, applying) = rights("s3://ledgers/shop?region=eu-central-1").unwrap();
        assert!(planning.contains("arn:aws:s3:::ledgers/shop/*") && planning.contains("s3:GetObject"));
        assert!(!planning.contains("Put") && applying.contains("s3:PutObject"));
        for policy in [&planning, &applying] {
            let policy: Value = serde_json::from_str(policy).unwrap();
            assert_eq!(policy["Statement"][0]["Condition"]["StringLike"]["s3:prefix"], "shop/*");
            assert!(!policy.to_string().contains("Delete"));
        }
        let (china, _) = rights("s3://ledgers?region=cn-north-1").unwrap();
        assert!(china.contains("arn:aws-cn:s3:::ledgers/*"));
    }
}
