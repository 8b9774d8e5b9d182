# AWS resources of a Databricks workspace in this network. The workspace itself is created once in the account console of
# Databricks, and its jobs by `pin-pipeline deploy`.
data "aws_iam_policy_document" "assumed_by_databricks" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::${var.databricks_aws_account}:root"]
    }

    condition {
      test     = "StringEquals"
      variable = "sts:ExternalId"
      values   = [var.databricks_account]
    }
  }
}

resource "aws_iam_role" "databricks" {
  name               = "${var.prefix}-databricks"
  assume_role_policy = data.aws_iam_policy_document.assumed_by_databricks.json
}

resource "aws_iam_role_policy" "databricks" {
  name = "machines"
  role = aws_iam_role.databricks.id
  policy = templatefile("${path.module}/policies/databricks.json", merge(local.policy_variables, {
    instance_role = aws_iam_role.of["databricks_instance_profile"].name
    network       = aws_vpc.main.id
    nodes         = aws_security_group.of["databricks"].id
  }))
}

resource "aws_iam_instance_profile" "databricks" {
  name = "${var.prefix}-databricks"
  role = aws_iam_role.of["databricks_instance_profile"].name
}
