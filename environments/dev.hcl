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
  released    = true
  description = "The image of the services; it travels with the release."
}

variable "log_level" {
  type        = string
  default     = "debug"
  description = "How much the services log: debug, info or warn."
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

module "database" {
  source   = "../modules/database"
  name     = replace(var.name, "-", "_")
  password = var.database_password
}

database "app" {
  url           = module.database.url
  user          = local_stack.postgres_user
  password_file = local_stack.postgres_password_file
  migrations    = "../migrations/shop"
  lock_timeout  = "3s"
}

module "shop" {
  source       = "../modules/shop"
  name         = var.name
  image        = var.image
  log_level    = var.log_level
  log_days     = 7
  region       = local_stack.region
  subnets      = ["subnet-0a1b2c3d", "subnet-4e5f6a7b"]
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
