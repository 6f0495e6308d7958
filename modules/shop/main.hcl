locals {
  # What each service is: one entry is one service.
  services = {
    web    = { command = [], port = 8080, count = var.web_count }
    worker = { command = ["shop", "work"], port = null, count = 1 }
  }
}

resource "aws_ecs_cluster" "main" {
  name = var.name

  setting {
    name  = "containerInsights"
    value = "disabled"
  }
}

resource "aws_cloudwatch_log_group" "shop" {
  name              = "/${var.name}/services"
  retention_in_days = var.log_days
}

resource "aws_ssm_parameter" "regions" {
  name  = "/${var.name}/regions"
  type  = "StringList"
  value = join(",", var.regions)
}

config "web" {
  store  = "ssm"
  prefix = "/${var.name}/web"
  values = {
    LOG_LEVEL    = var.log_level
    DATABASE_URL = var.database_url
    SESSION_KEY  = var.session_key
  }
}

module "service" {
  source   = "../web_service"
  for_each = local.services

  name          = "${var.name}-${each.key}"
  cluster       = aws_ecs_cluster.main.arn
  image         = var.image
  command       = each.value.command
  port          = each.value.port
  desired_count = each.value.count
  log_group     = aws_cloudwatch_log_group.shop.name
  region        = var.region
  subnets       = var.subnets
  environment   = { LOG_LEVEL = var.log_level, REGIONS = aws_ssm_parameter.regions.value }

  # The code expects its tables.
  depends_on = [database.app]
}

# A release that does not come up, or whose schema is not whole, is not called verified.
verify "orders" {
  within = "30s"

  sql {
    database = database.app
    query    = "select count(*) = 2 from information_schema.tables where table_name in ('customers', 'orders')"
  }
}

# What runs: a new image replaces the note, so that the history shows it.
resource "terraform_data" "deployed" {
  input            = { image = var.image, services = keys(local.services) }
  triggers_replace = var.image
}
