variable "name" {
  type        = string
  description = "The prefix of every name."
}

variable "image" {
  type        = string
  description = "The image of the services."
}

variable "log_level" {
  type        = string
  description = "How much the services log."

  validation {
    condition     = contains(["debug", "info", "warn"], var.log_level)
    error_message = "The log level is debug, info or warn."
  }
}

variable "log_days" {
  type        = number
  description = "How many days the log is kept."
}

variable "web_count" {
  type        = number
  default     = 1
  description = "How many tasks of the web service run."
}

variable "regions" {
  type        = list(string)
  default     = ["de", "at", "ch"]
  description = "Where the shop sells."
}

variable "region" {
  type        = string
  description = "The AWS region that everything lives in."
}

variable "subnets" {
  type        = list(string)
  description = "The subnets that tasks run in."
}

variable "database_url" {
  type        = string
  description = "Where the database is; without a password."
}

variable "session_key" {
  type        = string
  sensitive   = true
  description = "The key that signs the shop's sessions."
}
