locals {
  gateway_port = 8082
}

resource "aws_ecs_task_definition" "gateway" {
  family                   = "${var.prefix}-gateway"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 512
  memory                   = 1024
  execution_role_arn       = aws_iam_role.of["ecs_execution"].arn
  task_role_arn            = aws_iam_role.of["gateway"].arn

  container_definitions = jsonencode([{
    name         = "gateway"
    image        = var.image
    command      = ["python", "-m", "pin_pipeline.gateway.server", "--host", "0.0.0.0", "--port", tostring(local.gateway_port)]
    environment  = [for name, value in local.environment : { name = name, value = value }]
    secrets      = [{ name = "PIN_GATEWAY_API_KEYS", valueFrom = aws_secretsmanager_secret.of["gateway-api-keys"].arn }]
    portMappings = [{ containerPort = local.gateway_port }]

    logConfiguration = local.log_configurations["gateway"]
  }])
}

# Two tasks in two zones. Their only state is the records that they are sending to Kafka.
resource "aws_ecs_service" "gateway" {
  name            = "gateway"
  cluster         = aws_ecs_cluster.main.id
  task_definition = aws_ecs_task_definition.gateway.arn
  desired_count   = 2
  launch_type     = "FARGATE"
  depends_on      = [aws_lb_listener.gateway]

  network_configuration {
    subnets         = local.private_subnets
    security_groups = [aws_security_group.of["gateway"].id]
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.gateway.arn
    container_name   = "gateway"
    container_port   = local.gateway_port
  }

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }
}

resource "aws_lb" "gateway" {
  name               = "${var.prefix}-gateway"
  internal           = true
  load_balancer_type = "network"
  subnets            = local.private_subnets
  security_groups    = [aws_security_group.of["balancer"].id]

  # API Gateway connects through a private link, whose addresses belong to no security group.
  enforce_security_group_inbound_rules_on_private_link_traffic = "off"
}

resource "aws_lb_target_group" "gateway" {
  name        = "${var.prefix}-gateway"
  port        = local.gateway_port
  protocol    = "TCP"
  target_type = "ip"
  vpc_id      = aws_vpc.main.id

  health_check {
    protocol = "HTTP"
    path     = "/health"
  }
}

resource "aws_lb_listener" "gateway" {
  load_balancer_arn = aws_lb.gateway.arn
  port              = 80
  protocol          = "TCP"

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.gateway.arn
  }
}
