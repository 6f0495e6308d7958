output "url" {
  value       = postgres_database.this.url
  description = "Where the database is; without a password."
}

output "role" {
  value       = postgres_role.owner.name
  description = "The role that owns the database."
}
