variable "name" {
  type        = string
  description = "The name of the task family, the container and the service."
}

variable "cluster" {
  type        = string
  description = "The ARN of the cluster that the service runs in."
}

variable "image" {
  type        = string
  description = "The container image."
}

variable "command" {
  type        = list(string)
  default     = []
  description = "The command; the image's own when empty."
}

variable "port" {
  type        = number
  default     = null
  description = "The port that the container listens on, if it does."
}

variable "cpu" {
  type        = number
  default     = 256
  description = "CPU units of a task (1024 is one virtual CPU)."
}

variable "memory" {
  type        = number
  default     = 512
  description = "Memory of a task in MiB."
}

variable "desired_count" {
  type        = number
  default     = 1
  description = "How many tasks run."
}

variable "environment" {
  type        = map(string)
  default     = {}
  description = "Open settings, as environment variables of the container."
}

variable "log_group" {
  type        = string
  description = "The CloudWatch log group that the container writes to."
}

variable "region" {
  type        = string
  description = "The region of the log group."
}

variable "subnets" {
  type        = list(string)
  description = "The subnets that tasks run in."
}
