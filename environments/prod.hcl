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
  released    = true
  description = "The image of the services; it travels with the release."
}

variable "log_level" {
  type        = string
  default     = "warn"
  description = "How much the services log: debug, info or warn."
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

module "database" {
  source   = "../modules/database"
  name     = replace(var.name, "-", "_")
  password = var.database_password
}

database "app" {
  url          = module.database.url
  user         = var.postgres_user
  password     = var.postgres_password
  migrations   = "../migrations/shop"
  lock_timeout = "3s"
}

module "shop" {
  source       = "../modules/shop"
  name         = var.name
  image        = var.image
  log_level    = var.log_level
  log_days     = 365
  web_count    = 3
  region       = var.region
  subnets      = var.subnets
  database_url = module.database.url
  session_key  = var.session_key
}

output "cluster" {
  value       = module.shop.cluster
  description = "The cluster that the services run in."
}

output "task_definitions" {
  value       = module.shop.task_definitions
  description = "The revision that each service runs."
}

output "database_url" {
  value       = module.database.url
  description = "Where the database is; without a password."
}
