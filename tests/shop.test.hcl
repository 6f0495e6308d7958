# What is true of the shop wherever it stands. `switchback test` looks at the plans, `switchback test dev` at dev.
# (The folders beside this file are the tests of Switchback itself.)

run "the_log_level_is_one_of_three" {
  command = plan
  variables {
    log_level = "loud"
  }
  expect_failures = [module.shop.log_level]
}

run "the_image_has_a_tag" {
  command = plan
  assert {
    condition     = strcontains(var.image, ":") && !endswith(var.image, ":latest")
    error_message = "what ${var.image} is today it need not be tomorrow"
  }
}

run "both_services_run" {
  assert {
    condition     = toset(keys(output.task_definitions)) == toset(["web", "worker"])
    error_message = "there are ${join(", ", keys(output.task_definitions))}"
  }
}

run "every_total_is_the_sum_of_its_lines" {
  verify "totals" {
    within = "5s"

    sql {
      database = database.app
      query    = <<-SQL
        select not exists (
          select from orders where total_cents <> (
            select coalesce(sum(quantity * price_cents), 0) from order_lines where order_id = orders.id
          )
        )
      SQL
    }
  }
}
