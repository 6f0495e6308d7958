# dev lives on the local stack (`switchback local up`): no account, no Docker, no server of your own.
environment "dev" {}

provider "aws" {
  region   = local_stack.region
  endpoint = local_stack.aws_endpoint
}

provider "postgres" {
  url           = local_stack.postgres_url
  password_file = local_stack.postgres_password_file
}

variable "name" {
  type        = string
  default     = "shop-dev"
  description = "The prefix of every name, so that two copies can live side by side."
}

variable "image" {
  type        = string
  default     = "shop/web:1.0.0"
  description = "The image of the web service."
}

variable "log_level" {
  type        = string
  default     = "debug"
  description = "How much the services log."

  validation {
    condition     = contains(["debug", "info", "warn"], var.log_level)
    error_message = "The log level is debug, info or warn."
  }
}

variable "database_password" {
  type        = string
  default     = "dev-only-database-password"
  sensitive   = true
  description = "The password of the database's role."
}

variable "session_key" {
  type        = string
  default     = "dev-only-session-key"
  sensitive   = true
  description = "The key that signs the shop's sessions."
}

locals {
  database_name = replace(var.name, "-", "_")
  subnets       = ["subnet-0a1b2c3d", "subnet-4e5f6a7b"]

  # What each service is: one entry is one service.
  services = {
    web    = { command = [], port = 8080 }
    worker = { command = ["shop", "work"], port = null }
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
  retention_in_days = 7
}

resource "aws_ssm_parameter" "regions" {
  name  = "/${var.name}/regions"
  type  = "StringList"
  value = join(",", ["de", "at", "ch"])
}

config "web" {
  store  = "ssm"
  prefix = "/${var.name}/web"
  values = {
    LOG_LEVEL    = var.log_level
    DATABASE_URL = module.database.url
    SESSION_KEY  = var.session_key
  }
}

module "database" {
  source   = "../modules/database"
  name     = local.database_name
  password = var.database_password
}

database "app" {
  url           = module.database.url
  user          = local_stack.postgres_user
  password_file = local_stack.postgres_password_file
  migrations    = "../migrations/shop"
  lock_timeout  = "3s"
}

module "service" {
  source   = "../modules/web_service"
  for_each = local.services

  name        = "${var.name}-${each.key}"
  cluster     = aws_ecs_cluster.main.arn
  image       = var.image
  command     = each.value.command
  port        = each.value.port
  log_group   = aws_cloudwatch_log_group.shop.name
  region      = local_stack.region
  subnets     = local.subnets
  environment = { LOG_LEVEL = var.log_level, REGIONS = aws_ssm_parameter.regions.value }

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

# What was released: a new image replaces the note, so that the history shows it.
resource "terraform_data" "release" {
  input            = { image = var.image, services = keys(local.services) }
  triggers_replace = var.image
}

output "cluster" {
  value       = aws_ecs_cluster.main.arn
  description = "The cluster that the services run in."
}

output "task_definitions" {
  value       = { for name, service in module.service : name => service.task_definition }
  description = "The revision that each service runs."
}

output "database_url" {
  value       = module.database.url
  description = "Where the database is; without a password."
}
