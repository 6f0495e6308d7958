locals {
  container = {
    name      = var.name
    image     = var.image
    command   = var.command
    essential = true

    environment  = [for key, value in var.environment : { name = key, value = value }]
    portMappings = var.port == null ? [] : [{ containerPort = var.port, protocol = "tcp" }]

    logConfiguration = {
      logDriver = "awslogs"
      options = {
        "awslogs-group"         = var.log_group
        "awslogs-region"        = var.region
        "awslogs-stream-prefix" = var.name
      }
    }
  }
}

resource "aws_ecs_task_definition" "this" {
  family                   = var.name
  cpu                      = tostring(var.cpu)
  memory                   = tostring(var.memory)
  network_mode             = "awsvpc"
  requires_compatibilities = ["FARGATE"]
  container_definitions    = jsonencode([local.container])
}

resource "aws_ecs_service" "this" {
  name            = var.name
  cluster         = var.cluster
  task_definition = aws_ecs_task_definition.this.arn
  desired_count   = var.desired_count
  launch_type     = "FARGATE"

  network_configuration {
    subnets = var.subnets
  }

  # Takes a rollout back by itself when its tasks do not come up; Switchback then calls the step failed.
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }
}

# One deployment, all tasks, and none that stops while it is looked at.
verify "steady" {
  within = "2m"

  ecs {
    cluster = var.cluster
    service = aws_ecs_service.this.name
  }
}
