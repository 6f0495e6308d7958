# prod takes what was verified in staging; it is protected.
environment "prod" {
  after     = "staging"
  protected = true
}

variable "region" {
  type        = string
  default     = "eu-central-1"
  description = "The AWS region."
}

variable "account" {
  type        = string
  description = "The AWS account; nothing is done in any other."
}

variable "endpoint" {
  type        = string
  default     = null
  description = "An endpoint that stands in for AWS; the real one when it is not given."
}

variable "postgres_url" {
  type        = string
  description = "The PostgreSQL server, as postgres://host:port/postgres, without user and password."
}

variable "postgres_user" {
  type        = string
  default     = "postgres"
  description = "The user that makes roles and databases and runs migrations."
}

variable "postgres_password" {
  type        = string
  sensitive   = true
  description = "The password of `postgres_user`."
}

variable "subnets" {
  type        = list(string)
  description = "The subnets that tasks run in."
}

provider "aws" {
  region              = var.region
  endpoint            = var.endpoint
  allowed_account_ids = [var.account]
}

provider "postgres" {
  url      = var.postgres_url
  user     = var.postgres_user
  password = var.postgres_password
}

variable "name" {
  type        = string
  default     = "shop-prod"
  description = "The prefix of every name, so that two copies can live side by side."
}

variable "image" {
  type        = string
  default     = "shop/web:1.0.0"
  description = "The image of the web service."
}

variable "log_level" {
  type        = string
  default     = "warn"
  description = "How much the services log."

  validation {
    condition     = contains(["debug", "info", "warn"], var.log_level)
    error_message = "The log level is debug, info or warn."
  }
}

variable "database_password" {
  type        = string
  sensitive   = true
  description = "The password of the database's role."
}

variable "session_key" {
  type        = string
  sensitive   = true
  description = "The key that signs the shop's sessions."
}

locals {
  database_name = replace(var.name, "-", "_")

  # What each service is: one entry is one service.
  services = {
    web    = { command = [], port = 8080, count = 3 }
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
  retention_in_days = 365
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
  url          = module.database.url
  user         = var.postgres_user
  password     = var.postgres_password
  migrations   = "../migrations/shop"
  lock_timeout = "3s"
}

module "service" {
  source   = "../modules/web_service"
  for_each = local.services

  name        = "${var.name}-${each.key}"
  cluster     = aws_ecs_cluster.main.arn
  image       = var.image
  command     = each.value.command
  port        = each.value.port

  desired_count = each.value.count

  log_group   = aws_cloudwatch_log_group.shop.name
  region      = var.region
  subnets     = var.subnets
  environment = { LOG_LEVEL = var.log_level, REGIONS = aws_ssm_parameter.regions.value }

  # The code expects its tables.
  depends_on = [database.app]
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
