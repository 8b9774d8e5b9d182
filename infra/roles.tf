# Roles of the services. Their permissions are in policies/, as JSON documents that the tests read too.
locals {
  record_types = ["pin", "geo", "user"]
  # Not a reference to the connector, which is created after the policies that name it.
  connector = "${var.prefix}-landing"

  policy_variables = {
    api             = aws_api_gateway_rest_api.main.id
    account         = data.aws_caller_identity.current.account_id
    bucket          = var.bucket
    cluster         = join("/", slice(split("/", aws_msk_cluster.main.arn), 1, 3))
    connector       = local.connector
    landing_role    = aws_iam_role.of["landing_connector"].name
    messages_bucket = local.buckets.messages
    prefix          = var.prefix
    region          = var.region
    source_secret   = aws_db_instance.of["source"].master_user_secret[0].secret_arn
  }

  roles = {
    api_gateway                 = "apigateway.amazonaws.com"
    dagster                     = "ecs-tasks.amazonaws.com"
    databricks_instance_profile = "ec2.amazonaws.com"
    ecs_execution               = "ecs-tasks.amazonaws.com"
    gateway                     = "ecs-tasks.amazonaws.com"
    landing_connector           = "kafkaconnect.amazonaws.com"
  }
}

data "aws_iam_policy_document" "assumed_by" {
  for_each = local.roles

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = [each.value]
    }

    # These services act for any account, and pass its id: they may assume the role only for this account.
    dynamic "condition" {
      for_each = contains(["ecs-tasks.amazonaws.com", "kafkaconnect.amazonaws.com"], each.value) ? [data.aws_caller_identity.current.account_id] : []

      content {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [condition.value]
      }
    }
  }
}

resource "aws_iam_role" "of" {
  for_each           = local.roles
  name               = "${var.prefix}-${replace(each.key, "_", "-")}"
  assume_role_policy = data.aws_iam_policy_document.assumed_by[each.key].json
}

resource "aws_iam_role_policy" "of" {
  for_each = local.roles
  name     = each.key
  role     = aws_iam_role.of[each.key].id
  policy   = templatefile("${path.module}/policies/${each.key}.json", local.policy_variables)
}
