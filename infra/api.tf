# Public API. Callers sign requests with IAM (execute-api:Invoke); openapi.yaml defines the routes and their backends.
resource "aws_api_gateway_vpc_link" "gateway" {
  name        = "${var.prefix}-gateway"
  target_arns = [aws_lb.gateway.arn]
}

resource "aws_api_gateway_rest_api" "main" {
  name = var.prefix

  body = templatefile("${path.module}/openapi.yaml", {
    gateway_host = aws_lb.gateway.dns_name
    name         = var.prefix
    region       = var.region
    role         = aws_iam_role.of["api_gateway"].arn
    vpc_link     = aws_api_gateway_vpc_link.gateway.id
  })

  endpoint_configuration {
    types = ["REGIONAL"]
  }
}

resource "aws_api_gateway_deployment" "main" {
  rest_api_id = aws_api_gateway_rest_api.main.id

  triggers = {
    body = sha256(aws_api_gateway_rest_api.main.body)
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_api_gateway_stage" "main" {
  rest_api_id   = aws_api_gateway_rest_api.main.id
  deployment_id = aws_api_gateway_deployment.main.id
  stage_name    = "prod"
}

resource "aws_api_gateway_method_settings" "all" {
  rest_api_id = aws_api_gateway_rest_api.main.id
  stage_name  = aws_api_gateway_stage.main.stage_name
  method_path = "*/*"

  settings {
    metrics_enabled        = true
    throttling_rate_limit  = var.requests_per_second
    throttling_burst_limit = var.requests_per_second * 2
  }
}
