# The project: a small web shop. Environments in promotion order: dev, staging, prod.
project "shop" {
  required_version = ">= 0.1"
  ledger           = "file:.switchback/ledger"
}
