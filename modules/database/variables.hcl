variable "name" {
  type        = string
  description = "The name of the database and of the role that owns it."
}

variable "password" {
  type        = string
  sensitive   = true
  description = "The password of the role."
}
