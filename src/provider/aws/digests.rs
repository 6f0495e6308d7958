//! What the tags of images in ECR stand for. An edge: it only reads.
//!
//! Invariant: each image is asked for once, at the registry that its name says.

use aws_sdk_ecr::types::ImageIdentifier;
use futures_util::future::join_all;

use super::clients::Clients;
use super::failure::Failure;
use super::registry::{Place, place};
use crate::world::WorldError;

/// The digests of images; nothing for one that does not lie in ECR.
pub(super) async fn ask(clients: &Clients, images: &[String]) -> Vec<Result<Option<String>, WorldError>> {
    let asked = images.iter().map(|image| async move {
        match place(image) {
            Some(place) => Ok(Some(digest(clients, image, place).await?)),
            None => Ok(None),
        }
    });
    join_all(asked).await
}

async fn digest(clients: &Clients, image: &str, place: Place<'_>) -> Result<String, WorldError> {
    const OPERATION: &str = "ecr:DescribeImages";
    let id = ImageIdentifier::builder();
    let id = match place.label.starts_with("sha256:") {
        true => id.image_digest(place.label),
        false => id.image_tag(place.label),
    };
    let there = aws_sdk_ecr::config::Region::new(place.region.to_owned());
    let call = clients.ecr.describe_images().registry_id(place.account).repository_name(place.repository);
    let call = call.image_ids(id.build()).customize();
    let call = call.config_override(aws_sdk_ecr::Config::builder().region(there)).send();
    let answer = clients.call(OPERATION, image, call).await.map_err(not_there)?;
    let found = answer.image_details().first().and_then(|detail| detail.image_digest()).map(str::to_owned);
    found.ok_or_else(|| {
        Failure::refused(clients.tried(OPERATION, image), "the registry does not say its digest", "push it again")
            .into()
    })
}

/// The same failure with what mends it.
fn not_there(mut failure: Failure) -> WorldError {
    if failure.is(&["ImageNotFoundException", "RepositoryNotFoundException"]) {
        failure.error.help = Some("push the image before it is planned, or correct its name".to_owned());
    } else if failure.is(&["AccessDeniedException"]) {
        let help = "allow `ecr:DescribeImages`, or leave images as they are written: `pin_images = \"off\"`";
        failure.error.help = Some(help.to_owned());
    }
    failure.error
}
