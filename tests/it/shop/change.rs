//! One change of everything at once, and the way back: what was there before is there again, row by row.

use super::project::Project;
use super::world::snapshot;

#[test]
fn a_change_of_image_parameter_schema_and_services_is_one_plan_and_goes_back() {
    let shop = Project::shop("change");
    shop.ok(&["up", "dev"]);
    let insert = "INSERT INTO change_probe VALUES (1, 'before'), (2, 'also before')";
    shop.stack().psql(&shop.database_url(), "CREATE TABLE change_probe (id int PRIMARY KEY, word text)");
    shop.stack().psql(&shop.database_url(), insert);
    let before = snapshot(&shop);

    change(&shop);
    let plan = shop.exits(2, &["plan", "dev", "--detailed-exitcode", "--out", "s.plan.json"]);
    is_defensible(&plan.out);
    assert!(shop.path("s.plan.json").exists());
    assert_eq!(snapshot(&shop), before, "a plan changes nothing");

    shop.ok(&["apply", "s.plan.json"]);
    shop.ok(&["plan", "dev", "--detailed-exitcode"]);
    let after = snapshot(&shop);
    assert!(after.services.iter().any(|service| service["serviceName"] == format!("{}-mailer", shop.name)));
    assert!(after.schema.contains("loyalty_points") && after.schema.contains("CREATE TABLE public.coupons"));
    assert!(after.parameters.iter().any(|parameter| parameter["Value"] == "info"));

    shop.exits(9, &["rollback", "dev", "--last", "--auto-approve"]);
    shop.ok(&["rollback", "dev", "--last", "--accept-loss", "all", "--auto-approve"]);
    assert_eq!(snapshot(&shop), before);
    shop.exits(2, &["plan", "dev", "--detailed-exitcode"]);
}

fn change(shop: &Project) {
    shop.edit("environments/dev.hcl", "shop/web:1.0.0", "shop/web:1.1.0");
    shop.edit("environments/dev.hcl", "default     = \"debug\"", "default     = \"info\"");
    let worker = "worker = { command = [\"shop\", \"work\"], port = null, count = 1 }";
    let both = format!("{worker}\n    mailer = {{ command = [\"shop\", \"mail\"], port = null, count = 1 }}");
    shop.edit("modules/shop/main.hcl", worker, &both);
    shop.write(
        "migrations/shop/V90__add_coupons.sql",
        "CREATE TABLE coupons (code text PRIMARY KEY, percent int NOT NULL);\n",
    );
    shop.write("migrations/shop/V90__add_coupons.down.sql", "DROP TABLE coupons;\n");
    let up = "ALTER TABLE change_probe ADD COLUMN loyalty_points int NOT NULL DEFAULT 0;\nUPDATE change_probe SET loyalty_points = id * 10;\nUPDATE change_probe SET word = word;\n";
    shop.write("migrations/shop/V91__loyalty.sql", up);
    shop.write("migrations/shop/V91__loyalty.down.sql", "ALTER TABLE change_probe DROP COLUMN loyalty_points;\n");
}

/// The plan names every step, in an order in which nothing comes before what it needs.
fn is_defensible(plan: &str) {
    let place = |what: &str| plan.find(what).unwrap_or_else(|| panic!("`{what}` is not in the plan:\n{plan}"));
    let coupons = place("V90__add_coupons");
    assert!(coupons < place("V91__loyalty"));
    for service in ["web", "worker", "mailer"] {
        let definition = place(&format!("module.service[\"{service}\"].aws_ecs_task_definition.this"));
        let rollout = place(&format!("module.service[\"{service}\"].aws_ecs_service.this"));
        assert!(definition < rollout && coupons < rollout, "{plan}");
    }
    assert!(place("config.web[\"LOG_LEVEL\"]") > 0);
    assert!(plan.to_lowercase().contains("point of no return"), "{plan}");
    for word in ["exact", "loses data"] {
        assert!(plan.contains(word), "no inverse is called `{word}`:\n{plan}");
    }
}
