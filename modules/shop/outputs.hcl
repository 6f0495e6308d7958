output "cluster" {
  value       = aws_ecs_cluster.main.arn
  description = "The cluster that the services run in."
}

output "task_definitions" {
  value       = { for name, service in module.service : name => service.task_definition }
  description = "The revision that each service runs."
}
