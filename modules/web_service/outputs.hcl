output "service" {
  value       = aws_ecs_service.this.name
  description = "The name of the service."
}

output "task_definition" {
  value       = aws_ecs_task_definition.this.arn
  description = "The ARN of the revision that runs."
}
