# The gateway and Dagster run on Fargate: no machines to patch, and secrets are passed to a task without a file.
resource "aws_ecr_repository" "main" {
  name                 = var.prefix
  image_tag_mutability = "IMMUTABLE"
  force_delete         = var.deletable

  image_scanning_configuration {
    scan_on_push = true
  }
}

resource "aws_ecs_cluster" "main" {
  name = var.prefix
}

resource "aws_cloudwatch_log_group" "service" {
  for_each          = toset(["gateway", "dagster"])
  name              = "/${var.prefix}/${each.key}"
  retention_in_days = 14
}

locals {
  environment = {
    AWS_REGION      = var.region
    PIN_BUCKET      = var.bucket
    PIN_ENVIRONMENT = "aws"
    # With the addresses of the brokers, a task needs no permission to look them up.
    PIN_KAFKA_BOOTSTRAP = aws_msk_cluster.main.bootstrap_brokers_sasl_iam
    PIN_MSK_CLUSTER_ARN = aws_msk_cluster.main.arn
    PIN_PREFIX          = var.prefix
  }

  log_configurations = {
    for service, group in aws_cloudwatch_log_group.service : service => {
      logDriver = "awslogs"
      options = {
        awslogs-group         = group.name
        awslogs-region        = var.region
        awslogs-stream-prefix = service
      }
    }
  }
}
