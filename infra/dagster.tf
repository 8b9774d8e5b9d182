# One Fargate task with the web server and the daemon. Landing runs in MSK Connect and large batch steps on Databricks. Small
# ones run here: one at a time, each in less than 1 GiB, beside 1.5 GiB of the web server, the daemon and their code
# servers. Its state is in Postgres, so that the task can be replaced at any time. It listens on the loopback interface
# only; the UI is reached through an ECS Exec session.
locals {
  dagster = {
    webserver = ["dagster-webserver", "--workspace", "workspace.yaml", "--host", "127.0.0.1", "--port", "3000"]
    daemon    = ["dagster-daemon", "run", "--workspace", "workspace.yaml"]
  }
}

resource "aws_ecs_task_definition" "dagster" {
  family                   = "${var.prefix}-dagster"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 1024
  memory                   = 4096
  execution_role_arn       = aws_iam_role.of["ecs_execution"].arn
  task_role_arn            = aws_iam_role.of["dagster"].arn

  container_definitions = jsonencode([for name, command in local.dagster : {
    name    = name
    image   = var.image
    command = command

    environment = [
      for variable, value in merge(local.environment, {
        DATABRICKS_HOST                 = var.databricks_host
        PIN_DATABRICKS_INSTANCE_PROFILE = aws_iam_instance_profile.databricks.arn
        PIN_DATABRICKS_WHEEL            = "s3://${var.bucket}/${var.wheel}"
        PIN_MSK_CONNECTOR               = aws_mskconnect_connector.landing.name
        PIN_GATEWAY_URL                 = aws_api_gateway_stage.main.invoke_url
        PIN_PIPES_BUCKET                = local.buckets.messages
        PIN_SOURCE_SECRET               = aws_db_instance.of["source"].master_user_secret[0].secret_arn
        PIN_SOURCE_URL                  = "mysql+pymysql://${aws_db_instance.of["source"].endpoint}/${local.databases.source.name}"
      }) : { name = variable, value = value }
    ]

    secrets = [
      for variable, secret in {
        DAGSTER_POSTGRES_URL     = "dagster-postgres-url"
        DATABRICKS_CLIENT_ID     = "databricks-client-id"
        DATABRICKS_CLIENT_SECRET = "databricks-client-secret"
        PIN_GATEWAY_API_KEYS     = "gateway-api-keys"
        PIN_POSTGRES_URL         = "postgres-url"
      } : { name = variable, valueFrom = aws_secretsmanager_secret.of[secret].arn }
    ]

    logConfiguration = local.log_configurations["dagster"]
  }])
}

resource "aws_ecs_service" "dagster" {
  name                               = "dagster"
  cluster                            = aws_ecs_cluster.main.id
  task_definition                    = aws_ecs_task_definition.dagster.arn
  desired_count                      = 1
  deployment_minimum_healthy_percent = 0
  deployment_maximum_percent         = 100 # never two daemons at once
  launch_type                        = "FARGATE"
  enable_execute_command             = true

  network_configuration {
    subnets         = local.private_subnets
    security_groups = [aws_security_group.of["dagster"].id]
  }
}
