//! Parameters: what Systems Manager refuses of them and the emulator does not. An edge.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Request, Response};
use serde_json::{Map, Value, json};

use super::Relay;
use super::call::Call;
use super::refusal::Refusal;

/// PutParameter: an advanced parameter never becomes a standard one.
pub(super) async fn put(relay: &Relay, call: &Call, request: Request<Bytes>) -> Result<Response<Full<Bytes>>, Refusal> {
    let _gate = relay.gate.lock().await;
    if call.text("Tier") == Some("Standard") && call.body.get("Overwrite") == Some(&Value::Bool(true)) {
        let filter = json!([{ "Key": "Name", "Option": "Equals", "Values": [call.text("Name")] }]);
        let body = Map::from_iter([("ParameterFilters".to_owned(), filter)]);
        let there = relay.upstream.ask(call, "DescribeParameters", body).await?;
        if there["Parameters"][0]["Tier"] == "Advanced" {
            return Err(Refusal::validation(
                "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the \
                 advanced-parameter tier to the standard-parameter tier. If necessary, you can delete the advanced \
                 parameter and recreate it as a standard parameter.",
            ));
        }
    }
    relay.upstream.forward(request).await
}
