//! The ledger knows where its things are: a way back needs nothing else, and refuses credentials of another account.

use std::sync::{Arc, Mutex};

use super::Bench;
use crate::aws_endpoint::{Endpoint, Reply, unique};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_way_back_needs_only_the_ledger_and_refuses_another_account() {
    let account = Arc::new(Mutex::new("111111111111".to_owned()));
    let now = Arc::clone(&account);
    let endpoint = Endpoint::start(move |call| match call.operation.contains("GetCallerIdentity") {
        true => Reply::Account(now.lock().unwrap().clone()),
        false => Reply::Forward,
    })
    .await;
    let name = unique("elsewhere");
    // The region is nowhere in the spec.
    let spec = |insights: &str| {
        format!(
            "environment \"dev\" {{}}\nprovider \"aws\" {{\n  endpoint = \"{}\"\n}}\n\
             resource \"aws_ecs_cluster\" \"main\" {{\n  name = \"{name}\"\n  setting {{\n    \
             name  = \"containerInsights\"\n    value = \"{insights}\"\n  }}\n}}\n",
            endpoint.url
        )
    };
    let mut bench = Bench::with_spec(&spec("disabled"));
    bench.set("AWS_REGION", "eu-west-1");
    bench.expect(0, "up dev");
    bench.expect(0, "plan dev --detailed-exitcode").has("nothing to do");
    bench.write("environments/dev.hcl", &spec("enabled"));
    bench.expect(0, "up dev").has("1 done").has("verified");
    bench.expect(0, "plan dev --detailed-exitcode").has("nothing to do");

    let anywhere = Bench::new();
    let url = format!("file:{}", bench.path().join(".switchback/ledger").display());
    let back = format!("rollback dev --last --auto-approve --accept-loss all --ledger {url}");
    *account.lock().unwrap() = "222222222222".to_owned();
    let calls = endpoint.counts();
    anywhere.expect(1, &back).has("account 222222222222").has("111111111111").has("nothing was done");
    bench.expect(1, "plan dev").has("account 222222222222").has("111111111111");
    let since = endpoint.counts();
    assert_eq!(since.get("UpdateCluster"), calls.get("UpdateCluster"));
    assert_eq!(since.get("DescribeClusters"), calls.get("DescribeClusters"), "nothing is even asked there");

    *account.lock().unwrap() = "111111111111".to_owned();
    anywhere.expect(0, &back).has("verified");
    anywhere.expect(0, &back).has("delete aws_ecs_cluster.main").has("verified");
}
