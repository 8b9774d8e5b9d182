# Security groups: which service may connect to which, on which port. No other traffic is allowed in.
locals {
  # To change a description replaces the group.
  groups = {
    connector  = "The workers of MSK Connect"
    dagster    = "Dagster"
    databricks = "The nodes of Databricks"
    gateway    = "The gateway"
    balancer   = "The load balancer before the gateway, which API Gateway's link leads to"
    brokers    = "The brokers of MSK"
    source     = "The source database"
    realtime   = "The database of the real-time tables"
  }

  kafka_iam = 9098
  internal_rules = [
    { from = "connector", to = "brokers", port = local.kafka_iam },
    { from = "dagster", to = "brokers", port = local.kafka_iam },
    { from = "databricks", to = "brokers", port = local.kafka_iam },
    { from = "gateway", to = "brokers", port = local.kafka_iam },
    { from = "balancer", to = "gateway", port = local.gateway_port },
    { from = "dagster", to = "source", port = 3306 },
    { from = "dagster", to = "realtime", port = 5432 },
    { from = "databricks", to = "realtime", port = 5432 },
  ]

  # Outbound traffic uses TLS. The nodes of Databricks connect to its control plane and to the metastore of the workspace
  # on other ports:
  # https://docs.databricks.com/aws/en/security/network/classic/customer-managed-vpc
  egress_rules = [
    { from = "connector", port = 443 },
    { from = "dagster", port = 443 },
    { from = "databricks", port = 443 },
    { from = "databricks", port = 3306 },
    { from = "databricks", port = 8443, to_port = 8451 },
    { from = "gateway", port = 443 },
  ]
}

resource "aws_security_group" "of" {
  for_each    = local.groups
  name        = "${var.prefix}-${each.key}"
  description = each.value
  vpc_id      = aws_vpc.main.id
  tags        = { Name = "${var.prefix}-${each.key}" }
}

resource "aws_vpc_security_group_ingress_rule" "reached" {
  for_each                     = { for rule in local.internal_rules : "${rule.from}-${rule.to}" => rule }
  security_group_id            = aws_security_group.of[each.value.to].id
  referenced_security_group_id = aws_security_group.of[each.value.from].id
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
  description                  = "From ${each.value.from}"
}

resource "aws_vpc_security_group_egress_rule" "reaches" {
  for_each                     = { for rule in local.internal_rules : "${rule.from}-${rule.to}" => rule }
  security_group_id            = aws_security_group.of[each.value.from].id
  referenced_security_group_id = aws_security_group.of[each.value.to].id
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
  description                  = "To ${each.value.to}"
}

resource "aws_vpc_security_group_egress_rule" "leaves" {
  for_each          = { for rule in local.egress_rules : "${rule.from}-${rule.port}" => rule }
  security_group_id = aws_security_group.of[each.value.from].id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = try(each.value.to_port, each.value.port)
  description       = "AWS and Databricks, by TLS"
}

# Databricks requires that its nodes reach each other on every port.
resource "aws_vpc_security_group_ingress_rule" "nodes" {
  security_group_id            = aws_security_group.of["databricks"].id
  referenced_security_group_id = aws_security_group.of["databricks"].id
  ip_protocol                  = "-1"
  description                  = "Between nodes"
}

resource "aws_vpc_security_group_egress_rule" "nodes" {
  security_group_id            = aws_security_group.of["databricks"].id
  referenced_security_group_id = aws_security_group.of["databricks"].id
  ip_protocol                  = "-1"
  description                  = "Between nodes"
}
