resource "postgres_role" "owner" {
  name     = var.name
  login    = true
  password = var.password
}

resource "postgres_database" "this" {
  name  = var.name
  owner = postgres_role.owner.name
}
